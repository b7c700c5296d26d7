import type { Interval } from '@trademind/core';

/** A trader as a book names it. */
export interface BookedTrader { readonly id: string; readonly version: number; readonly name: string; readonly settle: number }

/**
 * What the traders of a lane have seen and last said, in shared memory: the thread that screens writes it, whoever shows it reads it. The counts are the ordinal of the candle that comes
 * next, then per trader that of the first candle its nodes saw since all that it reads elsewhere had settled.
 */
export class LaneBook {
  readonly symbol: string;
  readonly interval: Interval;
  readonly traders: readonly BookedTrader[];
  readonly memory: SharedArrayBuffer;
  readonly counts: Float64Array;
  /** Whether trader k held on the last candle: bit k & 31 of the word k >> 5. */
  readonly held: Int32Array;

  constructor(symbol: string, interval: Interval, traders: readonly BookedTrader[], memory = new SharedArrayBuffer((traders.length + 1) * 8 + Math.ceil(traders.length / 32) * 4)) {
    this.symbol = symbol;
    this.interval = interval;
    this.traders = traders;
    this.memory = memory;
    this.counts = new Float64Array(memory, 0, traders.length + 1);
    this.held = new Int32Array(memory, (traders.length + 1) * 8, Math.ceil(traders.length / 32));
  }

  /** Ordinal of the candle that comes next. */
  get next(): number {
    return this.counts[0]!;
  }

  /** Candles that a trader's nodes have seen here since all that it reads elsewhere had settled. */
  seen(index: number): number {
    return Math.max(0, this.next - this.counts[index + 1]!);
  }

  /** Whether a trader's nodes have settled here. */
  ready(index: number): boolean {
    return this.seen(index) >= this.traders[index]!.settle;
  }

  /** Whether a trader's verdict held on the last candle, settled or not. */
  heldBefore(index: number): boolean {
    return ((this.held[index >> 5]! >>> (index & 31)) & 1) === 1;
  }

  /** Says whether it held. */
  setHeld(index: number, held: boolean): void {
    const bit = 1 << (index & 31);
    this.held[index >> 5] = held ? this.held[index >> 5]! | bit : this.held[index >> 5]! & ~bit;
  }

  /** Whether a settled trader holds on the last candle. */
  holds(index: number): boolean {
    return this.heldBefore(index) && this.ready(index);
  }
}
