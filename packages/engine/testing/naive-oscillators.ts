import type { Candle } from '@trademind/core';
import {
  add, cell, constant, divide, each, ema, EPS, highest, known, largest, lowest, meanOf, multiply, offset, rsi, scan, sma, subtract, UNKNOWN, unready, window, worst, absolute, column,
  type Cell, type Naive,
} from './naive.ts';

/** Averages and oscillators read from their definitions, with plain loops over the candles so far. */

/** Computes a reading once for the same candles, however often it is used. */
const once = (x: Naive): Naive => {
  const seen = new WeakMap<readonly Candle[], Cell[]>();
  return (candles) => {
    let cells = seen.get(candles);
    if (cells === undefined) seen.set(candles, (cells = x(candles)));
    return cells;
  };
};
/** Equal values without error: averages of them are exact. */
const flat = (cells: readonly Cell[]): boolean => worst(cells) === 0 && cells.every((c) => c.v === cells[0]!.v);
const times = (factor: number, x: Naive): Naive => each(multiply, constant(factor), x);
const minus = (a: Naive, b: Naive): Naive => each(subtract, a, b);

export const wma = (x: Naive, n: number): Naive => window(x, n, (cells) => {
  if (flat(cells)) return cells.at(-1)!;
  let sum = 0;
  let weights = 0;
  for (const [index, { v }] of cells.entries()) {
    sum += v * (index + 1);
    weights += index + 1;
  }
  return cell(sum / weights, worst(cells) + 2 * n * EPS * largest(cells));
});

export const vwma = (x: Naive, n: number): Naive => (candles) => {
  const values = x(candles);
  return values.map((_, t) => {
    const cells = values.slice(t - n + 1, t + 1);
    if (t < n - 1 || cells.length < n) return unready;
    if (cells.some((c) => !known(c))) return UNKNOWN;
    let sum = 0;
    let volume = 0;
    for (const [index, { v }] of cells.entries()) {
      sum += v * candles[t - n + 1 + index]!.volume;
      volume += candles[t - n + 1 + index]!.volume;
    }
    if (!Number.isFinite(sum) || volume === 0) return unready;
    return flat(cells) ? cells.at(-1)! : cell(sum / volume, worst(cells) + 3 * n * EPS * largest(cells));
  });
};

export const hma = (x: Naive, n: number): Naive => wma(minus(times(2, wma(x, Math.floor(n / 2))), wma(x, n)), Math.floor(Math.sqrt(n)));

export const dema = (x: Naive, n: number): Naive => {
  const single = once(ema(x, n));
  return minus(times(2, single), ema(single, n));
};
export const tema = (x: Naive, n: number): Naive => {
  const single = once(ema(x, n));
  const double = once(ema(single, n));
  return each(add, times(3, minus(single, double)), ema(double, n));
};
export const percentChange = (x: Naive, n: number): Naive => {
  const before = once(offset(x, n));
  return times(100, each(divide, minus(x, before), before));
};
export const trix = (x: Naive, n: number): Naive => percentChange(once(ema(ema(ema(x, n), n), n)), 1);

export const zScore = (x: Naive, n: number): Naive => window(x, n, (cells) => {
  if (flat(cells)) return unready;
  const mean = meanOf(cells);
  const deviation = Math.sqrt(cells.reduce((sum, c) => sum + (c.v - mean) ** 2, 0) / n);
  const noise = 2 * worst(cells) + 1e-14 * n * largest(cells);
  return deviation <= 100 * noise ? UNKNOWN : cell((cells.at(-1)!.v - mean) / deviation, (10 * n * noise) / deviation);
});

export const kama = (x: Naive, n: number, fast: number, slow: number): Naive => scan(x, (history) => {
  if (history.some((c) => !known(c))) return UNKNOWN;
  let average: Cell | undefined;
  let answer = unready;
  for (let t = n; t < history.length; t++) {
    const cells = history.slice(t - n, t + 1);
    answer = unready;
    if (!cells.every((c) => Number.isFinite(c.v))) continue;
    average ??= history[t - 1]!;
    let path = 0;
    for (let k = 1; k <= n; k++) path += Math.abs(cells[k]!.v - cells[k - 1]!.v);
    const noise = 2 * n * (worst(cells) + EPS * largest(cells));
    if (path <= 100 * noise && !flat(cells)) return UNKNOWN;
    const efficiency = path === 0 ? 1 : Math.abs(cells[n]!.v - cells[0]!.v) / path;
    const weight = (efficiency * (2 / (fast + 1) - 2 / (slow + 1)) + 2 / (slow + 1)) ** 2;
    const distance = cells[n]!.v - average.v;
    const doubt = path === 0 ? 0 : (4 * noise) / path;
    average = cell(average.v + distance * weight, average.e + cells[n]!.e + Math.abs(distance) * doubt + 4 * EPS * (Math.abs(average.v) + Math.abs(distance)));
    answer = average;
  }
  return answer;
});

