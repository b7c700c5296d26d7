import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { signalNumber } from '../../../tests/support/analysis.ts';
import { DatabaseFile } from '../state/database-file.ts';
import { AnalysisQueue, type KnownCall } from './analysis-queue.ts';
import { ANALYSIS_TABLES } from './schema.ts';

const MIDNIGHT = Date.UTC(2026, 10, 26);
const dayOf = (epoch: number) => new Date(epoch).toISOString().slice(0, 10);

function emptyQueue(): { queue: AnalysisQueue; close(): void } {
  const file = new DatabaseFile(':memory:');
  file.exec(ANALYSIS_TABLES);
  return { queue: new AnalysisQueue(file), close: () => file.close() };
}

/** A call whose figures follow from its number, some hours before or after midnight (UTC). */
const callNumber = (n: number): KnownCall => ({
  id: signalNumber(n).id, signalId: signalNumber(n).id, attempt: 1, model: 'm', promptVersion: 'p', promptHash: 'h', startedAt: MIDNIGHT + ((n % 5) - 2) * 3_600_000 - n, latencyMs: 10,
  tokensIn: 1 + n * n, tokensOut: 3 * n, nanoUsd: 7 ** (n % 7), estimated: false, result: n % 3 === 0 ? 'of_a_later_version' : 'answered',
});

/** Made on this machine: reserved with more than it used, then settled. */
function make(queue: AnalysisQueue, call: KnownCall): void {
  queue.add({ signal: signalNumber(0, { id: call.signalId }), brief: { name: 'T', description: '' }, minConfidence: 0, deadline: MIDNIGHT, priority: 5, model: null });
  const { result, ...ended } = call;
  const begun = { ...ended, day: dayOf(call.startedAt), latencyMs: 0, tokensIn: 5_000, tokensOut: 8_000, nanoUsd: 9e9 };
  expect(queue.claim(begun)).toBe(true);
  queue.settle(begun, { ...ended, result: result as 'answered' });
}

test('whatever is made here or learnt of, in whatever order and however often, each call counts once and on its own day (UTC)', () => {
  const numbers = fc.array(fc.integer({ min: 0, max: 29 }), { maxLength: 12 });
  const step = fc.oneof(
    fc.record({ do: fc.constant('make' as const), of: numbers }), fc.record({ do: fc.constant('learn' as const), of: numbers }), fc.record({ do: fc.constant('prune' as const), most: fc.integer({ min: 0, max: 5 }) }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
    const { queue, close } = emptyQueue();
    const counted = new Set<number>();
    try {
      for (const one of steps) {
        if (one.do === 'prune') queue.prune(MIDNIGHT - 7 * 86_400_000, one.most, dayOf(MIDNIGHT - 86_400_000));
        else if (one.do === 'learn') queue.learn(one.of.map(callNumber), dayOf);
        else for (const n of one.of) if (!queue.hasCall(callNumber(n).id)) make(queue, callNumber(n));
        if (one.do !== 'prune') for (const n of one.of) counted.add(n);
      }
      for (const day of [dayOf(MIDNIGHT - 1), dayOf(MIDNIGHT)]) {
        const calls = [...counted].map(callNumber).filter(({ startedAt }) => dayOf(startedAt) === day);
        const sum = (of: (call: KnownCall) => number) => calls.reduce((all, call) => all + of(call), 0);
        expect(queue.used(day)).toEqual({ calls: calls.length, tokens: sum(({ tokensIn, tokensOut }) => tokensIn + tokensOut), nanoUsd: sum(({ nanoUsd }) => nanoUsd), reserved: { tokens: 0, nanoUsd: 0 } });
      }
    } finally {
      close();
    }
  }));
});

test('calls of days that are over are forgotten down to the newest; those that can still be learnt of stay', () => {
  const { queue, close } = emptyQueue();
  queue.learn(Array.from({ length: 30 }, (_, n) => callNumber(n)), dayOf);
  const kept = () => Array.from({ length: 30 }, (_, n) => callNumber(n)).filter(({ id }) => queue.hasCall(id)).map(({ startedAt }) => dayOf(startedAt));
  queue.prune(0, 3, dayOf(MIDNIGHT));
  expect(new Set(kept())).toEqual(new Set([dayOf(MIDNIGHT)]));
  expect(kept().length).toBeGreaterThan(3);
  queue.prune(0, 3, dayOf(MIDNIGHT + 86_400_000));
  expect(kept()).toHaveLength(3);
  close();
});
