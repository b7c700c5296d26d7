import { intervalMs, type Candle, type Interval } from '@trademind/core';
import { cell, column, EPS, highest, known, lowest, offset, each, subtract, multiply, divide, constant, sma, unready, UNKNOWN, window, type Cell, type Naive } from './naive.ts';

const SUMS = ['volume', 'quoteVolume', 'trades', 'takerBuy'] as const;

/** The sum of numbers, rounded once: partial sums that do not overlap (J. Shewchuk, 1997). */
function exactSum(numbers: readonly number[]): number {
  let partials: number[] = [];
  for (let x of numbers) {
    const next: number[] = [];
    for (let y of partials) {
      if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
      const high = x + y;
      const low = y - (high - x);
      if (low !== 0) next.push(low);
      x = high;
    }
    partials = [...next, x];
  }
  return partials.reduceRight((sum, part) => sum + part, 0);
}

/** Candles of a longer interval that divides the day: those of which every part is there, with the index of the last. Candles follow each other without a gap. */
function longer(candles: readonly Candle[], base: Interval, interval: Interval): { candle: Candle; at: number }[] {
  const buckets = Map.groupBy(candles.keys(), (index) => Math.floor(candles[index]!.openTime / intervalMs(interval)));
  return [...buckets.values()].filter((indices) => indices.length === intervalMs(interval) / intervalMs(base)).map((indices) => {
    const parts = indices.map((index) => candles[index]!);
    const sums = Object.fromEntries(SUMS.map((name) => [name, exactSum(parts.map((part) => part[name]))])) as Pick<Candle, (typeof SUMS)[number]>;
    const candle = { openTime: parts[0]!.openTime, open: parts[0]!.open, high: Math.max(...parts.map(({ high }) => high)), low: Math.min(...parts.map(({ low }) => low)), close: parts.at(-1)!.close, ...sums };
    return { candle, at: indices.at(-1)! };
  });
}

/** `on(interval, x)`: x over the longer candles, as of the last that has closed. */
export const on = (x: Naive, base: Interval, interval: Interval): Naive => (candles) => {
  const whole = longer(candles, base, interval);
  const values = x(whole.map(({ candle }) => candle));
  return candles.map((_, t) => values[whole.findLastIndex(({ at }) => at <= t)] ?? unready);
};

/** `quoteVolume24h`. */
export const dayVolume = (base: Interval): Naive => {
  const n = 86_400_000 / intervalMs(base);
  return window(column(({ quoteVolume }) => quoteVolume), n, (cells) => cell(exactSum(cells.map(({ v }) => v)), n * EPS * cells.reduce((sum, { v }) => sum + Math.abs(v), 0)));
};

/** `stochastic(n, kSmooth, d)`. */
export const stochastic = (n: number, kSmooth: number, d: number, field: 'k' | 'd'): Naive => {
  const bottom = lowest(column(({ low }) => low), n);
  const place = each(divide, each(subtract, column(({ close }) => close), bottom), each(subtract, highest(column(({ high }) => high), n), bottom));
  const k = sma(each(multiply, constant(100), place), kSmooth);
  return field === 'k' ? k : sma(k, d);
};

/** `momentum(x, n)`. */
export const momentum = (x: Naive, n: number): Naive => each(subtract, x, offset(x, n));
/** `roc(x, n)`. */
export const roc = (x: Naive, n: number): Naive => each(multiply, constant(100), each(divide, momentum(x, n), offset(x, n)));

/** `rank` and `percentile` of the first of some cells among all of them. */
export function placeAmong(cells: readonly Cell[]): { rank: Cell; percentile: Cell } {
  const [own] = cells as [Cell];
  if (cells.some((one) => !known(one) || (one !== own && Number.isFinite(one.v) && Math.abs(one.v - own.v) <= 2 * (one.e + own.e) && one.e + own.e > 0))) return { rank: UNKNOWN, percentile: UNKNOWN };
  if (Number.isNaN(own.v)) return { rank: unready, percentile: unready };
  const ready = cells.filter(({ v }) => !Number.isNaN(v));
  return { rank: cell(1 + ready.filter(({ v }) => v > own.v).length, 0), percentile: cell((100 * ready.filter(({ v }) => v <= own.v).length) / ready.length, 1e-12) };
}
