import { NO_DECISION, type AnalysisOutcome, type NoDecisionReason } from '@trademind/core';
import type { AnalysisBooks } from './analysis-books.ts';
import type { AnalysisQueue, Task } from './analysis-queue.ts';

/** What is known when tasks are looked through for those that will never be asked. Wall time in ms, market time in ms of the market. */
export interface SweepContext {
  wallNow: number;
  marketNow: number | undefined;
  /** Seconds of market time in a second of wall time. */
  rate: number;
  hasKey: boolean;
  ownModel: string;
  circuits: readonly { model: string; until: number; message: string }[];
  /** Traders that run; undefined while that is not known. */
  traders: readonly string[] | undefined;
}

/**
 * Ends tasks that no call can serve any more: without a key, without their trader, too old, or behind a circuit that opens again too late for them. Inside the caller's transaction; at most
 * `limit` of each kind. Answers the outcomes to tell.
 */
export function sweep(queue: AnalysisQueue, books: AnalysisBooks, at: SweepContext, limit: number): AnalysisOutcome[] {
  const end = (tasks: readonly Task[], reason: NoDecisionReason, more?: (task: Task) => string | null | undefined) =>
    tasks.flatMap((task) => books.close(task.signal, reason, [NO_DECISION[reason], more?.(task)].filter((text) => text).join(' ')));
  const outcomes = [
    ...(at.hasKey ? [] : end(queue.waiting(limit), 'no_key')),
    ...(at.traders ? end(queue.waitingOutside(at.traders, limit), 'trader_gone') : []),
  ];
  if (at.marketNow === undefined) return outcomes;
  for (const { model, until, message } of at.circuits) {
    const opensAt = at.marketNow + Math.max(0, until - at.wallNow) * at.rate;
    outcomes.push(...end(queue.waitingFor(model, at.ownModel, opensAt, limit), 'circuit', () => `${message} It is asked again from ${new Date(until).toISOString()} on.`));
  }
  return [...outcomes, ...end(queue.stale(at.marketNow, limit), 'stale', (task) => task.problem)];
}
