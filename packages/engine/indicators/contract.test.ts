import type { Candle } from '@trademind/core';
import { describe, expect, test } from 'vitest';
import { unknownCandle } from '../candles/candle-fold.ts';
import { Dag } from '../graph/dag.ts';
import { Program } from '../graph/program.ts';
import { compileExpression } from '../language/compile-expression.ts';
import { Frames } from '../language/frames.ts';
import { FUNCTIONS } from '../language/functions.ts';
import { evaluateExpression } from '../language/evaluate.ts';
import { scopeOf } from '../language/scope.ts';
import { readRecordedCandles, recordings } from '../../../tests/support/recordings.ts';
import { CALLS } from '../testing/indicator-calls.ts';
import { candleAt, simulateCandles } from '../testing/simulate.ts';
import { INDICATORS } from './index.ts';

const all = Object.values(CALLS).flat();
/** Indicators that wait for an event may have their first value later than they say, and be without one again: never the others. */
const awaits = (expression: string): boolean => FUNCTIONS.get(/^\w+/.exec(expression)![0])!.awaits !== undefined;

/** A condition as the graph has it: 1 or 0. */
const values = (expression: string, candles: readonly Candle[], block?: number): (number | null)[] =>
  evaluateExpression(expression, candles, block === undefined ? {} : { block }).values.map((value) => (typeof value === 'boolean' ? Number(value) : value));
/** A running total has no level of its own: it is compared by its differences, and with its own average. */
const cumulative = (expression: string) => INDICATORS.some((definition) => definition.cumulative && expression.startsWith(`${definition.name}(`));
const shifted = (value: number | null, by: number): number | null => (value === null ? null : value + by);
/** What differences are compared against at least: the size of what they are differences of. */
const scaleOf = (expression: string): number => (/macd|tsi/.test(expression) ? 100 : cumulative(expression) ? 1e5 : 1e-9);
/** Without candles that stand still, for on these percentB and the stochastic have no value. */
const lively = simulateCandles(2_600, { flatness: 0 });

function compiled(text: string): { dag: Dag; ref: number } {
  const frames = new Frames('1m');
  const { ref } = compileExpression({ text, field: 'expression' }, scopeOf({}, {}, frames, []), frames.own, frames, []);
  return { dag: frames.own.dag, ref };
}

/** Runs a program candle by candle, the first being the t-th; what its node `ref` is worth on each. */
function runOver(program: Program, state: Float64Array, candles: readonly Candle[], t: number, ref: number): (number | null)[] {
  return candles.map(({ open, high, low, close, volume, quoteVolume, trades, takerBuy, openTime }, index) => {
    program.values.set([open, high, low, close, volume, quoteVolume, trades, takerBuy, openTime]);
    program.run(state, t + index);
    const value = program.values[ref]!;
    return Number.isNaN(value) ? null : value;
  });
}

test('every indicator is in this suite, says where it comes from and shows an example that compiles', () => {
  expect(Object.keys(CALLS).sort()).toEqual(INDICATORS.map(({ name }) => name).sort());
  for (const definition of FUNCTIONS.values()) {
    for (const words of [definition.summary, definition.unit, definition.seed, definition.source]) expect(words).not.toBe('');
    expect(evaluateExpression(definition.example, []).type).toBe('condition');
  }
});

test('kinds of one name are one kind, for equal nodes are found by it', () => {
  const kinds = new Map<string, unknown>();
  for (const expression of all) {
    for (const node of compiled(expression).dag.nodes) {
      if (!('kind' in node)) continue;
      expect(kinds.get(node.kind.name) ?? node.kind, `${node.kind.name}, which ${expression} uses`).toBe(node.kind);
      kinds.set(node.kind.name, node.kind);
    }
  }
});

