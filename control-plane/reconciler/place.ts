import { US_REGIONS, sizeName, type MachineSize } from '@trademind/core';
import type { MachineRow, Place, Tried } from '../database/rows.ts';
import type { MachineContract } from './wish.ts';
import type { Trouble } from './actions.ts';

type Placed = Pick<MachineRow, 'desired_region' | 'desired_cpu_kind' | 'desired_cpus' | 'desired_memory_mb' | 'desired_regions' | 'desired_sizes' | 'placed' | 'tried'>;

/** Where to go when Fly had no room: the next place that the user allows, or none is left. */
export type Walk =
  | { kind: 'next'; place: Place; tried: Tried[]; message: string }
  | { kind: 'none'; trouble: Trouble };

const nameOf = (place: Place): string => `${sizeName(place)} in ${place.region}`;
const same = (a: Place, b: Place): boolean => a.region === b.region && sizeName(a) === sizeName(b);

/**
 * Pure. The wished size in every allowed region, in the user's order, then the next size. `sameRegion`: what it holds is bound to its region (a
 * machine that stands), so that only sizes are walked. US regions are passed over where live data is wanted, and that is said.
 */
export function walk(row: Placed, contract: Pick<MachineContract, 'allowUsRegions'>, sameRegion: boolean, why: string, now: number): Walk {
  const wished: MachineSize = { cpuKind: row.desired_cpu_kind, cpus: row.desired_cpus, memoryMb: row.desired_memory_mb };
  const here: Place = row.placed ?? { ...wished, region: row.desired_region };
  const tried = [...row.tried.filter((one) => !same(one, here)), { ...here, at: new Date(now).toISOString(), why }];
  const regions = sameRegion ? [here.region] : [...new Set([row.desired_region, ...row.desired_regions])];
  const refused = contract.allowUsRegions ? [] : regions.filter((region) => US_REGIONS.includes(region));
  const next = [wished, ...row.desired_sizes]
    .flatMap((size) => regions.filter((region) => !refused.includes(region)).map((region): Place => ({ ...size, region })))
    .find((place) => !tried.some((one) => same(one, place)));
  const passed = refused.length === 0 ? '' : ` Passed over: ${refused.join(', ')} (Binance answers HTTP 451 to addresses in the United States).`;
  const been = tried.map(nameOf).join('; ');
  if (next !== undefined) return { kind: 'next', place: next, tried, message: `Fly has no room for ${nameOf(here)}; next is ${nameOf(next)}. Tried: ${been}.${passed}` };
  return { kind: 'none', trouble: {
    code: 'fly_capacity', message: `Fly has no room where the machine may be. Tried: ${been}.${passed}`,
    nextStep: 'All of them are tried again; allow another region or size to have more places.',
  } };
}
