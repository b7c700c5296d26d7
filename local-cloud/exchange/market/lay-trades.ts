import { MINUTE } from './intervals.ts';
import { generator, mix, type Draws } from './random.ts';
import type { CandleInLots } from './lots.ts';
import type { TradeColumns } from './tape.ts';

/** A minute of fewer trades, or with less volume, has no room for a path of its own: see lay-few.ts. */
export const FEWEST_TRADES = 8;
export const LEAST_STEPS = 64;

/** Open, the two extremes, the close: trades that a candle cannot be without. Each takes one step, on the larger side. */
const CORNERS = 4;
/** How much of a side's volume its free trades may take before the sums are made exact; less where more does not come out. */
const SHARES = [0.85, 0.5, 0.2] as const;

/** The buyers' or the sellers' part of a minute. `corners` is the worth of the corner trades, one step each. */
interface Side { volume: number; worth: number; trades: number; corners: number; cornersWorth: number }

/** The two sides of a candle and how many trades each has: the larger volume carries the corners. */
function sidesOf(candle: CandleInLots, trades: number): { larger: Side; smaller: Side; buyersAreLarger: boolean } {
  const { volume, worth, takerVolume, takerWorth } = candle;
  const buyersAreLarger = takerVolume * 2 >= volume;
  const buys = { volume: takerVolume, worth: takerWorth };
  const sales = { volume: volume - takerVolume, worth: worth - takerWorth };
  const [large, small] = buyersAreLarger ? [buys, sales] : [sales, buys];
  const fair = Math.round((trades * small.volume) / volume);
  const few = Math.max(Math.min(2, small.volume), Math.min(fair, small.volume, trades - CORNERS - 2));
  const cornersWorth = candle.open + candle.high + candle.close - 3 * candle.low;
  return {
    buyersAreLarger,
    larger: { ...large, trades: trades - few, corners: CORNERS, cornersWorth },
    smaller: { ...small, trades: few, corners: 0, cornersWorth: 0 },
  };
}

/** Whether a minute of so many trades can add up to this candle exactly. What a simulated market makes always can. */
export function canBeLaid(candle: CandleInLots, trades: number): boolean {
  if (trades < FEWEST_TRADES || candle.volume < LEAST_STEPS || candle.volume < trades || candle.takerVolume > candle.volume) return false;
  const { larger, smaller } = sidesOf(candle, trades);
  return [larger, smaller].every((side) => {
    const [left, worth] = [side.volume - side.corners, side.worth - side.cornersWorth];
    return left >= side.trades - side.corners && worth >= 0 && worth <= (candle.high - candle.low) * left;
  });
}

/**
 * The trades of a minute: from the open over one extreme and the other to the close, in as many trades as the candle counts, whose
 * volumes and worth add up to the candle's, buyers and sellers apart, to the digit. The candle must pass `canBeLaid`.
 */
export function layTrades(candle: CandleInLots, trades: number, key: number): TradeColumns {
  const random = generator(mix(key));
  const columns: TradeColumns = {
    at: new Uint16Array(trades), price: new Float64Array(trades), quantity: new Float64Array(trades).fill(1), buyerMaker: new Uint8Array(trades),
  };
  for (let i = 0; i < trades; i++) columns.at[i] = Math.floor(((i + random.uniform()) / trades) * MINUTE);
  const corners = layPath(candle, columns.price, random.uniform);

  const { larger, smaller, buyersAreLarger } = sidesOf(candle, trades);
  const [large, small]: [number[], number[]] = [[], []];
  let [corner, needed] = [0, smaller.trades];
  for (let i = 0; i < trades; i++) {
    let isSmaller = false;
    if (i === corners[corner]) corner += 1;
    else {
      const left = trades - i - (CORNERS - corner);
      const rises = i > 0 && (columns.price[i] as number) > (columns.price[i - 1] as number);
      const leaning = rises === buyersAreLarger ? 0.8 : 1.25;
      isSmaller = needed > 0 && (needed >= left || random.uniform() * left < needed * leaning);
      if (isSmaller) needed -= 1;
      (isSmaller ? small : large).push(i);
    }
    columns.buyerMaker[i] = isSmaller === buyersAreLarger ? 1 : 0;
  }
  weigh(larger, large, candle, columns, random);
  weigh(smaller, small, candle, columns, random);
  return columns;
}

