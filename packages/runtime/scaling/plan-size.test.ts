import { CPU_LADDER, DEFAULT_SIZE, MEMORY_STEP_MB, SCALE_POLICIES, ScaleRequest, ScaleTerms, coresOf, memoryRange, sizeName, termsProblem, type MachineSize } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Load } from './load.ts';
import { planSize, type SizePlan } from './plan-size.ts';

const SMALLEST: MachineSize = { cpuKind: 'shared', cpus: 1, memoryMb: 256 };
const LARGEST: MachineSize = { cpuKind: 'performance', cpus: 8, memoryMb: 65_536 };
const terms = (over: Partial<ScaleTerms> = {}): ScaleTerms => ScaleTerms.parse({
  size: DEFAULT_SIZE, region: 'sin', generation: 3, automatic: true, policy: 'balanced', bounds: { smallest: SMALLEST, largest: LARGEST }, budgetUsd: null, ...over,
});
const load = (over: Partial<Load> = {}): Load => ({ samples: 60, overMs: 300_000, cpuCores: 0.02, deniedCores: 0, rssMb: 120, passShare: 0.01, workerUse: 0, candleLagMs: 0, loopDelayMs: 3, tradersShed: 0, ...over });
const plan = (over: Partial<Parameters<typeof planSize>[0]> = {}): SizePlan => {
  const lately = 'lately' in over ? over.lately : load();
  return planSize({ terms: terms(), lately, busiest: lately, outOfMemoryMb: null, epoch: 1_700_000_000_000, ...over });
};
const requested = (made: SizePlan): ScaleRequest | undefined => ('request' in made ? made.request : undefined);

// What can be bought, and loads of every kind.
const anySize: fc.Arbitrary<MachineSize> = fc.constantFrom(...CPU_LADDER).chain(({ cpuKind, cpus }) => {
  const [low, high] = memoryRange(cpuKind, cpus);
  return fc.integer({ min: low / MEMORY_STEP_MB, max: high / MEMORY_STEP_MB }).map((steps) => ({ cpuKind, cpus, memoryMb: steps * MEMORY_STEP_MB }));
});
const anyLoad: fc.Arbitrary<Load> = fc.record({
  samples: fc.integer({ min: 5, max: 60 }), overMs: fc.constant(300_000),
  cpuCores: fc.oneof(fc.double({ min: 0, max: 0.6, noNaN: true }), fc.double({ min: 0, max: 9, noNaN: true })), deniedCores: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 2, noNaN: true })),
  rssMb: fc.oneof(fc.double({ min: 60, max: 900, noNaN: true }), fc.double({ min: 60, max: 70_000, noNaN: true })), passShare: fc.double({ min: 0, max: 2, noNaN: true }), workerUse: fc.double({ min: 0, max: 1, noNaN: true }),
  candleLagMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 60_000, noNaN: true })), loopDelayMs: fc.double({ min: 0, max: 300, noNaN: true }), tradersShed: fc.constantFrom(0, 0, 0, 3),
});
const anyTerms: fc.Arbitrary<ScaleTerms> = fc.record({
  size: anySize, one: anySize, other: anySize, policy: fc.constantFrom(...(Object.keys(SCALE_POLICIES) as (keyof typeof SCALE_POLICIES)[])), budgetUsd: fc.oneof(fc.constant(null), fc.double({ min: 1, max: 400, noNaN: true })), bounded: fc.boolean(),
}).map(({ size, one, other, policy, budgetUsd, bounded }) => {
  const larger = coresOf(one) >= coresOf(other) && one.memoryMb >= other.memoryMb;
  const ordered = larger || (coresOf(other) >= coresOf(one) && other.memoryMb >= one.memoryMb);
  const bounds = bounded && ordered ? (larger ? { smallest: other, largest: one } : { smallest: one, largest: other }) : { smallest: SMALLEST, largest: LARGEST };
  return terms({ size, policy, budgetUsd, bounds });
});
const anyMemoryLoss = fc.oneof(fc.constant(null), fc.constantFrom(256, 512, 1_024, 4_096));

