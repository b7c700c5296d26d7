import type { Candle } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRecordedCandles, recordings } from '../../../tests/support/recordings.ts';
import { evaluateExpression } from '../language/evaluate.ts';
import { candleAt, randomFrom, simulateCandles } from '../testing/simulate.ts';

const values = (expression: string, candles: readonly Candle[]) => evaluateExpression(expression, candles).values as (number | null)[];
const last = (expression: string, candles: readonly Candle[]) => values(expression, candles).at(-1)!;
const series = (prices: readonly number[], change: (index: number) => Partial<Candle> = () => ({})) => prices.map((price, index) => candleAt(index * 60_000, price, change(index)));
const repeat = (price: number, count: number) => Array.from({ length: count }, () => price);

/** What is computed from sums over a window, and so must not know what was before it. */
const WINDOWS = ['wma(50)', 'wma(volume, 50)', 'vwma(50)', 'hma(50)', 'cci(50)', 'zScore(50)', 'ultimate(7, 14, 28)', 'awesome(5, 34)', 'choppiness(50)'];

test('windows do not drift over 200,000 candles: they are what they are over their own candles alone, bit for bit', () => {
  const candles = simulateCandles(200_000, { flatness: 0.05, start: 50_000 });
  for (const expression of WINDOWS) {
    const { values: whole, first } = evaluateExpression(expression, candles);
    for (const end of [200_000, 199_999, 150_001, 65_536]) expect(last(expression, candles.slice(end - first, end)), `${expression} at ${end}`).toBe(whole[end - 1]);
  }
});

test('kama does not drift over 200,000 candles', () => {
  const candles = simulateCandles(200_000, { flatness: 0.05, start: 50_000 });
  const { values: whole, settle } = evaluateExpression('kama(10, 2, 30)', candles);
  expect(last('kama(10, 2, 30)', candles.slice(-settle))).toBe(whole.at(-1));
});

test('wma is its definition to the last digits, whatever the values and wherever the ring is', () => {
  // In whole numbers of 2⁻³⁰, which BigInt adds up without rounding.
  const value = fc.tuple(fc.bigInt({ min: -(2n ** 50n), max: 2n ** 50n }), fc.integer({ min: 0, max: 30 })).map(([whole, shift]) => whole >> BigInt(shift));
  fc.assert(fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), fc.integer({ min: 1, max: 40 }), (wholes, n) => {
    const found = values(`wma(${n})`, series(wholes.map((whole) => Number(whole) / 2 ** 30)));
    for (let t = n - 1; t < wholes.length; t++) {
      let sum = 0n;
      for (let k = 0; k < n; k++) sum += wholes[t - k]! * BigInt(n - k);
      const expected = Number(sum) / 2 ** 30 / ((n * (n + 1)) / 2);
      // A window of equal values is not divided, so it may be one unit in the last place nearer.
      expect(Math.abs(found[t]! - expected)).toBeLessThanOrEqual(Math.abs(expected) * 2 ** -52);
    }
  }));
});

test('an extreme value leaves no trace once it has left the window', () => {
  const candles = simulateCandles(200, { flatness: 0 });
  for (const extreme of [1e12, -1e12, 1e-12]) {
    for (const at of [58, 61, 63]) {
      const shaken = candles.map((candle, index) => (index === at ? { ...candle, close: extreme, high: Math.max(extreme, candle.high), low: Math.min(extreme, candle.low) } : candle));
      for (const expression of ['wma(20)', 'vwma(20)', 'hma(16)', 'cci(20)', 'zScore(20)', 'williamsR(20)', 'choppiness(20)', 'ultimate(5, 10, 20)', 'awesome(5, 20)']) {
        const [plain, found] = [values(expression, candles), values(expression, shaken)];
        // The candle after it still looks back on it.
        const worst = Math.max(...plain.slice(at + 21).map((value, index) => Math.abs(found[at + 21 + index]! - value!) / Math.max(Math.abs(value!), 1)));
        expect(worst, `${expression} with ${extreme} at ${at}`).toBeLessThanOrEqual(1e-11);
      }
    }
  }
});

