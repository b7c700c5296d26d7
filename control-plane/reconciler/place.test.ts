import { US_REGIONS, sizeName } from '@trademind/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Place } from '../database/rows.ts';
import { walk } from './place.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');
const row: Parameters<typeof walk>[0] = {
  desired_region: 'sin', desired_cpu_kind: 'shared', desired_cpus: 1, desired_memory_mb: 512, desired_regions: ['fra', 'iad'], desired_sizes: [{ cpuKind: 'shared', cpus: 2, memoryMb: 1_024 }], placed: null, tried: [],
};
const LIVE = { allowUsRegions: false };

/** Where it goes when no place ever has room. */
function journey(start: Parameters<typeof walk>[0], contract: { allowUsRegions: boolean }, sameRegion: boolean): { places: string[]; end: string } {
  const places: string[] = [];
  let at = start;
  for (let n = 0; n < 200; n += 1) {
    const step = walk(at, contract, sameRegion, 'no room', NOW);
    if (step.kind === 'none') return { places, end: step.trouble.message };
    places.push(`${sizeName(step.place)} ${step.place.region}`);
    at = Object.assign({}, start, { placed: step.place, tried: step.tried });
  }
  throw new Error('it never ends');
}

test('the wished size goes through the user\'s regions in order, then the next size; US regions are passed over and that is said with its reason', () => {
  expect(journey(row, LIVE, false)).toEqual({
    places: ['shared-1x 512 MB fra', 'shared-2x 1024 MB sin', 'shared-2x 1024 MB fra'],
    end: 'Fly has no room where the machine may be. Tried: shared-1x 512 MB in sin; shared-1x 512 MB in fra; shared-2x 1024 MB in sin; shared-2x 1024 MB in fra. Passed over: iad (Binance answers HTTP 451 to addresses in the United States).',
  });
});

test('without live data US regions are as good as others', () => {
  expect(journey(row, { allowUsRegions: true }, false).places).toEqual(['shared-1x 512 MB fra', 'shared-1x 512 MB iad', 'shared-2x 1024 MB sin', 'shared-2x 1024 MB fra', 'shared-2x 1024 MB iad']);
});

test('a machine that stands keeps its region, where its volume is: only sizes are walked', () => {
  expect(journey(row, LIVE, true).places).toEqual(['shared-2x 1024 MB sin']);
});

test('whatever a user allows: every place once, none that was not allowed, and it ends', () => {
  const region = fc.constantFrom('sin', 'fra', 'nrt', 'iad', 'lax');
  const size = fc.record({ cpuKind: fc.constant('shared' as const), cpus: fc.constantFrom(1, 2, 4), memoryMb: fc.constantFrom(512, 1_024) });
  fc.assert(fc.property(region, size, fc.array(region, { maxLength: 5 }), fc.array(size, { maxLength: 4 }), fc.boolean(), (first, wished, regions, sizes, sameRegion) => {
    const { places } = journey({ desired_region: first, desired_cpu_kind: wished.cpuKind, desired_cpus: wished.cpus, desired_memory_mb: wished.memoryMb, desired_regions: regions, desired_sizes: sizes, placed: null, tried: [] }, LIVE, sameRegion);
    expect(new Set(places).size).toBe(places.length);
    for (const place of places) {
      expect(US_REGIONS.some((us) => place.endsWith(us))).toBe(false);
      expect([first, ...(sameRegion ? [] : regions)].some((one) => place.endsWith(one))).toBe(true);
    }
  }));
});

test('what was tried says when and why', () => {
  const step = walk(row, LIVE, false, 'Fly answered 409', NOW);
  expect(step).toMatchObject({ kind: 'next', place: { region: 'fra' } satisfies Partial<Place>, tried: [{ region: 'sin', at: '2026-11-26T12:00:00.000Z', why: 'Fly answered 409' }] });
});