describe('the size that a load wants', () => {
  test('a quiet machine keeps the smallest that fits, and says why', () => {
    expect(plan()).toEqual({ kind: 'fits', sentence: 'shared-1x 512 MB suits the load: it needs 2 % of a core of the 6.3 % of a core that it may use for long, and 184 of 512 MB.' });
  });

  test('a shared vCPU beyond its sixteenth of a core is asked to become more of them, with how long the bank lasts and the price', () => {
    const request = requested(plan({ lately: load({ cpuCores: 0.15 }) }));
    expect(request).toMatchObject({ from: DEFAULT_SIZE, to: { cpuKind: 'shared', cpus: 4, memoryMb: 1_024 }, direction: 'up', generation: 3 });
    expect(request?.sentence).toBe('shared-4x 1024 MB instead of shared-1x 512 MB: It needs 15 % of a core of CPU, and shared-1x gives 6.3 % of a core for long; what it has banked lasts 1 h 35 min at most. It costs $11.29 a month instead of $4.84 (+$6.45; prices of 2026-10-09).');
  });

  test('what the host withholds was wanted too', () => {
    expect(requested(plan({ lately: load({ cpuCores: 0.06, deniedCores: 0.6 }) }))?.to).toEqual({ cpuKind: 'performance', cpus: 1, memoryMb: 2_048 });
  });

  test('a machine that falls behind counts as full earlier; one that falls behind for another reason than CPU gets no larger one', () => {
    expect(requested(plan({ lately: load({ cpuCores: 0.04, candleLagMs: 20_000 }) }))).toMatchObject({ to: { cpus: 2 }, reasons: [{ code: 'cpu_full' }, { code: 'falls_behind', sentence: 'The newest candle is 20 s late: signals come late.' }] });
    expect(plan({ lately: load({ cpuCores: 0.01, candleLagMs: 80_000 }) }).kind).toBe('fits');
  });

  test('memory is asked for before it ends, and after it ended', () => {
    expect(requested(plan({ lately: load({ rssMb: 420 }) }))).toMatchObject({ to: { cpuKind: 'shared', cpus: 1, memoryMb: 768 }, reasons: [{ code: 'memory_full' }] });
    expect(requested(plan({ outOfMemoryMb: 512 }))).toMatchObject({ to: { memoryMb: 768 }, reasons: [{ code: 'out_of_memory', sentence: 'It ran out of memory with 512 MB.' }] });
  });

  test('less is asked for only when the busiest minutes of an hour leave the smaller one calm', () => {
    const size: MachineSize = { cpuKind: 'performance', cpus: 2, memoryMb: 4_096 };
    expect(requested(plan({ terms: terms({ size }) }))).toMatchObject({ direction: 'down', to: { cpuKind: 'shared', cpus: 1, memoryMb: 512 } });
    expect(plan({ terms: terms({ size }), busiest: undefined }).kind).toBe('fits');
    expect(requested(plan({ terms: terms({ size }), busiest: load({ cpuCores: 0.4 }) }))?.to.cpuKind).toBe('performance');
    // Half a dollar a month is not worth a restart.
    expect(plan({ terms: terms({ size: { cpuKind: 'shared', cpus: 2, memoryMb: 512 } }) })).toMatchObject({ kind: 'fits' });
  });

  test('within the budget memory comes first; beyond it it is said that more would be needed', () => {
    const heavy = load({ cpuCores: 0.9, rssMb: 900 });
    expect(requested(plan({ terms: terms({ budgetUsd: 20 }), lately: heavy }))).toMatchObject({ to: { cpuKind: 'shared', memoryMb: 1_536 }, sentence: expect.stringContaining('More would be better still') as string });
    const capped = plan({ terms: terms({ budgetUsd: 4.9 }), lately: load({ cpuCores: 0.5 }) });
    expect(capped).toMatchObject({ kind: 'capped', sentence: expect.stringContaining('do not allow it. It needs 50 % of a core') as string });
  });

  test('bounds that were drawn in are kept, and a budget that allows nothing is said', () => {
    const bounds = { smallest: SMALLEST, largest: { cpuKind: 'shared', cpus: 2, memoryMb: 1_024 } } as const;
    const size: MachineSize = { cpuKind: 'shared', cpus: 8, memoryMb: 2_048 };
    expect(requested(plan({ terms: terms({ size, bounds }), lately: load({ cpuCores: 0.3 }) }))).toMatchObject({ direction: 'down', to: { cpuKind: 'shared', cpus: 2, memoryMb: 512 }, reasons: [{ code: 'outside_bounds' }, { code: 'memory_idle' }] });
    expect(plan({ terms: terms({ budgetUsd: 1 }) })).toMatchObject({ kind: 'capped', sentence: expect.stringContaining('more than the budget of $1.00') as string });
  });

  test('too little evidence gives no answer', () => {
    expect(plan({ lately: undefined, busiest: load() })).toMatchObject({ kind: 'unknown' });
  });
});