/** Writes the prices; returns the places of the corners. Between two corners the price wanders as a bridge of random steps. */
function layPath({ open, high, low, close }: CandleInLots, price: Float64Array, uniform: () => number): number[] {
  const last = price.length - 1;
  // A rising candle tends to visit its low first, a falling one its high; never always.
  const lowFirst = uniform() < (close >= open ? 0.75 : 0.25);
  const first = 1 + Math.floor(uniform() * 0.45 * (last - 2));
  const second = first + 1 + Math.floor((0.2 + 0.8 * uniform()) * (last - first - 2));
  const corners = [0, first, second, last];
  const at = [open, lowFirst ? low : high, lowFirst ? high : low, close];
  for (let leg = 0; leg < 3; leg++) {
    const [from, to] = [corners[leg] as number, corners[leg + 1] as number];
    const [start, end] = [at[leg] as number, at[leg + 1] as number];
    const length = to - from;
    const scale = (0.5 * (high - low)) / Math.sqrt(length);
    // The steps are first kept where the prices will be.
    let sum = 0;
    for (let i = 1; i <= length; i++) sum += price[from + i] = uniform() - 0.5;
    const drift = sum / length;
    let walk = 0;
    price[from] = start;
    for (let i = 1; i < length; i++) {
      walk += (price[from + i] as number) - drift;
      const at = Math.round(start + ((end - start) * i) / length + scale * walk);
      price[from + i] = at > high ? high : at < low ? low : at;
    }
  }
  price[last] = close;
  return corners;
}

/**
 * Gives the free trades of a side their quantities, so that side's volume and worth come out exactly: most by chance, leaned towards the
 * worth that is wanted, and what is missing by the two trades that are nearest to it, on two neighbouring prices.
 */
function weigh(side: Side, free: readonly number[], { high, low }: CandleInLots, columns: TradeColumns, { lognormal }: Draws): void {
  if (free.length === 0) return;
  const range = high - low;
  const volume = side.volume - side.corners;
  const worth = side.worth - side.cornersWorth;
  const wanted = worth / volume;
  const height = (i: number) => (columns.price[i] as number) - low;
  const [a, b] = nearest(free, (i) => Math.abs(height(i) - wanted));
  const others = free.filter((i) => i !== a && i !== b);

  let [volumeLeft, worthLeft] = [0, -1];
  const fits = () => volumeLeft >= (b === undefined ? 1 : 2) && worthLeft >= 0 && worthLeft <= range * volumeLeft;
  const lean = leaning(others.map(height), others.map(lognormal), wanted);
  for (const share of SHARES) {
    [volumeLeft, worthLeft] = [volume, worth];
    for (let n = 0; n < others.length; n++) {
      const i = others[n] as number;
      const quantity = 1 + Math.floor((volume - free.length) * share * (lean[n] as number));
      columns.quantity[i] = quantity;
      volumeLeft -= quantity;
      worthLeft -= quantity * height(i);
    }
    if (fits()) break;
  }
  if (!fits()) {
    // No room for chance: all free trades stand at the two prices around the mean.
    [volumeLeft, worthLeft] = [volume - others.length, worth];
    const base = Math.floor(wanted);
    const above = Math.floor((others.length * (worth - base * volume)) / volume);
    for (const [n, i] of others.entries()) {
      columns.price[i] = low + base + (n < above ? 1 : 0);
      columns.quantity[i] = 1;
      worthLeft -= height(i);
    }
  }
  settle(a, b, volumeLeft, worthLeft, low, columns);
}

/** Two trades that together have exactly this volume and worth above `low`; one trade where the volume is one step. */
function settle(a: number, b: number | undefined, volume: number, worth: number, low: number, { price, quantity }: TradeColumns): void {
  const base = Math.floor(worth / volume);
  const upper = worth - base * volume;
  price[a] = low + base;
  quantity[a] = b === undefined ? volume : upper === 0 ? volume - 1 : volume - upper;
  if (b === undefined) return;
  price[b] = low + base + (upper === 0 ? 0 : 1);
  quantity[b] = upper === 0 ? 1 : upper;
}

/** The trades of the least distance; the second is undefined when there is only one. */
function nearest(trades: readonly number[], distance: (trade: number) => number): [number, number | undefined] {
  let [first, second, firstAt, secondAt] = [trades[0] as number, undefined as number | undefined, Infinity, Infinity];
  for (const trade of trades) {
    const at = distance(trade);
    if (at < firstAt) [second, secondAt, first, firstAt] = [firstAt === Infinity ? undefined : first, firstAt, trade, at];
    else if (at < secondAt) [second, secondAt] = [trade, at];
  }
  return [first, second];
}

/** Shares of 1 by weight, leaned by height so that their mean height comes near to what is wanted. Changes `weights`. */
function leaning(heights: readonly number[], weights: number[], wanted: number): number[] {
  let [total, sum, squares] = [0, 0, 0];
  for (let i = 0; i < weights.length; i++) {
    const [weight, height] = [weights[i] as number, heights[i] as number];
    total += weight;
    sum += weight * height;
    squares += weight * height * height;
  }
  const mean = sum / total;
  const variance = squares / total - mean * mean;
  const slope = variance > 0.01 ? (wanted - mean) / variance : 0;
  let all = 0;
  for (let i = 0; i < weights.length; i++) {
    const lean = 1 + slope * ((heights[i] as number) - mean);
    weights[i] = (weights[i] as number) * (lean < 0.1 ? 0.1 : lean > 1.9 ? 1.9 : lean);
    all += weights[i] as number;
  }
  for (let i = 0; i < weights.length; i++) weights[i] = (weights[i] as number) / all;
  return weights;
}
