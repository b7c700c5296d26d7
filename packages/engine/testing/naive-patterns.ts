import type { Candle } from '@trademind/core';
import { UNKNOWN, and, cell, compare, known, largest, scan, unready, window, worst, type Cell, type Naive } from './naive.ts';

// The naive reading of what looks at shapes and events: each answer by going through the candles again.

/** The least-squares line by its textbook formulas around the means. */
export const linreg = (x: Naive, n: number, field: 'value' | 'slope' | 'r2'): Naive => window(x, n, (cells) => {
  const noise = 3 * worst(cells) + 1e-14 * n * largest(cells);
  const time = (n - 1) / 2;
  const mean = cells.reduce((sum, c) => sum + c.v, 0) / n;
  let [covariance, spread, variance] = [0, 0, 0];
  for (const [j, { v }] of cells.entries()) {
    covariance += (j - time) * (v - mean);
    spread += (j - time) ** 2;
    variance += (v - mean) ** 2;
  }
  if (worst(cells) === 0 && cells.every((c) => c.v === cells[0]!.v)) return field === 'r2' ? unready : cell(field === 'slope' ? 0 : cells[0]!.v, 0);
  if (field === 'slope') return cell(covariance / spread, noise);
  if (field === 'value') return cell(mean + (covariance / spread) * time, noise);
  const deviation = Math.sqrt(variance / n);
  return deviation <= 1e3 * noise ? UNKNOWN : cell(Math.min(1, covariance ** 2 / (spread * variance)), (50 * noise) / deviation + 1e-12);
});

/** Candles since the extreme of n (`sign` 1 = highest), the latest of equal ones; not told where another comes too close. */
export const barsSinceExtreme = (x: Naive, n: number, sign: 1 | -1): Naive => window(x, n, (cells) => {
  let best = 0;
  for (const [k, c] of cells.entries()) if (c.v * sign >= cells[best]!.v * sign) best = k;
  const close = cells.some((c, k) => k !== best && c.e + cells[best]!.e > 0 && Math.abs(c.v - cells[best]!.v) <= 2 * (c.e + cells[best]!.e));
  return close ? UNKNOWN : cell(n - 1 - best, 0);
});

type Side = 'high' | 'low';
/** Further out than: above for highs, below for lows. */
const beyond = (side: Side, a: number, b: number): boolean => (side === 'high' ? a > b : a < b);

function isPivot(candles: readonly Candle[], p: number, side: Side, left: number, right: number, t: number): boolean {
  if (p < left || p + right > t) return false;
  for (let j = p - left; j < p; j++) if (beyond(side, candles[j]![side], candles[p]![side])) return false;
  for (let j = p + 1; j <= p + right; j++) if (!beyond(side, candles[p]![side], candles[j]![side])) return false;
  return true;
}

const lastPivot = (candles: readonly Candle[], t: number, side: Side, left: number, right: number, wanted: (p: number) => boolean): number => {
  for (let p = t; p >= 0; p--) if (isPivot(candles, p, side, left, right, t) && wanted(p)) return p;
  return -1;
};

export const pivot = (side: Side, left: number, right: number): Naive => (candles) => candles.map((_, t) => {
  const p = lastPivot(candles, t, side, left, right, () => true);
  return p < 0 ? unready : cell(candles[p]![side], 0);
});

export const swing = (side: Side, n: number): Naive => (candles) => candles.map(({ close }, t) => {
  const p = lastPivot(candles, t, side, 5, 5, (at) => at > t - n && beyond(side, candles[at]![side], close));
  return p < 0 ? unready : cell(candles[p]![side], 0);
});

export const divergence = (x: Naive, side: Side, left: number, right: number): Naive => (candles) => {
  const series = x(candles);
  return candles.map((_, t) => {
    const pivots = candles.flatMap((__, p) => (isPivot(candles, p, side, left, right, t) ? [p] : []));
    if (pivots.some((p) => !known(series[p]!))) return UNKNOWN;
    const confirmed = pivots.at(-1) === t - right ? pivots.pop()! : undefined;
    const before = pivots.findLast((p) => !Number.isNaN(series[p]!.v));
    if (confirmed === undefined) return before === undefined ? unready : cell(0, 0);
    if (before === undefined || Number.isNaN(series[confirmed]!.v)) return unready;
    if (!beyond(side, candles[confirmed]![side], candles[before]![side])) return cell(0, 0);
    return compare((a, b) => beyond(side, b, a))(series[confirmed]!, series[before]!);
  });
};

