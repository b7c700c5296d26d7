import type { Candle } from '@trademind/core';

/**
 * A second, independent reading of the language for tests: every value is computed from scratch with plain loops, and carries a bound of its own
 * rounding error, so that a comparison too close to call is known as such. v: number or condition (1, 0), NaN = not ready; e: error bound,
 * Infinity = cannot be told.
 */
export interface Cell { v: number; e: number }
export type Naive = (candles: readonly Candle[]) => Cell[];

export const EPS = 4e-16;
export const UNKNOWN: Cell = { v: Number.NaN, e: Infinity };
export const unready: Cell = { v: Number.NaN, e: 0 };
export const known = (c: Cell): boolean => c.e !== Infinity;
export const cell = (v: number, e: number): Cell => (Number.isFinite(v) ? (Number.isNaN(e) ? UNKNOWN : { v, e }) : { v, e: 0 });

/** A function of numbers that are known and ready; what is not finite can only be told of exact ones. */
const onNumbers = (f: (...cells: Cell[]) => Cell) => (...cells: Cell[]): Cell => {
  if (cells.some((c) => !known(c))) return UNKNOWN;
  if (cells.some((c) => Number.isNaN(c.v))) return unready;
  const result = f(...cells);
  if (Number.isFinite(result.v) || !known(result)) return result;
  return cells.every((c) => c.e === 0) ? { v: result.v, e: 0 } : UNKNOWN;
};

export const column = (of: (candle: Candle) => number, e = 0): Naive => (candles) => candles.map((candle) => cell(of(candle), e * Math.abs(of(candle))));
export const constant = (value: number): Naive => (candles) => candles.map(() => cell(value, 0));

/** Applies a function of cells candle by candle. */
export const each = (f: (...cells: Cell[]) => Cell, ...inputs: Naive[]): Naive => (candles) => {
  const columns = inputs.map((input) => input(candles));
  return candles.map((_, t) => f(...columns.map((values) => values[t]!)));
};
/** Computes each candle from an input's cells up to it. */
export const scan = (input: Naive, f: (history: Cell[]) => Cell): Naive => (candles) => {
  const values = input(candles);
  return values.map((_, t) => f(values.slice(0, t + 1)));
};

export const add = onNumbers((a, b) => cell(a!.v + b!.v, a!.e + b!.e + EPS * Math.abs(a!.v + b!.v)));
export const subtract = onNumbers((a, b) => add(a!, { v: -b!.v, e: b!.e }));
export const multiply = onNumbers((a, b) => cell(a!.v * b!.v, Math.abs(a!.v) * b!.e + Math.abs(b!.v) * a!.e + a!.e * b!.e + EPS * Math.abs(a!.v * b!.v)));
export const divide = onNumbers((a, b) => {
  if (b!.e > 0 && Math.abs(b!.v) <= 2 * b!.e) return UNKNOWN;
  const v = a!.v / b!.v;
  const inherited = a!.e === 0 && b!.e === 0 ? 0 : (2 * (a!.e + Math.abs(v) * b!.e)) / Math.abs(b!.v);
  return cell(v, inherited + EPS * Math.abs(v));
});
export const remainder = onNumbers((a, b) => {
  if (a!.e === 0 && b!.e === 0) return { v: a!.v % b!.v, e: 0 };
  const quotient = divide(a!, b!);
  if (!known(quotient) || !Number.isFinite(quotient.v) || Math.abs(quotient.v - Math.round(quotient.v)) <= quotient.e * 2) return UNKNOWN;
  return cell(a!.v % b!.v, a!.e + (Math.abs(quotient.v) + 1) * b!.e);
});
export const negate = onNumbers((a) => ({ v: -a!.v, e: a!.e }));
export const absolute = onNumbers((a) => ({ v: Math.abs(a!.v), e: a!.e }));
export const squareRoot = onNumbers((a) => {
  if (a!.e > 0 && Math.abs(a!.v) <= 2 * a!.e) return UNKNOWN;
  const v = Math.sqrt(a!.v);
  if (Number.isNaN(v)) return unready;
  return cell(v, (a!.e === 0 ? 0 : a!.e / v) + EPS * v);
});
export const logarithm = onNumbers((a) => {
  if (a!.e > 0 && Math.abs(a!.v) <= 2 * a!.e) return UNKNOWN;
  const v = Math.log(a!.v);
  if (Number.isNaN(v)) return unready;
  return cell(v, (a!.e === 0 ? 0 : (2 * a!.e) / a!.v) + EPS * Math.abs(v) + EPS);
});
export const roundOff = onNumbers((a) => (a!.e === 0 || Math.abs(a!.v - Math.floor(a!.v) - 0.5) > a!.e ? { v: Math.round(a!.v), e: 0 } : UNKNOWN));
export const minimum = onNumbers((a, b) => ({ v: Math.min(a!.v, b!.v), e: Math.max(a!.e, b!.e) }));
export const maximum = onNumbers((a, b) => ({ v: Math.max(a!.v, b!.v), e: Math.max(a!.e, b!.e) }));

