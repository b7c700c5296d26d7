import { intervalClose, intervalOpen, type Candle, type Interval } from '@trademind/core';
import { addExact } from '../graph/double-double.ts';

/** Sums of a candle that add up: each in two doubles, rounded once. */
const SUMS = ['volume', 'quoteVolume', 'trades', 'takerBuy'] as const;

/** A candle that cannot be known: some of what makes it up is missing. It keeps its place, so that counting candles goes on. */
export const unknownCandle = (openTime: number): Candle => ({
  openTime, open: Number.NaN, high: Number.NaN, low: Number.NaN, close: Number.NaN, volume: Number.NaN, quoteVolume: Number.NaN, trades: Number.NaN, takerBuy: Number.NaN,
});

/**
 * Makes candles of a longer interval out of closed ones of a shorter, which come in order. The first bucket is left out unless it is whole; one with a missing candle is
 * unknown: all its numbers are NaN. Sums are exact and rounded once, so that they equal the exchange's own within a last digit.
 */
export class CandleFold {
  readonly interval: Interval;
  readonly #base: Interval;
  /** Open time of the bucket under way or, between two, of the next one; undefined before the first candle. */
  #open: number | undefined;
  /** Open time of the next base candle. */
  #next = 0;
  #whole = false;
  /** The bucket under way is the first, so that what is missing of it came before our time. */
  #first = true;
  #candle: Candle = unknownCandle(0);
  readonly #sums = new Float64Array(SUMS.length * 2);

  constructor(base: Interval, interval: Interval) {
    this.#base = base;
    this.interval = interval;
  }

  /** Takes a closed candle in; the longer candles that are over with it, oldest first: one at most, unless some are unknown. */
  push(candle: Candle): Candle[] {
    const done: Candle[] = [];
    const open = intervalOpen(this.interval, candle.openTime);
    if (this.#open === undefined) this.#open = open;
    for (; this.#open < open; this.#open = intervalClose(this.interval, this.#open)) {
      // Its last candles never came, or none at all.
      if (!this.#first) done.push(unknownCandle(this.#open));
      this.#first = false;
    }
    if (candle.openTime === open) this.#start(candle);
    else if (candle.openTime === this.#next && this.#whole) this.#add(candle);
    else this.#whole = false;
    this.#next = intervalClose(this.#base, candle.openTime);
    if (this.#next !== intervalClose(this.interval, open)) return done;
    if (this.#whole || !this.#first) done.push(this.#whole ? this.#finished() : unknownCandle(open));
    this.#first = false;
    this.#whole = false;
    this.#open = this.#next;
    return done;
  }

  /** What must be kept to go on after a restart. */
  save(): Float64Array {
    const { openTime, open, high, low, close } = this.#candle;
    return Float64Array.from([this.#open ?? Number.NaN, this.#next, Number(this.#whole), Number(this.#first), openTime, open, high, low, close, ...this.#sums]);
  }

  /** A fold that goes on where one of the same intervals was saved. */
  static restored(base: Interval, interval: Interval, saved: Float64Array): CandleFold {
    const fold = new CandleFold(base, interval);
    const of = (index: number): number => saved[index]!;
    fold.#open = Number.isNaN(of(0)) ? undefined : of(0);
    fold.#next = of(1);
    fold.#whole = of(2) === 1;
    fold.#first = of(3) === 1;
    fold.#candle = { ...unknownCandle(of(4)), open: of(5), high: of(6), low: of(7), close: of(8) };
    fold.#sums.set(saved.subarray(9));
    return fold;
  }

  #start(candle: Candle): void {
    this.#whole = true;
    this.#candle = { ...candle };
    for (const [index, name] of SUMS.entries()) {
      this.#sums[index * 2] = candle[name];
      this.#sums[index * 2 + 1] = 0;
    }
  }

  #add(candle: Candle): void {
    const all = this.#candle;
    // An unknown candle of the shorter interval makes an unknown one of the longer.
    all.high = candle.high > all.high || candle.high !== candle.high ? candle.high : all.high;
    all.low = candle.low < all.low || candle.low !== candle.low ? candle.low : all.low;
    all.close = candle.close;
    for (const [index, name] of SUMS.entries()) addExact(this.#sums, index * 2, index * 2, candle[name], 0);
  }

  #finished(): Candle {
    for (const [index, name] of SUMS.entries()) this.#candle[name] = this.#sums[index * 2]! + this.#sums[index * 2 + 1]!;
    return this.#candle;
  }
}
