import type { AnalysisOutcome, NotificationEvent, Signal, TraderStatus } from '@trademind/core';
import type { HealthChange } from '../health/health-monitor.ts';

/** A signal as something to be told. */
export const signalEvent = (signal: Signal, at: number): NotificationEvent => ({ kind: 'signal', id: `signal:${signal.id}`, at, signal });

/** What the analysis of a signal says. */
export function decisionEvent({ signalId, decision: { decision, confidence, reasoning, keyLevels } }: Extract<AnalysisOutcome, { kind: 'decision' }>, { traderId, traderName, symbol, interval, side }: Signal, at: number): NotificationEvent {
  const { entry, stopLoss, takeProfit } = keyLevels;
  return { kind: 'decision', id: `decision:${signalId}`, at, traderId, traderName, signalId, symbol, interval, side, decision, confidence, reasoning, levels: { entry, stopLoss, takeProfit } };
}

/** A component's change of state, once for each time that it changes. */
export function healthEvent({ component: { component, title, state, since, sentence, nextStep }, before }: HealthChange, at: number): NotificationEvent {
  return { kind: 'health', id: `health:${component}:${state}:${since}`, at, component, title, state, before, sentence, ...(nextStep !== undefined && { nextStep }) };
}

/** A trader that began or ceased to run, once for each version and time. */
export function traderEvent({ id, name, version, state, error }: Pick<TraderStatus, 'id' | 'name' | 'version' | 'error'> & { state: Exclude<TraderStatus['state'], 'shed'> }, at: number): NotificationEvent {
  return { kind: 'trader', id: `trader:${id}:${version}:${state}:${at}`, at, traderId: id, traderName: name, state, sentence: error ?? (state === 'running' ? 'It runs.' : 'It does not run.') };
}