describe.each(all)('%s', (expression) => {
  test('has its first value exactly where it says', () => {
    const { values: found, first } = evaluateExpression(expression, lively.slice(0, 300));
    const at = found.findIndex((value) => value !== null);
    if (awaits(expression)) expect(at).toBeGreaterThanOrEqual(first - 1);
    else {
      expect(at).toBe(first - 1);
      expect(found.slice(first - 1)).not.toContain(null);
    }
  });

  test('is the same bit for bit candle by candle, in small blocks and in large ones', () => {
    const candles = simulateCandles(400);
    const whole = values(expression, candles);
    expect(values(expression, candles, 1)).toEqual(whole);
    expect(values(expression, candles, 7)).toEqual(whole);
  });

  test('no longer depends on where it began once it has settled', () => {
    const { first, settle } = evaluateExpression(expression, []);
    const whole = values(expression, lively);
    for (const start of [1, 137, 600]) {
      const later = values(expression, lively.slice(start));
      const level = cumulative(expression) ? (whole[start] as number) - later[0]! : 0;
      let worst = 0;
      // What waits for an event is compared from its first value on, and from there has none only where the whole series has none either.
      const from = awaits(expression) ? later.findIndex((value, index) => index >= settle - 1 && value !== null) : settle - 1;
      expect(from).toBeGreaterThanOrEqual(0);
      for (let index = from; index < later.length; index++) {
        const [value, expected] = [later[index] as number | null, shifted(whole[start + index]!, -level)];
        if (value === null || expected === null) {
          expect(value).toBe(expected);
          continue;
        }
        // Against the size of its inputs: a difference of averages may pass through 0.
        worst = Math.max(worst, Math.abs(value - expected) / Math.max(Math.abs(expected), scaleOf(expression)));
      }
      // A window has no start to forget.
      expect(worst).toBeLessThanOrEqual(first === settle ? 1e-12 : 2e-6);
    }
  });

  test('has forgotten a candle that is not known once it has settled again', () => {
    const at = 137;
    const holed = lively.map((candle, index) => (index === at ? unknownCandle(candle.openTime) : candle));
    const { settle } = evaluateExpression(expression, []);
    const [found, plain] = [values(expression, holed), values(expression, lively)];
    // What compares a candle with the one before it has no answer on the candle after.
    const from = at + settle + 1;
    const level = cumulative(expression) ? found[from]! - plain[from]! : 0;
    if (!awaits(expression)) expect(found.slice(at, from)).toContain(null);
    expect(from).toBeLessThan(lively.length - 500);
    for (let index = from; index < lively.length; index++) {
      const [value, expected] = [found[index] as number | null, shifted(plain[index]!, level)];
      if (value === null || expected === null) expect(value).toBe(expected);
      else expect(Math.abs(value - expected), `at ${index}`).toBeLessThanOrEqual(2e-6 * Math.max(Math.abs(expected), scaleOf(expression)));
    }
  });

  test('on a flat series stands still, and crosses nothing', () => {
    for (const price of [74.76, 0.1, 1e-8, 1e9]) {
      const flat = Array.from({ length: 120 }, (_, index) => candleAt(index * 60_000, price, { volume: 3.3 }));
      const { values: found, first, type } = evaluateExpression(expression, flat);
      const settled = new Set(found.slice(first - 1));
      expect(settled.size).toBe(1);
      expect(flat.length).toBeGreaterThan(first);
      expect(settled).not.toContain(true);
      if (type === 'condition') continue;
      for (const other of cumulative(expression) ? [`sma(${expression}, 9)`] : ['close', 'sma(9)', 'ema(9)']) {
        expect(evaluateExpression(`crossover(${other}, ${expression}) || crossunder(${other}, ${expression})`, flat).values).not.toContain(true);
      }
    }
  });

  test('after one candle, none, or candles without volume it has a finite value or none', () => {
    expect(values(expression, [])).toEqual([]);
    for (const candles of [lively.slice(0, 1), lively.map((candle) => ({ ...candle, volume: 0 }))]) {
      for (const value of values(expression, candles)) expect(value === null || Number.isFinite(value)).toBe(true);
    }
  });

  test('goes on bit for bit when a larger graph, with longer rings, takes its state over', () => {
    const candles = simulateCandles(300, { seed: 3 });
    const { dag, ref } = compiled(expression);
    const grown = new Dag();
    const rings = ['close', 'volume', 'high', 'low', 'hlc3', 'hl2', 'trueRange()', 'rsi(14)'].flatMap((series) => [`stdev(${series}, 150)`, `wma(${series}, 150)`, `highest(${series}, 150)`]);
    for (const { dag: other } of [compiled(['vwma(150)', 'cci(150)', ...rings].join(' + ')), { dag }]) grown.merge(other);
    const [small, large] = [new Program(dag), new Program(grown)];
    const refs = small.matchesIn(large);
    const state = small.newState();
    runOver(small, state, candles.slice(0, 201), 0, ref);
    const taken = large.newState();
    small.carry(refs, state, taken, large, 201);
    large.recount(taken, 201);
    expect(runOver(large, taken, candles.slice(201), 201, refs[ref]!)).toEqual(values(expression, candles).slice(201));
  });

  test('keeps its digits at 1e-8 and at 1e9', () => {
    const scaled = (factor: number) => lively.slice(0, 400).map((candle) => ({ ...candle, open: candle.open * factor, high: candle.high * factor, low: candle.low * factor, close: candle.close * factor }));
    // A power of two changes no digit, so every answer is the same times that power, or the same where it is a ratio.
    for (const factor of [2 ** -33, 2 ** 23]) {
      const plain = values(expression, lively.slice(0, 400));
      const found = values(expression, scaled(factor));
      expect(found.map((value) => value === null)).toEqual(plain.map((value) => value === null));
      // Prices scale with their input, ratios and volumes stay.
      const worst = (scale: number): number => Math.max(...found.map((value, index) => Math.abs((value ?? 0) / scale - (plain[index] ?? 0))));
      expect(Math.min(worst(factor), worst(1))).toBeLessThanOrEqual(1e-12 * Math.max(...plain.map((value) => Math.abs(value ?? 0))));
    }
  });
});

