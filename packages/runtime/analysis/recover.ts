import { NO_DECISION, type AnalysisOutcome } from '@trademind/core';
import type { AnalysisBooks } from './analysis-books.ts';
import type { AnalysisQueue } from './analysis-queue.ts';

/** A task in whose calls the program has ended so often may be why it ended. */
const MOST_INTERRUPTIONS = 2;

/**
 * Resolves the calls that the last run was in the middle of: what they used stays counted at the most that it can have been, and their tasks wait for one call more, unless this has happened
 * before or they have had all that they may. Inside the caller's transaction. `ends`: when (wall time, ms) the calls ended that ended within
 * `withinMs`; those broken off are not among them.
 */
export function recover(queue: AnalysisQueue, books: AnalysisBooks, now: number, withinMs: number, mostCalls: number): { ends: number[]; brokenOff: number; outcomes: AnalysisOutcome[] } {
  const ends = queue.endsSince(now - withinMs);
  const running = queue.running();
  const outcomes = running.flatMap((call) => {
    const { latencyMs, tokensIn, tokensOut, nanoUsd } = call;
    books.settle(call, { latencyMs, tokensIn, tokensOut, nanoUsd, estimated: true, result: 'interrupted' });
    const task = queue.task(call.signalId);
    if (!task) return [];
    if (task.interruptions + 1 >= MOST_INTERRUPTIONS || task.calls >= mostCalls) return books.close(task.signal, 'interrupted', NO_DECISION.interrupted);
    queue.putBack(task.signalId, { now, forMs: 0, interrupted: true });
    return [];
  });
  return { ends, brokenOff: running.length, outcomes };
}
