import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { busiestOfTheHour, fallsBehind, loadLately, SLICE_MS, type LoadSample } from './load.ts';

const MINUTE_MS = 60_000;
const sample = (at: number, over: Partial<LoadSample> = {}): LoadSample => ({ at, overMs: 5_000, cpuCores: 0.1, deniedCores: 0, rssMb: 100, passShare: 0, workerUse: 0, candleLagMs: 0, loopDelayMs: 0, tradersShed: 0, ...over });
/** A sample every five seconds up to `now`. */
const steady = (minutes: number, now: number, at: (time: number) => Partial<LoadSample> = () => ({})): LoadSample[] =>
  Array.from({ length: (minutes * MINUTE_MS) / 5_000 }, (_, index) => { const time = now - minutes * MINUTE_MS + (index + 1) * 5_000; return sample(time, at(time)); });

describe('the load lately', () => {
  test('is the mean of five minutes by the length of each look, and the peak of the memory', () => {
    const now = 10 * MINUTE_MS;
    const load = loadLately(steady(8, now, (time) => ({ cpuCores: time > now - MINUTE_MS ? 0.5 : 0.1, rssMb: time === now ? 300 : 100 })), now);
    expect(load).toMatchObject({ samples: 60, overMs: SLICE_MS, rssMb: 300 });
    expect(load?.cpuCores).toBeCloseTo(0.18, 6);
  });

  test('is unknown while less than four of the five minutes were measured', () => {
    const now = 10 * MINUTE_MS;
    expect(loadLately(steady(4, now), now)).toBeDefined();
    expect(loadLately(steady(3, now), now)).toBeUndefined();
    expect(loadLately([], now)).toBeUndefined();
    // A machine that slept has not been measured.
    expect(loadLately(steady(5, now), now + 2 * MINUTE_MS)).toBeUndefined();
  });
});

describe('the busiest of the hour', () => {
  test('is unknown before a whole hour was measured, and afterwards never less than the load lately', () => {
    const now = 100 * MINUTE_MS;
    expect(busiestOfTheHour(steady(55, now), now)).toBeUndefined();
    fc.assert(fc.property(fc.array(fc.double({ min: 0, max: 2, noNaN: true }), { minLength: 13, maxLength: 13 }), (loads) => {
      const samples = steady(65, now, (time) => ({ cpuCores: loads[Math.min(12, Math.floor((now - time) / SLICE_MS))]!, passShare: loads[0]! / 4 }));
      const busiest = busiestOfTheHour(samples, now)!;
      const lately = loadLately(samples, now)!;
      expect(busiest.cpuCores + busiest.deniedCores).toBeGreaterThanOrEqual(lately.cpuCores + lately.deniedCores - 1e-9);
      expect(busiest.cpuCores).toBeCloseTo(Math.max(...loads.slice(0, 12)), 6);
      expect(busiest.passShare).toBeCloseTo(lately.passShare, 9);
    }), { numRuns: 20 });
  });
});

test('a machine falls behind from where its user is told so', () => {
  const well = sample(0);
  expect(fallsBehind(well)).toBeNull();
  expect([fallsBehind({ ...well, passShare: 0.5 }), fallsBehind({ ...well, candleLagMs: 15_000 }), fallsBehind({ ...well, loopDelayMs: 100 }), fallsBehind({ ...well, workerUse: 0.8 }), fallsBehind({ ...well, tradersShed: 1 })])
    .toEqual(['passShare', 'candleLagMs', 'loopDelayMs', 'workerUse', 'tradersShed']);
});
