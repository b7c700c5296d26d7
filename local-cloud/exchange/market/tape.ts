import type { Candle } from './candle.ts';
import { worthInUnits, type Lots } from './lots.ts';

/** Trades of one minute, oldest first: ms since its start, price in ticks, quantity in steps, 1 where the buyer was the maker (a sale was the taker). */
export interface TradeColumns { at: Uint16Array; price: Float64Array; quantity: Float64Array; buyerMaker: Uint8Array }

/** One trade, in 1e-8 units. */
export interface Trade { time: number; price: number; quantity: bigint; buyerMaker: boolean }

/**
 * The trades of one minute, with running totals: what the minute's candle was at any moment costs the same, and is exactly what its
 * trades add up to.
 */
export class Tape {
  readonly openTime: number;
  readonly columns: TradeColumns;
  readonly #lots: Lots;
  /** The lowest price of all; what volumes are worth is added up above it, so that doubles hold it exactly. */
  readonly #base: number;
  readonly #high: Float64Array;
  readonly #low: Float64Array;
  /** Totals before trade i, in steps, and in ticks × steps above the base. */
  readonly #quantity: Float64Array;
  readonly #taker: Float64Array;
  readonly #worth: Float64Array;
  readonly #takerWorth: Float64Array;

  constructor(openTime: number, lots: Lots, columns: TradeColumns) {
    this.openTime = openTime;
    this.columns = columns;
    this.#lots = lots;
    const { price, quantity, buyerMaker } = columns;
    const count = price.length;
    const room = new Float64Array(count * 2 + (count + 1) * 4);
    const totals = (place: number) => room.subarray(count * 2 + place * (count + 1), count * 2 + (place + 1) * (count + 1));
    [this.#high, this.#low] = [room.subarray(0, count), room.subarray(count, 2 * count)];
    [this.#quantity, this.#taker, this.#worth, this.#takerWorth] = [totals(0), totals(1), totals(2), totals(3)];
    let base = Infinity;
    for (let i = 0; i < count; i++) if ((price[i] as number) < base) base = price[i] as number;
    this.#base = base;
    let [high, low, steps, taken, worth, takenWorth] = [-Infinity, Infinity, 0, 0, 0, 0];
    for (let i = 0; i < count; i++) {
      const [p, q] = [price[i] as number, quantity[i] as number];
      this.#high[i] = high = p > high ? p : high;
      this.#low[i] = low = p < low ? p : low;
      this.#quantity[i + 1] = steps += q;
      this.#worth[i + 1] = worth += (p - base) * q;
      if (buyerMaker[i] === 0) {
        taken += q;
        takenWorth += (p - base) * q;
      }
      this.#taker[i + 1] = taken;
      this.#takerWorth[i + 1] = takenWorth;
    }
  }

  get count(): number {
    return this.columns.price.length;
  }

  /** How many trades have happened when `elapsed` ms of the minute have passed (those of that very ms included). */
  countAt(elapsed: number): number {
    const { at } = this.columns;
    let [low, high] = [0, at.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((at[middle] as number) <= elapsed) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  trade(i: number): Trade {
    const { at, price, quantity, buyerMaker } = this.columns;
    return {
      time: this.openTime + (at[i] as number), price: (price[i] as number) * this.#lots.tick,
      quantity: BigInt(quantity[i] as number) * BigInt(this.#lots.step), buyerMaker: buyerMaker[i] === 1,
    };
  }

  /** Trades [from, to) as a candle of this minute; undefined when there are none. */
  fold(from: number, to: number): Candle | undefined {
    if (to <= from) return undefined;
    const { price } = this.columns;
    const { tick, step } = this.#lots;
    let [high, low] = [this.#high[to - 1] as number, this.#low[to - 1] as number];
    if (from > 0) {
      high = low = price[from] as number;
      for (let i = from + 1; i < to; i++) {
        const p = price[i] as number;
        if (p > high) high = p;
        else if (p < low) low = p;
      }
    }
    const steps = (totals: Float64Array) => BigInt((totals[to] as number) - (totals[from] as number));
    const size = (totals: Float64Array) => steps(totals) * BigInt(step);
    const worth = (totals: Float64Array, above: Float64Array) => worthInUnits(BigInt(this.#base) * steps(totals) + steps(above), this.#lots);
    return {
      openTime: this.openTime, open: (price[from] as number) * tick, high: high * tick, low: low * tick, close: (price[to - 1] as number) * tick,
      volume: size(this.#quantity), quoteVolume: worth(this.#quantity, this.#worth), trades: to - from,
      takerBase: size(this.#taker), takerQuote: worth(this.#taker, this.#takerWorth),
    };
  }
}
