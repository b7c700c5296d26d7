import { NotificationEvent, type AnalysisOutcome } from '@trademind/core';
import { expect, test } from 'vitest';
import { testSignal } from '../../../tests/support/feed.ts';
import { decisionEvent, healthEvent, signalEvent, traderEvent } from './events.ts';

test('the same fact has the same id however often it is told, and another has another', () => {
  const signal = testSignal();
  expect(signalEvent(signal, 1).id).toBe(signalEvent(signal, 2).id);
  expect(signalEvent(testSignal(), 1).id).not.toBe(signalEvent(signal, 1).id);
  const change = { before: 'healthy', component: { component: 'disk', title: 'Disk', state: 'failing', since: 5, sentence: 'Full.', nextStep: 'Free some.', readings: {} } } as const;
  expect(healthEvent(change, 1).id).toBe(healthEvent(change, 9).id);
  expect(healthEvent({ ...change, component: { ...change.component, since: 6 } }, 1).id).not.toBe(healthEvent(change, 1).id);
});

test('each is an event as the contract has it', () => {
  const trader = { id: testSignal().traderId, name: 'Dip', version: 2, state: 'invalid', error: 'Unknown function.' } as const;
  for (const event of [signalEvent(testSignal(), 7), traderEvent(trader, 7), healthEvent({ before: 'failing', component: { component: 'disk', title: 'Disk', state: 'healthy', since: 5, sentence: 'Well.', readings: {} } }, 7)]) expect(NotificationEvent.parse(event)).toEqual(event);
  const signal = testSignal();
  const outcome = {
    kind: 'decision', signalId: signal.id, traderId: signal.traderId, traderVersion: 1, symbol: signal.symbol, interval: '5m', closeTime: 1, at: 2, actionable: true,
    decision: {
      decision: 'enter_trade', confidence: 80, reasoning: 'It turns.', keyLevels: { entry: 2, stopLoss: 1, takeProfit: [3, 4], support: [], resistance: [] }, tradePlan: { setup: '', execution: '', invalidation: '', riskReward: 2 },
      technicalContext: { trend: 'bullish', momentum: 'strong', volatility: 'normal', keyObservations: [] }, metadata: { latencyMs: 1, tokens: 2, model: 'm', prompt: 'p', cached: false },
    },
  } satisfies Extract<AnalysisOutcome, { kind: 'decision' }>;
  const decided = decisionEvent(outcome, signal, 7);
  expect(NotificationEvent.parse(decided)).toEqual(decided);
  expect(decided).toMatchObject({ id: `decision:${signal.id}`, traderName: 'RSI dip', levels: { entry: 2, stopLoss: 1, takeProfit: [3, 4] } });
  expect(traderEvent(trader, 7)).toMatchObject({ kind: 'trader', state: 'invalid', sentence: 'Unknown function.' });
});
