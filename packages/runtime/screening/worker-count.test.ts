import fc from 'fast-check';
import { expect, test } from 'vitest';
import { workersWanted } from './worker-count.ts';

const load = fc.record({ passMs: fc.double({ min: 0, max: 1_000, noNaN: true }), workers: fc.integer({ min: 0, max: 8 }), cpus: fc.integer({ min: 1, max: 16 }) });

test('a pass that nobody feels wants no worker; a heavy one wants more, never above the vCPUs or eight', () => {
  expect(workersWanted({ passMs: 4.9, workers: 0, cpus: 4 })).toBe(0);
  expect(workersWanted({ passMs: 6, workers: 0, cpus: 4 })).toBe(1);
  expect(workersWanted({ passMs: 55, workers: 0, cpus: 4 })).toBe(3);
  expect(workersWanted({ passMs: 500, workers: 0, cpus: 2 })).toBe(2);
  fc.assert(fc.property(load, (one) => {
    const wanted = workersWanted(one);
    expect(wanted).toBeGreaterThanOrEqual(0);
    expect(wanted).toBeLessThanOrEqual(one.cpus === 1 ? 0 : Math.min(8, one.cpus));
  }));
});

test('a steady load comes to rest, also where it wavers by a third', () => {
  fc.assert(fc.property(load, fc.array(fc.double({ min: 1, max: 1.33, noNaN: true }), { minLength: 5, maxLength: 30 }), ({ passMs, workers, cpus }, wavering) => {
    let now = workersWanted({ passMs: passMs * 1.33, workers, cpus });
    now = workersWanted({ passMs, workers: now, cpus });
    const settled = now;
    for (const factor of wavering) {
      now = workersWanted({ passMs: passMs * factor, workers: now, cpus });
      expect(now).toBe(settled);
    }
  }));
});

test('a load that falls to a quarter lets workers go', () => {
  expect(workersWanted({ passMs: 20, workers: 4, cpus: 8 })).toBe(2);
  expect(workersWanted({ passMs: 2, workers: 4, cpus: 8 })).toBe(0);
});