test('on a window that stands still after it moved, averages of it are exactly its price, and what divides by its range is not ready', () => {
  const uneven = series([...Array.from({ length: 30 }, (_, index) => 70 + index * 0.37), ...repeat(74.76, 30)], (index) => ({ volume: 0.1 + index * 1.7 }));
  for (const average of ['wma(20)', 'vwma(20)', 'hma(20)', 'sma(20)']) expect(last(average, uneven), average).toBe(74.76);
  for (const oscillator of ['cci(20)', 'williamsR(20)', 'zScore(20)', 'choppiness(20)', 'ultimate(7, 14, 28)']) expect(last(oscillator, uneven), oscillator).toBeNull();
  expect(last('awesome(5, 20)', uneven)).toBe(0);
});

test('averages of a price that stands still are exactly it, whatever is traded at it', () => {
  const price = fc.integer({ min: 1, max: 10_000_000 }).map((ticks) => ticks / 100);
  const volumes = fc.array(fc.integer({ min: 1, max: 1e9 }).map((lots) => lots / 1e5), { minLength: 9, maxLength: 30 });
  fc.assert(fc.property(price, volumes, (still, traded) => {
    const candles = series([still * 1.01, ...traded.map(() => still)], (index) => ({ volume: traded[index] ?? 1 }));
    for (const average of ['vwma(9)', 'wma(9)']) expect(last(average, candles), average).toBe(still);
  }));
});

test('a gap that leads to candles without a range is no choppiness', () => {
  expect(last('choppiness(5)', series([...repeat(100, 6), ...repeat(120, 5)]))).toBeNull();
});

test('vwma weighs what was traded, and has no answer where nothing was', () => {
  const candles = series([10, 20, 30, 40, 40, 40], (index) => ({ volume: [1, 3, 0, 0, 0, 0][index]! }));
  expect(values('vwma(2)', candles)).toEqual([null, 17.5, 20, null, null, null]);
});

test('kama follows a straight way as ema(fast) squared, stands nearly still where it goes back and forth, and counts no movement as straight', () => {
  expect(values('kama(3, 2, 30)', series([1, 2, 3, 4, 5])).slice(3)).toEqual([3 + 4 / 9, 3 + 4 / 9 + (5 - 3 - 4 / 9) * (4 / 9)].map((value) => expect.closeTo(value, 12) as number));
  const hither = series(Array.from({ length: 40 }, (_, index) => 100 + (index % 2)));
  expect(Math.abs(last('kama(10, 2, 30)', hither) - values('kama(10, 2, 30)', hither)[10]!)).toBeLessThan(0.1);
  const still = series([...Array.from({ length: 12 }, (_, index) => 100 + (index % 2)), ...repeat(110, 60)]);
  expect(Math.abs(last('kama(10, 2, 30)', still) - 110)).toBeLessThan(1e-9);
});

test('the seed of kama is forgotten when it says so, in recorded markets, thin ones, and ones that only bounce', () => {
  const folder = recordings('klines');
  const markets = [...(folder === null ? [] : readRecordedCandles(folder).values())].map((rows) => rows.slice(0, 2_800).map((row) => row.close));
  const random = randomFrom(7);
  const bounce = Array.from({ length: 2_800 }, () => (random() < 0.5 ? 100 : 100.5));
  for (const prices of [...markets, simulateCandles(2_800, { flatness: 0.6 }).map(({ close }) => close), bounce]) {
    for (const expression of ['kama(10, 2, 30)', 'kama(20, 2, 30)', 'kama(5, 2, 10)']) {
      const { values: whole, settle } = evaluateExpression(expression, series(prices));
      for (const start of [1, 500, 1_400]) {
        const later = values(expression, series(prices.slice(start)));
        for (let index = settle - 1; index < later.length; index++) expect(Math.abs(later[index]! / (whole[start + index] as number) - 1)).toBeLessThanOrEqual(1e-6);
      }
    }
  }
});

