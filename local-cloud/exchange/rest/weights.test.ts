import { expect, test } from 'vitest';
import { Weights, WEIGHT_LIMIT } from './weights.ts';

test('a budget lasts a minute of wall time, is counted per address, and its end is answered 429, then 418', () => {
  let now = 600_000;
  const weights = new Weights(() => now);
  for (let used = 80; used <= WEIGHT_LIMIT; used += 80) expect(weights.charge('a', 80)).toEqual({ ok: true, used });
  now += 15_000;
  expect(weights.charge('a', 2)).toMatchObject({ ok: false, status: 429, retryAfterSeconds: 45 });
  expect(weights.charge('b', 2)).toEqual({ ok: true, used: 2 });
  for (let i = 0; i < 9; i++) expect(weights.charge('a', 2)).toMatchObject({ status: 429 });
  expect(weights.charge('a', 2)).toMatchObject({ ok: false, status: 418, retryAfterSeconds: 120 });
  now += 60_000;
  expect(weights.charge('a', 1)).toMatchObject({ status: 418, retryAfterSeconds: 60 });
  now += 60_000;
  expect(weights.charge('a', 1)).toEqual({ ok: true, used: 1 });
});