/** Not ready while one of the last n is not. */
const lastOf = (c: Naive, n: number, f: (held: number) => number): Naive => window(c, n, (cells) => cell(f(cells.filter(({ v }) => v === 1).length), 0));
export const within = (c: Naive, n: number): Naive => lastOf(c, n, (held) => (held > 0 ? 1 : 0));
export const held = (c: Naive, n: number): Naive => lastOf(c, n, (count) => (count === n ? 1 : 0));
export const count = (c: Naive, n: number): Naive => lastOf(c, n, (number) => number);
export const barsSince = (c: Naive): Naive => scan(c, (history) => {
  for (let back = 0; back < history.length; back++) {
    const at = history.at(-1 - back)!;
    if (!known(at)) return UNKNOWN;
    if (at.v === 1) return cell(back, 0);
  }
  return unready;
});

/** A pattern of the candles up to now, [now, before, …]; not ready before the oldest is there. Lengths carry a bound of their rounding, so that a ratio met exactly is too close to call. */
const pattern = (size: number, f: (...candles: Candle[]) => Cell): Naive => (candles) =>
  candles.map((_, t) => (t < size - 1 ? unready : f(...candles.slice(t - size + 1, t + 1).toReversed())));
const length = (from: number, to: number): Cell => cell(to - from, 4e-16 * Math.max(Math.abs(from), Math.abs(to)));
const times = (c: Cell, factor: number): Cell => cell(c.v * factor, c.e * factor);
const fact = (holds: boolean): Cell => cell(holds ? 1 : 0, 0);
const atMost = compare((a, b) => a <= b);
const body = ({ open, close }: Candle): Cell => (open === close ? cell(0, 0) : length(Math.min(open, close), Math.max(open, close)));
const range = ({ low, high }: Candle): Cell => length(low, high);
const upper = ({ open, high, close }: Candle): Cell => length(Math.max(open, close), high);
const lower = ({ open, low, close }: Candle): Cell => length(low, Math.min(open, close));
const lively = ({ low, high }: Candle): Cell => fact(high > low);
/** The candle turned upside down. */
const mirror = ({ open, high, low, close, ...rest }: Candle): Candle => ({ ...rest, open: -open, high: -low, low: -high, close: -close });

const engulfs = (now: Candle, before: Candle): Cell => fact(
  now.close > now.open && before.close < before.open && now.open <= before.close && now.close >= before.open && !(now.open === before.close && now.close === before.open),
);
const star = (third: Candle, second: Candle, first: Candle): Cell => {
  const middle = cell((first.open + first.close) / 2, 4e-16 * Math.abs(first.open));
  return and(
    fact(first.close < first.open && third.close > third.open),
    atMost(times(range(first), 0.5), body(first)), atMost(body(second), times(body(first), 0.3)),
    atMost(cell(Math.max(second.open, second.close), 0), middle), compare((a, b) => a > b)(cell(third.close, 0), middle),
  );
};

export const PATTERNS: Readonly<Record<string, Naive>> = {
  doji: pattern(1, (c) => and(lively(c!), atMost(body(c!), times(range(c!), 0.1)))),
  hammer: pattern(1, (c) => and(lively(c!), atMost(times(body(c!), 2), lower(c!)), atMost(upper(c!), times(range(c!), 0.1)))),
  shootingStar: pattern(1, (c) => and(lively(c!), atMost(times(body(c!), 2), upper(c!)), atMost(lower(c!), times(range(c!), 0.1)))),
  bullishEngulfing: pattern(2, (now, before) => engulfs(now!, before!)),
  bearishEngulfing: pattern(2, (now, before) => engulfs(mirror(now!), mirror(before!))),
  morningStar: pattern(3, (third, second, first) => star(third!, second!, first!)),
  eveningStar: pattern(3, (third, second, first) => star(mirror(third!), mirror(second!), mirror(first!))),
  insideBar: pattern(2, (now, before) => fact(now!.high < before!.high && now!.low > before!.low)),
};