test('stochRsi has forgotten the seed of its RSI to 1e-6 of its range, also in thin markets that magnify it', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const candles = simulateCandles(1_400, { seed, flatness: 0.6 });
    const { values: whole, settle } = evaluateExpression('stochRsi(14, 14, 1, 1).k', candles);
    for (const start of [1, 137, 600]) {
      const later = values('stochRsi(14, 14, 1, 1).k', candles.slice(start));
      for (let index = settle - 1; index < later.length; index++) expect(Math.abs((later[index] ?? -1) - ((whole[start + index] ?? -1) as number))).toBeLessThanOrEqual(1e-4);
    }
  }
});

test('trix is in points a candle: a series that grows by 1 % a candle has 1', () => {
  expect(last('trix(5)', series(Array.from({ length: 200 }, (_, index) => 100 * 1.01 ** index)))).toBeCloseTo(1, 9);
});

test('tsi is 100 where a series only rose, −100 where it only fell; in a market that died it ends in no answer, not in noise', () => {
  const walk = (step: number) => series(Array.from({ length: 60 }, (_, index) => 100 + index * step));
  expect(last('tsi(25, 13, 7).value', walk(1))).toBeCloseTo(100, 12);
  expect(last('tsi(25, 13, 7).value', walk(-1))).toBeCloseTo(-100, 12);
  const dead = values('tsi(5, 3, 2).value', [...simulateCandles(100, { flatness: 0 }), ...series(repeat(100, 3_000))]).slice(110);
  const end = dead.indexOf(null);
  expect(end).toBeGreaterThan(1_000);
  expect(new Set(dead.slice(end))).toEqual(new Set([null]));
  // All the way its answer goes smoothly.
  for (let index = 1; index < end; index++) expect(Math.abs(dead[index]! - dead[index - 1]!)).toBeLessThan(10);
});

test('ultimate weighs by place: 4, 2, 1', () => {
  const candles = simulateCandles(60, { flatness: 0 });
  const share = (n: number): number => last(`ultimate(${n}, ${n}, ${n})`, candles);
  expect(last('ultimate(28, 7, 14)', candles)).toBeCloseTo((4 * share(28) + 2 * share(7) + share(14)) / 7, 10);
});

test('percentChange is roc: one node, whatever it is called', () => {
  const candles = simulateCandles(50);
  expect(values('percentChange(close, 5)', candles)).toEqual(values('roc(5)', candles));
});

describe('a value that is not ready in the middle of a series', () => {
  const candles = simulateCandles(80, { flatness: 0 }).map((candle, index) => (index === 40 ? { ...candle, volume: 0, takerBuy: 0 } : candle));
  const share = 'takerBuy / volume';
  const missing = (expression: string): number[] => values(expression, candles).flatMap((value, index) => (value === null && index >= 30 ? [index] : []));

  test.each([
    [`wma(${share}, 5)`, 5], [`hma(${share}, 9)`, 11], [`zScore(${share}, 5)`, 5], [`vwma(${share}, 5)`, 5], [`kama(${share}, 5, 2, 30)`, 6],
  ])('is waited for by %s', (expression, candlesLost) => {
    expect(missing(expression)).toEqual(Array.from({ length: candlesLost }, (_, index) => 40 + index));
  });

  test.each([[`dema(${share}, 5)`, [40]], [`tema(${share}, 5)`, [40]], [`trix(${share}, 3)`, [40, 41]], [`tsi(${share}, 5, 3, 2).signal`, [40, 41]]])('is passed over by %s', (expression, lost) => {
    expect(missing(expression)).toEqual(lost);
  });
});
