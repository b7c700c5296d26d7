import type { Candle } from '@trademind/core';
import { cell, EPS, UNKNOWN, unready, type Cell, type Naive } from './naive.ts';

/** The naive readings of trends, channels and volume: plain loops over whole candles, written from the definitions. */
const DAY_MS = 86_400_000;
/** Rounding of a few sums of prices. */
const noiseOf = (candles: readonly Candle[]): number => 1e-13 * Math.max(...candles.map(({ high }) => high));
const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/** A quotient of sums whose rounding is bounded by `noise`: unknown where the divisor may be nothing but noise. */
const quotient = (above: number, below: number, noise: number, scale = 1): Cell =>
  below === 0 ? unready : Math.abs(below) <= 10 * noise ? UNKNOWN : cell((scale * above) / below, ((scale + Math.abs((scale * above) / below)) * noise * 2) / Math.abs(below));

const reach = (candle: Candle, before: Candle): number => Math.max(candle.high, before.close) - Math.min(candle.low, before.close);

/** Wilder's sums: that of the first n values, from then on less an n-th of itself plus the new value. values[0] does not count. */
function wilder(values: readonly number[], n: number): number[] {
  const sums = values.map(() => Number.NaN);
  for (let t = n; t < values.length; t++) sums[t] = t === n ? total(values.slice(1, n + 1)) : sums[t - 1]! - sums[t - 1]! / n + values[t]!;
  return sums;
}

export const adx = (n: number, field: 'value' | 'plusDi' | 'minusDi'): Naive => (candles) => {
  const moves = candles.map((candle, t) => {
    const before = candles[t - 1] ?? candle;
    const up = candle.high - before.high;
    const down = before.low - candle.low;
    return { range: reach(candle, before), plus: up > down && up > 0 ? up : 0, minus: down > up && down > 0 ? down : 0 };
  });
  const noise = noiseOf(candles) * n;
  const [range, plus, minus] = (['range', 'plus', 'minus'] as const).map((side) => wilder(moves.map((move) => move[side]), n)) as [number[], number[], number[]];
  const moved = (t: number): boolean => moves.slice(1, t + 1).some((move) => move.range > 0);
  if (field !== 'value') {
    const side = field === 'plusDi' ? plus : minus;
    return candles.map((_, t) => (t < n || !moved(t) ? unready : n === 1 && moves[t]!.range === 0 ? UNKNOWN : quotient(side[t]!, range[t]!, noise, 100)));
  }
  const indices = candles.map((_, t) => {
    if (t < n || !moved(t)) return unready;
    if (n === 1 && moves[t]!.range === 0) return UNKNOWN;
    return plus[t] === 0 && minus[t] === 0 ? cell(0, 0) : quotient(Math.abs(plus[t]! - minus[t]!), plus[t]! + minus[t]!, noise, 100);
  });
  let average = unready;
  let seen = 0;
  return indices.map((index) => {
    if (Number.isNaN(index.v) && index.e === 0) return unready;
    seen++;
    if (average.e === Infinity || index.e === Infinity) return (average = UNKNOWN);
    const weight = Math.min(seen, n);
    const before = seen === 1 ? 0 : average.v;
    average = cell((before * (weight - 1) + index.v) / weight, Math.max(average.e, index.e) + 1e-11);
    return seen < n ? unready : average;
  });
};

export const aroon = (n: number, field: 'up' | 'down'): Naive => (candles) => candles.map((_, t) => {
  if (t < n) return unready;
  const values = candles.slice(t - n, t + 1).map(({ high, low }) => (field === 'up' ? high : -low));
  return cell((100 * values.lastIndexOf(Math.max(...values))) / n, 1e-13);
});

export const vortex = (n: number, field: 'plus' | 'minus'): Naive => (candles) => candles.map((_, t) => {
  if (t < n) return unready;
  const places = Array.from({ length: n }, (_unused, k) => t - k);
  const ways = places.map((at) => Math.abs(field === 'plus' ? candles[at]!.high - candles[at - 1]!.low : candles[at]!.low - candles[at - 1]!.high));
  return quotient(total(ways), total(places.map((at) => reach(candles[at]!, candles[at - 1]!))), noiseOf(candles));
});

export const supertrend = (n: number, factor: number, field: 'value' | 'direction'): Naive => (candles) => {
  const ranges = wilder(candles.map((candle, t) => reach(candle, candles[t - 1] ?? candle)), n).map((sum) => sum / n);
  const noise = noiseOf(candles) * (1 + factor);
  let upper = Number.NaN;
  let lower = Number.NaN;
  let up = true;
  let doubtful = false;
  return candles.map(({ high, low, close }, t) => {
    if (t < n) return unready;
    const middle = (high + low) / 2;
    const [top, bottom] = [middle + factor * ranges[t]!, middle - factor * ranges[t]!];
    const before = candles[t - 1]!.close;
    const exact = ranges[t] === 0;
    const close2 = (x: number, y: number): boolean => !exact && Math.abs(x - y) <= noise;
    if (t === n) {
      [upper, lower] = [top, bottom];
      up = close >= middle;
      doubtful = !exact && close !== middle && close2(close, middle);
    } else {
      doubtful ||= close2(before, upper) || close2(before, lower);
      if (top < upper || before > upper) upper = top;
      if (bottom > lower || before < lower) lower = bottom;
    }
    doubtful ||= close2(close, upper) || close2(close, lower);
    if (up ? close < lower : close > upper) up = !up;
    if (doubtful) return UNKNOWN;
    return field === 'direction' ? cell(up ? 1 : -1, 0) : cell(up ? lower : upper, exact ? 0 : noise);
  });
};

