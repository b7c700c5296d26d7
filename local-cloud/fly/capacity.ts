import { ApiError } from './api-error.ts';
import type { Faults } from './faults/faults.ts';
import type { OrderOf } from './faults/kinds.ts';
import { isRegion } from './regions.ts';
import type { Store } from './store.ts';
import type { MachineConfig } from './types.ts';

/** Memory for machines by region, in MB; a region that is not named has no end of it. */
export type Room = Readonly<Record<string, number>>;

/** How a lack of room was seen: with Fly's word, as a failed reservation, or from the gateway in front. */
function lack(as: OrderOf<'capacity'>['as'], region: string): ApiError {
  if (as === 'memory') return new ApiError(409, 'aborted: could not reserve resource for machine: insufficient memory available to fulfill request');
  if (as === 'gateway') return new ApiError(503, `insufficient resources to create new machine with existing volume or in region ${region}`, 'insufficient_capacity');
  return new ApiError(422, `insufficient capacity: no hosts in ${region} have room for this machine`, 'insufficient_capacity');
}

/** The room that each region has, and who is refused for want of it. */
export class Capacity {
  readonly #store: Store;
  readonly #faults: Faults;
  #room: Room = {};

  constructor(store: Store, faults: Faults) {
    this.#store = store;
    this.#faults = faults;
  }

  get room(): Room {
    return this.#room;
  }

  /** Throws 400 with what is wrong. */
  set(given: Readonly<Record<string, unknown>>): void {
    for (const [region, mb] of Object.entries(given)) {
      if (!Number.isInteger(mb) || (mb as number) < 0) throw new ApiError(400, `${region}: whole megabytes from 0`);
      if (!isRegion(region)) throw new ApiError(400, `${String(region)} is no region`);
    }
    this.#room = given as Room;
  }

  /** What is left in a region, in MB. A stopped machine keeps no memory, so it may not come up again. */
  left(region: string, except?: string): number {
    const all = this.#room[region];
    if (all === undefined) return Number.POSITIVE_INFINITY;
    const { used } = this.#store.db.get(
      `select coalesce(sum(json_extract(body, '$.config.guest.memory_mb')), 0) as used from machines
       where region = ? and destroyed_at is null and id <> ? and json_extract(body, '$.goal') = 'started'`, region, except ?? '',
    ) as { used: number };
    return all - used;
  }

  /** Throws as Fly does when the region cannot take the machine. */
  reserve(app: string, region: string, config: MachineConfig, machineId?: string): void {
    const fault = this.#faults.capacity('machine', region, app);
    if (fault) throw lack(fault.as, region);
    if (this.#room[region] !== undefined && this.left(region, machineId) < (config.guest?.memory_mb ?? 256)) throw lack('word', region);
  }

  reserveVolume(app: string, region: string): void {
    if (this.#faults.capacity('volume', region, app)) throw new ApiError(400, `no capacity for a new volume in ${region}`, 'volume_placement_capacity');
  }
}
