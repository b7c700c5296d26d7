import type { FeedSubscription } from '@trademind/core';
import { Lane, type Listener } from './lane.ts';
import type { FrameRing, RingFrame } from './ring.ts';

/** Lanes by what their clients want; a lane is there as long as somebody is on it. */
export class LaneSet {
  readonly #ring: FrameRing;
  readonly #epoch: string;
  readonly #lanes = new Map<string, Lane>();

  constructor(ring: FrameRing, epoch: string) {
    this.#ring = ring;
    this.#epoch = epoch;
  }

  /** Puts a client on the lane of its wishes; `leave` takes it off again. */
  join(listener: Listener, wishes: FeedSubscription): { lane: Lane; leave(): void } {
    const key = laneKey(wishes);
    let lane = this.#lanes.get(key);
    if (!lane) this.#lanes.set(key, lane = new Lane(this.#ring, this.#epoch, wishes));
    lane.add(listener);
    return {
      lane,
      leave: () => {
        lane.remove(listener);
        if (lane.size === 0) this.#lanes.delete(key);
      },
    };
  }

  onPushed(frame: RingFrame): void {
    for (const lane of this.#lanes.values()) lane.onPushed(frame);
  }
}

function laneKey({ types, symbols, everyMs = 0 }: FeedSubscription): string {
  return JSON.stringify([types?.toSorted() ?? null, symbolsKey(symbols), everyMs]);
}

/** The same text for the same symbols, in whatever order they are named. */
export function symbolsKey(symbols: readonly string[] | undefined): string {
  return symbols ? JSON.stringify([...new Set(symbols)].toSorted()) : '';
}
