import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextPacificMidnight } from './pacific.ts';

const next = (iso: string) => new Date(nextPacificMidnight(Date.parse(iso))).toISOString();

test('midnight in California is 07:00 UTC in summer, 08:00 in winter, and right on the days of the change', () => {
  expect(next('2026-07-01T12:00:00Z')).toBe('2026-07-02T07:00:00.000Z');
  expect(next('2026-12-01T12:00:00Z')).toBe('2026-12-02T08:00:00.000Z');
  // Summer time begins on 2026-03-08 and ends on 2026-11-01, both at 2 in the morning.
  expect(next('2026-03-08T09:00:00Z')).toBe('2026-03-09T07:00:00.000Z');
  expect(next('2026-03-07T09:00:00Z')).toBe('2026-03-08T08:00:00.000Z');
  expect(next('2026-11-01T08:00:00Z')).toBe('2026-11-02T08:00:00.000Z');
  expect(next('2026-10-31T08:00:00Z')).toBe('2026-11-01T07:00:00.000Z');
  expect(next('2026-12-31T23:00:00Z')).toBe('2027-01-01T08:00:00.000Z');
});

test('it lies ahead by at most 25 hours, and none lies between', () => {
  fc.assert(fc.property(fc.integer({ min: Date.parse('2024-01-01'), max: Date.parse('2034-01-01') }), (now) => {
    const midnight = nextPacificMidnight(now);
    expect(midnight).toBeGreaterThan(now);
    expect(midnight - now).toBeLessThanOrEqual(25 * 3_600_000);
    expect(nextPacificMidnight(midnight - 1)).toBe(midnight);
  }));
});