test('an extreme value leaves no trace once it has left the window', () => {
  const candles = simulateCandles(200, { flatness: 0 });
  for (const extreme of [1e12, -1e12, 1e-12]) {
    // At each place of the ring: its first value is the one that sums are taken around.
    for (const at of [58, 59, 60, 61]) {
      const shaken = candles.map((candle, index) => (index === at ? { ...candle, close: extreme } : candle));
      for (const expression of ['sma(20)', 'stdev(20)', 'highest(close, 20)', 'lowest(close, 20)', 'linreg(20).slope', 'linreg(20).r2']) {
        const [plain, found] = [values(expression, candles), values(expression, shaken)];
        const worst = Math.max(...plain.slice(at + 20).map((value, index) => Math.abs(found[at + 20 + index]! / value! - 1)));
        expect(worst, `${expression} with ${extreme} at ${at}`).toBeLessThanOrEqual(1e-12);
      }
    }
  }
});

/**
 * What the effect of the start is measured against on recordings, and how small it then is: 100 points, a ratio of 1, the price (for MACD, whose averages differ by little, that of the candles). What jumps by
 * multiples from candle to candle, a volume or a range, may have begun far from where it is: there a Wilder's or exponential start still weighs up to 6e-6 of the largest value since.
 */
function allowance(expression: string, since: readonly number[], price: number): number {
  const { name, unit } = INDICATORS.find((definition) => definition.name === /^\w+/.exec(expression)![0])!;
  if (unit.startsWith('points') || expression.includes('rsi(')) return 1e-6 * 100;
  if (name === 'macd') return 1e-6 * price;
  return /volume|atr/.test(expression) ? 7e-6 * since.reduce((most, value) => Math.max(most, Math.abs(value)), 0) : 1e-6 * Math.max(1e-9, Math.abs(since.at(-1)!));
}