export const psar = (step: number, max: number): Naive => (candles) => {
  const noise = noiseOf(candles);
  let long = true;
  let stop = 0;
  let extreme = 0;
  let pace = Math.min(step, max);
  let doubtful = false;
  return candles.map(({ high, low }, t) => {
    const before = candles[t - 1];
    if (before === undefined) return unready;
    if (t === 1) {
      const down = before.low - low;
      long = !(down > 0 && down > high - before.high);
      [stop, extreme] = long ? [before.low, high] : [before.high, low];
    }
    const still = high === low && before.high === high && before.low === low;
    // The rules look at two candles back; the first trend knows only one.
    const pair = t === 1 ? [candles[t]!] : [before, candles[t]!];
    const [bottom, top] = [Math.min(...pair.map((candle) => candle.low)), Math.max(...pair.map((candle) => candle.high))];
    const touching = long ? low : high;
    doubtful ||= touching !== stop && Math.abs(touching - stop) <= noise;
    let answer = stop;
    if (!still && (long ? low <= stop : high >= stop)) {
      long = !long;
      answer = long ? Math.min(extreme, bottom) : Math.max(extreme, top);
      extreme = long ? high : low;
      pace = Math.min(step, max);
      stop = answer;
    } else if (long ? high > extreme : low < extreme) {
      extreme = long ? high : low;
      pace = Math.min(pace + step, max);
    }
    const next = stop + pace * (extreme - stop);
    stop = long ? Math.min(next, bottom) : Math.max(next, top);
    return doubtful ? UNKNOWN : cell(answer, noise);
  });
};

/** The highest or lowest price of n candles, or the middle between both. */
export const channel = (n: number, field: 'upper' | 'middle' | 'lower'): Naive => (candles) => candles.map((_, t) => {
  if (t < n - 1) return unready;
  const last = candles.slice(t - n + 1, t + 1);
  const [top, bottom] = [Math.max(...last.map(({ high }) => high)), Math.min(...last.map(({ low }) => low))];
  return field === 'middle' ? cell((top + bottom) / 2, EPS * top) : cell(field === 'upper' ? top : bottom, 0);
});

const volumes = (candles: readonly Candle[]): number => Math.max(...candles.map(({ volume }) => volume));
const flow = ({ high, low, close, volume }: Candle): number => (high === low ? 0 : (volume * (2 * close - high - low)) / (high - low));
const signed = (candles: readonly Candle[], t: number): number => Math.sign(candles[t]!.close - (candles[t - 1] ?? candles[t]!).close) * candles[t]!.volume;

/** The change over n candles of a running total of what each candle adds. */
const totalChange = (adds: (candles: readonly Candle[], t: number) => number, n: number, exact: number): Naive => (candles) => candles.map((_, t) =>
  t < n ? unready : cell(total(Array.from({ length: n }, (_unused, k) => adds(candles, t - k))), candles.slice(0, t + 1).some((candle, at) => adds(candles, at) !== 0 && candle.volume > 0) ? exact * candles.length * volumes(candles) : 0));
export const obvChange = (n: number): Naive => totalChange(signed, n, 1e-15);
export const obvTotal: Naive = (candles) => candles.map((_, t) => {
  const added = Array.from({ length: t + 1 }, (_unused, k) => signed(candles, k));
  return cell(total(added), added.every((volume) => volume === 0) ? 0 : 1e-14 * candles.length * volumes(candles));
});
export const adlChange = (n: number): Naive => totalChange((candles, t) => flow(candles[t]!), n, 1e-11);

export const cmf = (n: number): Naive => (candles) => candles.map((_, t) => {
  if (t < n - 1) return unready;
  const last = candles.slice(t - n + 1, t + 1);
  return quotient(total(last.map(flow)), total(last.map(({ volume }) => volume)), 1e-11 * volumes(candles));
});

export const mfi = (n: number): Naive => (candles) => {
  const prices = candles.map(({ high, low, close }) => (high + low + close) / 3);
  const flowing = candles.map(({ volume }, t) => {
    const change = t === 0 ? 0 : prices[t]! - prices[t - 1]!;
    return Math.abs(change) < 1e-9 ? 0 : Math.sign(change) * prices[t]! * volume;
  });
  return candles.map((_, t) => {
    if (t < n) return unready;
    const last = flowing.slice(t - n + 1, t + 1);
    return quotient(total(last.filter((money) => money > 0)), total(last.map(Math.abs)), 1e-13 * volumes(candles) * Math.max(...prices), 100);
  });
};

/** Σ hlc3 × volume / Σ volume of the candles of a candle's UTC day, or of the last n. */
export const vwap = (n?: number): Naive => (candles) => candles.map(({ openTime }, t) => {
  if (n !== undefined && t < n - 1) return unready;
  const day = Math.floor(openTime / DAY_MS);
  const part = n === undefined ? candles.slice(0, t + 1).filter((candle) => Math.floor(candle.openTime / DAY_MS) === day) : candles.slice(t - n + 1, t + 1);
  const weight = total(part.map(({ volume }) => volume));
  const price = total(part.map(({ high, low, close, volume }) => ((high + low + close) / 3) * volume)) / weight;
  return weight === 0 ? unready : cell(price, 1e-13 * price);
});
