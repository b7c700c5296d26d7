import { intervalClose, intervalMs, type Candle, type Interval } from '@trademind/core';

/** Candles of one series that may wait: a week of minutes, and what settles indicators before it. Beyond it the newest is dropped, which can be asked of the exchange again: without the oldest nothing could go on. */
const QUEUE_LIMIT = 20_000;

interface Lane {
  interval: Interval;
  length: number;
  /** Open time of the candle that comes next; undefined until the series has a start. */
  next: number | undefined;
  /** Nothing is to be had at the exchange: the others do not wait for it. */
  halted: boolean;
  waiting: Map<number, Candle>;
  /** Stretches that the exchange never had: from the open time of the first missing candle to that of the next one there is. */
  holes: Map<number, number>;
}

/** What comes next: a candle, or the news that the exchange has none from here to `to`, so that the series begins anew there. */
export type Next = { interval: Interval; candle: Candle } | { interval: Interval; hole: { from: number; to: number } };

/**
 * Brings one symbol's closed candles into one order, whatever way they come (stream, history, twice, late): by close time, and of those
 * that close together the longest interval first, so that an hour stands before the minute that ends with it. Each exactly once.
 * Pure: it neither fetches nor screens.
 */
export class CandleMerge {
  #lanes: Lane[] = [];

  intervals(): Interval[] {
    return this.#lanes.map((lane) => lane.interval);
  }

  /** Keeps exactly these series; a new one has no start yet. */
  setIntervals(intervals: readonly Interval[]): void {
    this.#lanes = intervals.map((interval) => this.#lanes.find((lane) => lane.interval === interval)
      ?? { interval, length: intervalMs(interval), next: undefined, halted: false, waiting: new Map<number, Candle>(), holes: new Map<number, number>() })
      .toSorted((a, b) => b.length - a.length);
  }

  /** The next candle of this series is the one that opens at `openTime`; earlier ones that wait are dropped. */
  startAt(interval: Interval, openTime: number): void {
    const lane = this.#lane(interval);
    lane.next = openTime;
    for (const waiting of lane.waiting.keys()) if (waiting < openTime) lane.waiting.delete(waiting);
    lane.holes.clear();
  }

  /** The exchange itself said that it has no candles from the one that opens at `from` to the one at `to`. */
  markHole(interval: Interval, from: number, to: number): void {
    this.#lane(interval).holes.set(from, to);
  }

  /** Forgets where the series was; what waits goes on waiting. */
  unstart(interval: Interval): void {
    this.#lane(interval).next = undefined;
  }

  nextOpen(interval: Interval): number | undefined {
    return this.#lane(interval).next;
  }

  isHalted(interval: Interval): boolean {
    return this.#lane(interval).halted;
  }

  setHalted(interval: Interval, halted: boolean): void {
    this.#lane(interval).halted = halted;
  }

  /** Lays in what the exchange answered: it has the last word over what a stream has brought and that still waits. False when it was taken before. */
  lay(interval: Interval, candle: Candle): boolean {
    this.#lanes.find((candidate) => candidate.interval === interval)?.waiting.delete(candle.openTime);
    return this.offer(interval, candle);
  }

  /** Lays a closed candle in. False when it was taken before or waits already, or is none of ours. */
  offer(interval: Interval, candle: Candle): boolean {
    const lane = this.#lanes.find((candidate) => candidate.interval === interval);
    if (!lane || (lane.next !== undefined && candle.openTime < lane.next) || lane.waiting.has(candle.openTime)) return false;
    lane.waiting.set(candle.openTime, candle);
    if (lane.waiting.size > QUEUE_LIMIT) lane.waiting.delete(Math.max(...lane.waiting.keys()));
    return true;
  }

  /** Close time of the candle that `take` would give now; undefined where it would give none. */
  nextClose(): number | undefined {
    const lane = this.#first();
    return lane?.next !== undefined && lane.waiting.has(lane.next) ? intervalClose(lane.interval, lane.next) : undefined;
  }

  /** Takes out what is next in order; undefined when nothing may go yet. */
  take(): Next | undefined {
    const lane = this.#first();
    if (lane?.next === undefined) return undefined;
    const { interval, next: from } = lane;
    const candle = lane.waiting.get(from);
    if (candle) {
      lane.waiting.delete(from);
      lane.next = intervalClose(interval, from);
      return { interval, candle };
    }
    const end = lane.holes.get(from);
    if (end === undefined) return undefined;
    // The stream may have brought a candle that history did not have: the hole ends there.
    const to = Math.min(end, this.earliestWaiting(interval) ?? end);
    lane.holes.delete(from);
    if (to < end) lane.holes.set(intervalClose(interval, to), end);
    lane.next = to;
    return { interval, hole: { from, to } };
  }

  /**
   * Why candles wait although they are here: a series lacks its next one. `hole` says that it has later ones, so that the missing one
   * will not come by itself. Undefined when nothing waits.
   */
  blocked(): { interval: Interval; from: number | undefined; hole: boolean } | undefined {
    if (this.#lanes.every((lane) => lane.waiting.size === 0)) return undefined;
    const lane = this.#first();
    if (!lane) return undefined;
    if (lane.next === undefined) return { interval: lane.interval, from: undefined, hole: false };
    return lane.waiting.has(lane.next) ? undefined : { interval: lane.interval, from: lane.next, hole: lane.waiting.size > 0 };
  }

  /** Open time of the earliest candle of this series that waits. */
  earliestWaiting(interval: Interval): number | undefined {
    const { waiting } = this.#lane(interval);
    return waiting.size === 0 ? undefined : Math.min(...waiting.keys());
  }

  /** The series whose candle is due first; a series without a start holds all others back. */
  #first(): Lane | undefined {
    let first: Lane | undefined;
    let firstClose = Infinity;
    for (const lane of this.#lanes) {
      if (lane.halted && lane.waiting.size === 0) continue;
      const close = lane.next === undefined ? -Infinity : intervalClose(lane.interval, lane.next);
      // Lanes stand longest first, so that of equals the longest stays.
      if (close < firstClose) {
        first = lane;
        firstClose = close;
      }
    }
    return first;
  }

  #lane(interval: Interval): Lane {
    const lane = this.#lanes.find((candidate) => candidate.interval === interval);
    if (!lane) throw new RangeError(`The symbol has no series of ${interval}.`);
    return lane;
  }
}
