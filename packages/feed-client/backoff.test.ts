import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

const bounds = { baseMs: 500, capMs: 30_000 };

test('waits double up to the cap and at least half of each is certain', () => {
  fc.assert(fc.property(fc.nat(10_000), fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (attempt, random) => {
    const wait = backoffMs(attempt, bounds, () => random);
    const full = Math.min(30_000, 500 * 2 ** attempt);
    expect(wait).toBeGreaterThanOrEqual(full / 2);
    expect(wait).toBeLessThanOrEqual(full);
  }));
});

test('chance spreads clients that were parted together', () => {
  expect(backoffMs(3, bounds, () => 0)).toBe(2_000);
  expect(backoffMs(3, bounds, () => 0.5)).toBe(3_000);
});