/** A comparison; too close to call where the errors reach across, unless both are exact. */
export const compare = (test: (x: number, y: number) => boolean) => (a: Cell, b: Cell): Cell => {
  if (!known(a) || !known(b)) return UNKNOWN;
  if (Number.isNaN(a.v) || Number.isNaN(b.v)) return unready;
  if (a.e + b.e > 0 && Number.isFinite(a.v) && Number.isFinite(b.v) && Math.abs(a.v - b.v) <= 2 * (a.e + b.e)) return UNKNOWN;
  return cell(test(a.v, b.v) ? 1 : 0, 0);
};
export const not = (a: Cell): Cell => ({ v: 1 - a.v, e: a.e });
export const and = (...cells: Cell[]): Cell => {
  if (cells.some((c) => known(c) && c.v === 0)) return cell(0, 0);
  if (cells.some((c) => !known(c))) return UNKNOWN;
  return cells.some((c) => Number.isNaN(c.v)) ? unready : cell(1, 0);
};
export const or = (...cells: Cell[]): Cell => not(and(...cells.map(not)));
export const choose = (c: Cell, a: Cell, b: Cell): Cell => (!known(c) ? UNKNOWN : c.v === 1 ? a : c.v === 0 ? b : unready);

export const offset = (x: Naive, n: number): Naive => scan(x, (history) => history.at(-1 - n) ?? unready);
export const crossover = (a: Naive, b: Naive): Naive =>
  each(and, each(compare((x, y) => x > y), a, b), each(compare((x, y) => x <= y), offset(a, 1), offset(b, 1)));
export const run = (x: Naive, n: number, sign: 1 | -1): Naive =>
  each(and, ...Array.from({ length: n }, (_, k) => each(compare((later, earlier) => (sign === 1 ? later > earlier : later < earlier)), offset(x, k), offset(x, k + 1))));

/** Something over the last n cells, all of which must be finite. */
export const window = (x: Naive, n: number, f: (cells: Cell[]) => Cell): Naive => scan(x, (history) => {
  const last = history.slice(-n);
  if (last.length < n) return unready;
  if (last.some((c) => !known(c))) return UNKNOWN;
  return last.some((c) => !Number.isFinite(c.v)) ? unready : f(last);
});
export const worst = (cells: readonly Cell[]): number => Math.max(...cells.map((c) => c.e));
export const largest = (cells: readonly Cell[]): number => Math.max(...cells.map((c) => Math.abs(c.v)));
export const meanOf = (cells: readonly Cell[]): number => cells.reduce((sum, c) => sum + c.v, 0) / cells.length;

export const sma = (x: Naive, n: number): Naive => window(x, n, (cells) => cell(meanOf(cells), worst(cells) + n * EPS * largest(cells)));
export const stdev = (x: Naive, n: number): Naive => window(x, n, (cells) => {
  const mean = meanOf(cells);
  const flat = worst(cells) === 0 && cells.every((c) => c.v === cells[0]!.v);
  return flat ? cell(0, 0) : cell(Math.sqrt(cells.reduce((sum, c) => sum + (c.v - mean) ** 2, 0) / n), 2 * worst(cells) + 1e-11 * largest(cells));
});
export const highest = (x: Naive, n: number): Naive => window(x, n, (cells) => cell(Math.max(...cells.map((c) => c.v)), worst(cells)));
export const lowest = (x: Naive, n: number): Naive => window(x, n, (cells) => cell(Math.min(...cells.map((c) => c.v)), worst(cells)));

/** A recursive average over the ready values; not ready on a candle whose value is not. */
const recursive = (factor: (n: number) => number) => (x: Naive, n: number): Naive => scan(x, (history) => {
  if (history.some((c) => !known(c))) return UNKNOWN;
  const values = history.filter((c) => Number.isFinite(c.v));
  if (!Number.isFinite(history.at(-1)!.v) || values.length < n) return unready;
  let average = meanOf(values.slice(0, n));
  for (const { v } of values.slice(n)) average = v * factor(n) + average * (1 - factor(n));
  return cell(average, worst(values) + 1e-14 * n * largest(values));
});
export const ema = recursive((n) => 2 / (n + 1));
export const smma = recursive((n) => 1 / n);

export const rsi = (x: Naive, n: number): Naive => scan(x, (history) => {
  if (history.some((c) => !known(c))) return UNKNOWN;
  const values = history.filter((c) => Number.isFinite(c.v));
  if (!Number.isFinite(history.at(-1)!.v) || values.length < n + 1) return unready;
  const changes = values.slice(1).map((c, index) => c.v - values[index]!.v);
  let up = 0;
  let down = 0;
  for (const [index, change] of changes.entries()) {
    up += index < n ? Math.max(change, 0) / n : (Math.max(change, 0) - up) / n;
    down += index < n ? Math.max(-change, 0) / n : (Math.max(-change, 0) - down) / n;
  }
  const noise = 2 * worst(values) + 1e-14 * n * largest(values);
  if (changes.every((change) => change === 0) && worst(values) === 0) return cell(50, 0);
  return up + down <= 10 * noise ? UNKNOWN : cell((100 * up) / (up + down), (400 * noise) / (up + down));
});

export const trueRange: Naive = (candles) => candles.map(({ high, low }, t) => {
  const before = candles[t - 1]?.close;
  return before === undefined ? unready : cell(Math.max(high, before) - Math.min(low, before), 1e-14 * high);
});
