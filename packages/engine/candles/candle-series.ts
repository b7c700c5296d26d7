import type { Candle } from '@trademind/core';
import { COLUMNS } from '../graph/dag.ts';

/** The columns an expression can read lie at their slot's number; the open time comes last. */
const OPEN_TIME = COLUMNS.length;
const WIDTH = COLUMNS.length + 1;

/** The last `capacity` candles of one symbol and interval, in one flat array, column after column, each a ring. Order is the store's business. */
export class CandleSeries {
  readonly capacity: number;
  readonly #data: Float64Array;
  /** Where the next candle goes. */
  #head = 0;
  #size = 0;

  constructor(capacity: number) {
    this.capacity = capacity;
    this.#data = new Float64Array(capacity * WIDTH);
  }

  get size(): number {
    return this.#size;
  }

  /** Takes a candle in; the oldest falls out when the ring is full. */
  push(candle: Candle): void {
    const data = this.#data;
    const n = this.capacity;
    let at = this.#head;
    data[at] = candle.open;
    data[(at += n)] = candle.high;
    data[(at += n)] = candle.low;
    data[(at += n)] = candle.close;
    data[(at += n)] = candle.volume;
    data[(at += n)] = candle.quoteVolume;
    data[(at += n)] = candle.trades;
    data[(at += n)] = candle.takerBuy;
    data[at + n] = candle.openTime;
    this.#head = this.#head + 1 === n ? 0 : this.#head + 1;
    if (this.#size < n) this.#size++;
  }

  /** Open time of the index-th oldest candle; undefined outside. */
  openTime(index: number): number | undefined {
    return index < 0 || index >= this.#size ? undefined : this.#data[OPEN_TIME * this.capacity + this.#cell(index)];
  }

  /** The index-th oldest candle. */
  at(index: number): Candle | undefined {
    if (index < 0 || index >= this.#size) return undefined;
    const cell = this.#cell(index);
    const of = (column: number): number => this.#data[column * this.capacity + cell]!;
    return {
      openTime: of(OPEN_TIME), open: of(0), high: of(1), low: of(2), close: of(3),
      volume: of(4), quoteVolume: of(5), trades: of(6), takerBuy: of(7),
    };
  }

  /** Writes the columns of `count` candles from the index-th oldest on into a block of values (slot k at k × stride). */
  fill(v: Float64Array, stride: number, index: number, count: number): void {
    for (let column = 0; column < COLUMNS.length; column++) {
      const base = column * this.capacity;
      for (let i = 0; i < count; i++) v[column * stride + i] = this.#data[base + this.#cell(index + i)]!;
    }
  }

  #cell(index: number): number {
    const cell = this.#head - this.#size + index;
    return cell < 0 ? cell + this.capacity : cell;
  }
}