const place = (x: Naive, n: number): Naive => {
  const bottom = once(lowest(x, n));
  return times(100, each(divide, minus(x, bottom), minus(highest(x, n), bottom)));
};
export const stochRsi = (x: Naive, rsiN: number, n: number, kSmooth: number): Naive => sma(place(once(rsi(x, rsiN)), n), kSmooth);

export const tsi = (x: Naive, long: number, short: number, signal: number): Naive => {
  const step = once(minus(x, offset(x, 1)));
  const moved = ema(ema(step, long), short);
  const size = ema(ema(each(absolute, step), long), short);
  return ema(times(100, each(divide, moved, size)), signal);
};

const high = column((candle) => candle.high);
const low = column((candle) => candle.low);
const close = column((candle) => candle.close);

export const williamsR = (n: number): Naive => {
  const top = highest(high, n);
  return times(100, each(divide, minus(close, top), minus(top, lowest(low, n))));
};
export const awesome = (fast: number, slow: number): Naive => {
  const middle = column((candle) => (candle.high + candle.low) / 2);
  return minus(sma(middle, fast), sma(middle, slow));
};
/** Candles that are alike give no value. Of others the means of three prices may be equal but for the last bit, which the order of adding decides: then it cannot be told. */
export const cci = (n: number): Naive => (candles) => distances(n)(candles).map((read, t) => {
  const alike = t >= n - 1 && candles.slice(t - n + 1, t).every((one) => one.high === candles[t]!.high && one.low === candles[t]!.low && one.close === candles[t]!.close);
  return alike ? unready : read;
});
const distances = (n: number): Naive => window(column((candle) => (candle.high + candle.low + candle.close) / 3), n, (cells) => {
  const mean = meanOf(cells);
  const distance = cells.reduce((sum, c) => sum + Math.abs(c.v - mean), 0) / n;
  const noise = 1e-14 * n * largest(cells);
  return distance <= 100 * noise ? UNKNOWN : cell((cells.at(-1)!.v - mean) / (0.015 * distance), (1_000 * n * noise) / distance);
});

/** A reading of each candle with the one before it, over windows of n that have a candle before them. */
const overSteps = (n: number, f: (steps: { candle: Candle; before: Candle }[]) => Cell): Naive => (candles) => candles.map((_, t) => {
  if (t < n) return unready;
  const steps: { candle: Candle; before: Candle }[] = [];
  for (let k = t - n + 1; k <= t; k++) steps.push({ candle: candles[k]!, before: candles[k - 1]! });
  return f(steps);
});
const trueRanges = (steps: readonly { candle: Candle; before: Candle }[]): number =>
  steps.reduce((sum, { candle, before }) => sum + Math.max(candle.high - candle.low, Math.abs(candle.high - before.close), Math.abs(candle.low - before.close)), 0);
const noiseOf = (steps: readonly { candle: Candle }[]): number => steps.length * 4 * EPS * Math.max(...steps.map(({ candle }) => candle.high));

const pressure = (n: number): Naive => overSteps(n, (steps) => {
  let bought = 0;
  for (const { candle, before } of steps) bought += candle.close - Math.min(candle.low, before.close);
  const way = trueRanges(steps);
  return way === 0 ? unready : divide(cell(bought, noiseOf(steps)), cell(way, noiseOf(steps)));
});
export const ultimate = (a: number, b: number, c: number): Naive => times(100 / 7, each(add, each(add, times(4, pressure(a)), times(2, pressure(b))), pressure(c)));

export const choppiness = (n: number): Naive => overSteps(n, (steps) => {
  const range = Math.max(...steps.map(({ candle }) => candle.high)) - Math.min(...steps.map(({ candle }) => candle.low));
  const way = trueRanges(steps);
  if (range === 0) return unready;
  return cell((100 * Math.log(way / range)) / Math.log(n), (400 * noiseOf(steps)) / (range * Math.log(n)) + 1e-13);
});
