import type { Candle } from '@trademind/core';
import { COLUMNS } from '../graph/dag.ts';

/** In a candle's row each column lies at its slot's number. */
const OPEN_TIME = COLUMNS.indexOf('openTime');
const WIDTH = COLUMNS.length;
/** Doubles before the rows: the count of candles ever taken in. */
const HEAD = 1;
/** Rows beyond the capacity, so that a thread which reads the oldest candles has time before they are written over. */
const GUARD = 16;

/**
 * The last `capacity` candles of one symbol and interval, row by row in one flat ring of shared memory: one thread writes, any may read. The candle of ordinal n
 * lies in row n modulo the rows there are. Order is the store's business.
 */
export class CandleSeries {
  readonly capacity: number;
  readonly #data: Float64Array;
  readonly #rows: number;

  /** @param memory of another thread's series of the same capacity, to read what it writes. */
  constructor(capacity: number, memory = new SharedArrayBuffer((HEAD + (capacity + GUARD) * WIDTH) * 8)) {
    this.capacity = capacity;
    this.#data = new Float64Array(memory);
    this.#rows = capacity + GUARD;
  }

  get memory(): SharedArrayBuffer {
    return this.#data.buffer as SharedArrayBuffer;
  }

  get size(): number {
    return Math.min(this.total, this.capacity);
  }

  /** Candles ever taken in: the ordinal of the next one. */
  get total(): number {
    return this.#data[0]! | 0;
  }

  /** Ordinal of the oldest candle held. */
  get oldest(): number {
    return Math.max(0, this.total - this.capacity);
  }

  /** A copy of the candles held and of their count, for `restored`. */
  save(): Float64Array {
    return this.#data.slice(0, HEAD + Math.min(this.total, this.#rows) * WIDTH);
  }

  /** A series that goes on where a saved one of the same capacity stood, ordinals included. */
  static restored(capacity: number, saved: Float64Array): CandleSeries {
    const series = new CandleSeries(capacity);
    series.#data.set(saved);
    return series;
  }

  /** Takes a candle in; the oldest falls out when the ring is full. */
  push(candle: Candle): void {
    const data = this.#data;
    const total = data[0]! | 0;
    const at = this.#row(total);
    data[at] = candle.open;
    data[at + 1] = candle.high;
    data[at + 2] = candle.low;
    data[at + 3] = candle.close;
    data[at + 4] = candle.volume;
    data[at + 5] = candle.quoteVolume;
    data[at + 6] = candle.trades;
    data[at + 7] = candle.takerBuy;
    data[at + OPEN_TIME] = candle.openTime;
    data[0] = total + 1;
  }

  /** Open time of the index-th oldest candle; undefined outside. */
  openTime(index: number): number | undefined {
    return index < 0 || index >= this.size ? undefined : this.#data[this.#row(this.oldest + index) + OPEN_TIME];
  }

  /** Open time of the candle of an ordinal that is held. */
  openTimeOf(ordinal: number): number {
    return this.#data[this.#row(ordinal) + OPEN_TIME]!;
  }

  /** The index-th oldest candle. */
  at(index: number): Candle | undefined {
    if (index < 0 || index >= this.size) return undefined;
    const row = this.#row(this.oldest + index);
    const of = (column: number): number => this.#data[row + column]!;
    return {
      openTime: of(OPEN_TIME), open: of(0), high: of(1), low: of(2), close: of(3),
      volume: of(4), quoteVolume: of(5), trades: of(6), takerBuy: of(7),
    };
  }

  /** Index of the oldest candle whose open time passes a test that all later ones pass too; the size if none does. */
  find(test: (openTime: number) => boolean): number {
    let from = 0;
    let to = this.size;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (test(this.openTime(middle)!)) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  /** Writes the columns of `count` candles from an ordinal on into values of the given width (column k at k × width). */
  fill(v: Float64Array, width: number, ordinal: number, count: number): void {
    const data = this.#data;
    const end = HEAD + this.#rows * WIDTH;
    let row = this.#row(ordinal);
    for (let i = 0; i < count; i++) {
      // Written out: a loop over the columns takes twice as long.
      v[i] = data[row]!;
      v[width + i] = data[row + 1]!;
      v[2 * width + i] = data[row + 2]!;
      v[3 * width + i] = data[row + 3]!;
      v[4 * width + i] = data[row + 4]!;
      v[5 * width + i] = data[row + 5]!;
      v[6 * width + i] = data[row + 6]!;
      v[7 * width + i] = data[row + 7]!;
      v[OPEN_TIME * width + i] = data[row + OPEN_TIME]!;
      row += WIDTH;
      if (row === end) row = HEAD;
    }
  }

  /** Writes the columns of the candle of an ordinal, column k at k: what `fill` does with one candle and a width of 1, at a third of the cost. */
  fillOne(v: Float64Array, ordinal: number): void {
    const data = this.#data;
    const row = this.#row(ordinal);
    v[0] = data[row]!;
    v[1] = data[row + 1]!;
    v[2] = data[row + 2]!;
    v[3] = data[row + 3]!;
    v[4] = data[row + 4]!;
    v[5] = data[row + 5]!;
    v[6] = data[row + 6]!;
    v[7] = data[row + 7]!;
    v[OPEN_TIME] = data[row + OPEN_TIME]!;
  }

  #row(ordinal: number): number {
    // In whole numbers: the remainder of doubles is many times slower.
    return HEAD + ((ordinal | 0) % this.#rows) * WIDTH;
  }
}