describe('whatever the load, the terms and the size', () => {
  const simulate = (start: ScaleTerms, steady: Load, outOfMemoryMb: number | null, rounds = 8): MachineSize[] => {
    const sizes = [start.size];
    for (let round = 0; round < rounds; round++) {
      const request = requested(planSize({ terms: { ...start, size: sizes.at(-1)! }, lately: steady, busiest: steady, outOfMemoryMb, epoch: 0 }));
      sizes.push(request?.to ?? sizes.at(-1)!);
    }
    return sizes;
  };

  test('a steady load settles after two changes at most, and neither CPU nor memory goes to and fro', () => {
    fc.assert(fc.property(anyTerms, anyLoad, anyMemoryLoss, (start, steady, outOfMemoryMb) => {
      const sizes = simulate(start, steady, outOfMemoryMb);
      expect(sizes.filter((size, index) => index > 0 && sizeName(size) !== sizeName(sizes[index - 1]!)).length).toBeLessThanOrEqual(2);
      if (termsProblem(start.size, start) !== null) return;
      for (const read of [coresOf, ({ memoryMb }: MachineSize) => memoryMb]) {
        const signs = new Set(sizes.slice(1).map((size, index) => Math.sign(read(size) - read(sizes[index]!))).filter((sign) => sign !== 0));
        expect(signs.size).toBeLessThanOrEqual(1);
      }
    }), { numRuns: 1_000 });
  });

  test('what is asked for can be bought, is within bounds and budget, differs from now, and stands on evidence and reasons', () => {
    fc.assert(fc.property(anyTerms, fc.option(anyLoad, { nil: undefined }), fc.option(anyLoad, { nil: undefined }), anyMemoryLoss, (start, lately, busiest, outOfMemoryMb) => {
      const made = planSize({ terms: start, lately, busiest, outOfMemoryMb, epoch: 1_700_000_000_000 });
      const request = requested(made);
      // A size that is no longer allowed is left, if anything allowed can be paid.
      if (lately !== undefined && termsProblem(start.size, start) !== null && termsProblem(start.bounds.smallest, start) === null) expect(request).toBeDefined();
      if (request === undefined) {
        expect((made as { sentence: string }).sentence).toMatch(/\.$/);
        return;
      }
      expect(ScaleRequest.parse(request)).toEqual(request);
      expect(termsProblem(request.to, start)).toBeNull();
      expect(request.to).not.toEqual(start.size);
      expect(lately).toBeDefined();
      expect(request.evidence.samples).toBeGreaterThanOrEqual(5);
      if (request.direction === 'down' && termsProblem(start.size, start) === null) expect(busiest).toBeDefined();
      expect(request.sentence).toContain(sizeName(request.to));
    }), { numRuns: 1_000 });
  });

  test('more load never gives less of anything', () => {
    fc.assert(fc.property(anyTerms, anyLoad, fc.record({ cpuCores: fc.double({ min: 0, max: 3, noNaN: true }), deniedCores: fc.double({ min: 0, max: 1, noNaN: true }), rssMb: fc.double({ min: 0, max: 5_000, noNaN: true }), passShare: fc.double({ min: 0, max: 1, noNaN: true }), candleLagMs: fc.double({ min: 0, max: 90_000, noNaN: true }) }), (start, less, added) => {
      // A budget may have to choose between CPU and memory: without one, more is never less.
      const free = { ...start, budgetUsd: null };
      if (termsProblem(free.size, free) !== null) return;
      const more: Load = { ...less, cpuCores: less.cpuCores + added.cpuCores, deniedCores: less.deniedCores + added.deniedCores, rssMb: less.rssMb + added.rssMb, passShare: less.passShare + added.passShare, candleLagMs: less.candleLagMs + added.candleLagMs };
      const sizeFor = (steady: Load): MachineSize => requested(planSize({ terms: free, lately: steady, busiest: steady, outOfMemoryMb: null, epoch: 0 }))?.to ?? free.size;
      expect(coresOf(sizeFor(more))).toBeGreaterThanOrEqual(coresOf(sizeFor(less)));
      expect(sizeFor(more).memoryMb).toBeGreaterThanOrEqual(sizeFor(less).memoryMb);
    }), { numRuns: 1_000 });
  });

  test('a throttled machine, which shows only as much load as it may have, climbs until it has enough and stays there', () => {
    fc.assert(fc.property(fc.double({ min: 0.001, max: 5, noNaN: true }), fc.constantFrom(0, 0.3, 1), (demand, visible) => {
      let { size } = terms();
      const given: number[] = [];
      for (let round = 0; round < 14; round++) {
        const cpuCores = Math.min(demand, coresOf(size));
        const seen = load({ cpuCores, deniedCores: (demand - cpuCores) * visible, loopDelayMs: demand > cpuCores ? 150 : 5 });
        const request = requested(planSize({ terms: terms({ size }), lately: seen, busiest: seen, outOfMemoryMb: null, epoch: 0 }));
        if (request !== undefined) size = request.to;
        given.push(coresOf(size));
      }
      expect(given).toEqual(given.toSorted((a, b) => a - b));
      expect(given.at(-1)).toBe(given.at(-2));
      expect(given.at(-1)).toBeGreaterThanOrEqual(demand);
    }));
  });
});
