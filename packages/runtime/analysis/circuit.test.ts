import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CALL_RESULTS, type CallResult } from '@trademind/core';
import { afterFailure, CIRCUIT_TIMES, HEALTHY, stateOf, type Circuit } from './circuit.ts';
import { nextPacificMidnight } from './pacific.ts';

const failure = (result: CallResult, retryAfterMs?: number) => ({ result, message: result, retryAfterMs });
const NOW = Date.parse('2026-10-10T10:00:00Z');

test('five failures in a row open it; then one trial is made, and a failed trial opens it for twice as long', () => {
  let circuit: Circuit = HEALTHY;
  for (let i = 0; i < 4; i++) circuit = afterFailure(circuit, failure('server_error'), NOW, 0);
  expect(stateOf(circuit, NOW)).toBe('closed');
  circuit = afterFailure(circuit, failure('timeout'), NOW, 0);
  expect(circuit.open).toEqual({ since: NOW, until: NOW + 30_000, code: 'timeout', message: 'timeout' });
  expect(stateOf(circuit, NOW + 29_999)).toBe('open');
  expect(stateOf(circuit, NOW + 30_000)).toBe('trial');
  circuit = afterFailure(circuit, failure('server_error'), NOW + 30_000, 0);
  expect(circuit.open?.until).toBe(NOW + 90_000);
});

test('a limit per minute opens it for as long as the model said; one per day until midnight in California, unless whoever counts says when its day begins', () => {
  const minute = afterFailure(HEALTHY, failure('rate_limited', 12_000), NOW, 0.5);
  expect(minute.open!.until).toBe(NOW + 12_500);
  expect(afterFailure(HEALTHY, failure('quota_exhausted'), NOW, 0).open!.until).toBe(nextPacificMidnight(NOW));
  expect(afterFailure(HEALTHY, failure('quota_exhausted', 3_600_000), NOW, 0).open!.until).toBe(NOW + 3_600_000);
});

test('a refused key or an unknown model opens it at once; what we aborted ourselves says nothing', () => {
  expect(afterFailure(HEALTHY, failure('key_refused'), NOW, 0).open?.until).toBe(NOW + CIRCUIT_TIMES.refusedMs);
  expect(afterFailure(HEALTHY, failure('unknown_model'), NOW, 0).open?.code).toBe('unknown_model');
  expect(afterFailure(HEALTHY, failure('aborted'), NOW, 0)).toBe(HEALTHY);
});

test('a clock that was set back does not keep it open', () => {
  const circuit = afterFailure(HEALTHY, failure('quota_exhausted'), NOW, 0);
  expect(stateOf(circuit, NOW - 1)).toBe('trial');
});

test('a call that was under way when it opened does not shorten it', () => {
  const day = afterFailure(HEALTHY, failure('quota_exhausted'), NOW, 0);
  for (const result of ['rate_limited', 'server_error', 'key_refused'] as const) expect(afterFailure(day, failure(result, 1_000), NOW + 10, 0).open).toEqual(day.open);
});

test('whatever happens, it is never open longer than the longest wait or the model\'s own word', () => {
  const step = fc.record({ result: fc.constantFrom(...CALL_RESULTS), retryAfterMs: fc.option(fc.nat(90_000), { nil: undefined }), random: fc.double({ min: 0, max: 0.999, noNaN: true }), passes: fc.nat(700_000) });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    let [circuit, now] = [HEALTHY, NOW];
    for (const { result, retryAfterMs, random, passes } of steps) {
      circuit = afterFailure(circuit, failure(result, retryAfterMs), now, random);
      const wait = (circuit.open?.until ?? now) - now;
      expect(wait).toBeLessThanOrEqual(result === 'quota_exhausted' || circuit.open?.code === 'quota_exhausted' ? 25 * 3_600_000 : CIRCUIT_TIMES.mostMs * 1.25 + 90_000);
      if (result === 'rate_limited' && retryAfterMs !== undefined) expect(wait).toBeGreaterThanOrEqual(retryAfterMs);
      now += passes;
    }
  }));
});
