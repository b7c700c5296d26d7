import type { Candle } from '@trademind/core';
import { COLUMNS } from '../graph/dag.ts';

/** In a candle's row each column lies at its slot's number. */
const OPEN_TIME = COLUMNS.indexOf('openTime');
const WIDTH = COLUMNS.length;

/** The last `capacity` candles of one symbol and interval, row by row in one flat ring. Order is the store's business. */
export class CandleSeries {
  readonly capacity: number;
  readonly #rows: Float64Array;
  /** Where the next candle goes. */
  #head = 0;
  #size = 0;
  #total = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#rows = new Float64Array(capacity * WIDTH);
  }

  get size(): number {
    return this.#size;
  }

  /** Candles ever taken in: the ordinal of the next one. */
  get total(): number {
    return this.#total;
  }

  /** Takes a candle in; the oldest falls out when the ring is full. */
  push(candle: Candle): void {
    const rows = this.#rows;
    const at = this.#head * WIDTH;
    rows[at] = candle.open;
    rows[at + 1] = candle.high;
    rows[at + 2] = candle.low;
    rows[at + 3] = candle.close;
    rows[at + 4] = candle.volume;
    rows[at + 5] = candle.quoteVolume;
    rows[at + 6] = candle.trades;
    rows[at + 7] = candle.takerBuy;
    rows[at + OPEN_TIME] = candle.openTime;
    this.#head = this.#head + 1 === this.capacity ? 0 : this.#head + 1;
    if (this.#size < this.capacity) this.#size++;
    this.#total++;
  }

  /** Open time of the index-th oldest candle; undefined outside. */
  openTime(index: number): number | undefined {
    return index < 0 || index >= this.#size ? undefined : this.#rows[this.#row(index) + OPEN_TIME];
  }

  /** The index-th oldest candle. */
  at(index: number): Candle | undefined {
    if (index < 0 || index >= this.#size) return undefined;
    const row = this.#row(index);
    const of = (column: number): number => this.#rows[row + column]!;
    return {
      openTime: of(OPEN_TIME), open: of(0), high: of(1), low: of(2), close: of(3),
      volume: of(4), quoteVolume: of(5), trades: of(6), takerBuy: of(7),
    };
  }

  /** Index of the oldest candle whose open time passes a test that all later ones pass too; the size if none does. */
  find(test: (openTime: number) => boolean): number {
    let from = 0;
    let to = this.#size;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (test(this.openTime(middle)!)) to = middle;
      else from = middle + 1;
    }
    return from;
  }

  /** Writes the columns of `count` candles from the index-th oldest on into values of the given width (column k at k × width). */
  fill(v: Float64Array, width: number, index: number, count: number): void {
    const rows = this.#rows;
    for (let i = 0; i < count; i++) {
      const row = this.#row(index + i);
      for (let column = 0; column < COLUMNS.length; column++) v[column * width + i] = rows[row + column]!;
    }
  }

  #row(index: number): number {
    const cell = this.#head - this.#size + index;
    return (cell < 0 ? cell + this.capacity : cell) * WIDTH;
  }
}
