import { NO_DECISION, spanEnd, type AnalysisOutcome, type Decision, type NoDecisionReason, type Signal, type TraderDocument } from '@trademind/core';
import type { NewTask, Task } from './analysis-queue.ts';
import { plain } from './answer.ts';

const DESCRIPTION = 500;

/** What a new signal becomes: a task, or at once an outcome with the reason. */
export function admit(signal: Signal, trader: TraderDocument | undefined): { task: NewTask } | { reason: NoDecisionReason; message: string } {
  const none = (reason: NoDecisionReason, message: string = NO_DECISION[reason]) => ({ reason, message });
  if (signal.phase === 'withdrawn') return none('withdrawn');
  if (signal.origin === 'history') return none('history');
  if (signal.suppressed) return none('suppressed', signal.suppressed.message);
  if (!trader) return none('trader_gone');
  const { enabled, model = null, minConfidence, priority } = trader.analysis;
  if (!enabled) return none('analysis_off');
  return {
    task: {
      signal, brief: { name: trader.name, description: plain(trader.description, DESCRIPTION) }, minConfidence, priority, model,
      deadline: spanEnd(trader.expiry, signal.interval, signal.closeTime),
    },
  };
}

const of = ({ id, traderId, traderVersion, symbol, interval, closeTime }: Signal, at: number) => ({ signalId: id, traderId, traderVersion, symbol, interval, closeTime, at });

/** The outcome of a signal that gets no decision. @param at wall ms */
export const noDecision = (signal: Signal, at: number, reason: NoDecisionReason, message: string): AnalysisOutcome => ({ ...of(signal, at), kind: 'none', reason, message });

/** @param late whether it came after the trader's expiry */
export const decided = ({ signal, minConfidence }: Pick<Task, 'signal' | 'minConfidence'>, at: number, decision: Decision, late: boolean): AnalysisOutcome => ({
  ...of(signal, at), kind: 'decision', decision, actionable: !late && decision.decision === 'enter_trade' && decision.confidence >= minConfidence,
});