const folder = recordings('klines');
test.skipIf(folder === null).each([...(folder === null ? [] : readRecordedCandles(folder))])('on minutes of %s, still ones too, nothing depends on where it began once it has settled', (_symbol, rows) => {
  const candles = rows.slice(0, 7_000).map((row) => ({ ...row, quoteVolume: row.volume * row.close, trades: 1, takerBuy: row.volume / 2 }));
  for (const expression of [...all, 'supertrend(1, 0.1).direction', 'supertrend(1, 0.5).direction', 'supertrend(2, 0.3).direction', 'supertrend(1, 0).value', 'psar(0.3, 0.15)', 'psar(0.02, 0.02)', 'psar(1, 1)']) {
    if (awaits(expression) || cumulative(expression)) continue;
    const { first, settle } = evaluateExpression(expression, []);
    if (first === settle) continue; // a window
    const whole = values(expression, candles);
    for (let start = 7; start + settle + 300 <= candles.length; start += 593) {
      const later = values(expression, candles.slice(start, start + settle + 300));
      for (let index = settle - 1; index < later.length; index++) {
        const [value, expected] = [later[index]!, whole[start + index]!];
        // An index of directions is not ready before the first move.
        if (value === null && expression.startsWith('adx') && later.slice(0, index).every((earlier) => earlier === null)) continue;
        if (value === expected) continue;
        if (value === null || expected === null) expect(value, `${expression} from ${start}, at ${index}`).toBe(expected);
        else if (Math.abs(value - expected) > allowance(expression, whole.slice(start, start + index + 1) as number[], candles[start]!.close)) expect(value, `${expression} from ${start}, at ${index}`).toBe(expected);
      }
    }
  }
});

test('window sums do not drift over 200,000 candles', () => {
  const candles = simulateCandles(200_000, { flatness: 0.05, start: 50_000 });
  const mean = values('sma(50)', candles).at(-1)!;
  const deviation = values('stdev(50)', candles).at(-1)!;
  const last = candles.slice(-50);
  expect(Math.abs(mean - values('sma(50)', last).at(-1)!)).toBe(0);
  expect(Math.abs(deviation / values('stdev(50)', last).at(-1)! - 1)).toBeLessThanOrEqual(1e-12);
});

test('a value that is not ready in the middle of a series is waited for by windows and passed over by averages', () => {
  const candles = simulateCandles(60, { flatness: 0 }).map((candle, index) => (index === 30 ? { ...candle, volume: 0, takerBuy: 0 } : candle));
  const share = 'takerBuy / volume';
  expect(values(share, candles).map((value, index) => (value === null ? index : -1)).filter((index) => index >= 0)).toEqual([30]);
  for (const expression of [`sma(${share}, 5)`, `stdev(${share}, 5)`, `highest(${share}, 5)`, `lowest(${share}, 5)`]) {
    expect(values(expression, candles).flatMap((value, index) => (value === null ? [index] : []))).toEqual([0, 1, 2, 3, 30, 31, 32, 33, 34]);
  }
  expect(values(`ema(${share}, 5)`, candles).flatMap((value, index) => (value === null ? [index] : []))).toEqual([0, 1, 2, 3, 30]);
  expect(values(`rsi(${share}, 5)`, candles).flatMap((value, index) => (value === null ? [index] : []))).toEqual([0, 1, 2, 3, 4, 30]);
});

test('RSI is 50 on a series that never moved, 100 where it only rose, 0 where it only fell', () => {
  const walk = (step: number) => Array.from({ length: 30 }, (_, index) => candleAt(index * 60_000, 100 + index * step));
  expect(values('rsi(14)', walk(0)).at(-1)).toBe(50);
  expect(values('rsi(14)', walk(1)).at(-1)).toBe(100);
  expect(values('rsi(14)', walk(-1)).at(-1)).toBe(0);
});

test('the deviation of a flat window is exactly 0 and its bands meet', () => {
  const flat = Array.from({ length: 40 }, (_, index) => candleAt(index * 60_000, index < 15 ? 70 + index : 74.76));
  expect(values('stdev(20)', flat).at(-1)).toBe(0);
  expect(values('bollinger(20, 2).upper', flat).at(-1)).toBe(74.76);
  expect(values('bollinger(20, 2).percentB', flat).at(-1)).toBeNull();
});
