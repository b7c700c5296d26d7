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
  /** Per trader: whether it held on the last candle. */
  readonly held: Uint8Array;

  constructor(symbol: string, interval: Interval, traders: readonly BookedTrader[], memory = new SharedArrayBuffer((traders.length + 1) * 8 + traders.length)) {
    this.symbol = symbol;
    this.interval = interval;
    this.traders = traders;
    this.memory = memory;
    this.counts = new Float64Array(memory, 0, traders.length + 1);
    this.held = new Uint8Array(memory, (traders.length + 1) * 8, traders.length);
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

  /** Whether a settled trader holds on the last candle. */
  holds(index: number): boolean {
    return this.held[index] === 1 && this.ready(index);
  }
}
