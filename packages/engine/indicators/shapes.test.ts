import type { Candle } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { evaluateExpression } from '../language/evaluate.ts';
import * as naive from '../testing/naive.ts';
import type { Naive } from '../testing/naive.ts';
import * as shapes from '../testing/naive-patterns.ts';
import { volumeProfile } from '../testing/naive-volume-profile.ts';
import { candleAt, randomFrom, simulateCandles } from '../testing/simulate.ts';
import { clearRows, layVolume, rowVolumes, sumRows } from './price-rows.ts';

type Values = (number | boolean | null)[];
const values = (text: string, candles: readonly Candle[], block?: number): Values => evaluateExpression(text, candles, block === undefined ? {} : { block }).values;
const walk = (prices: readonly number[], change: Partial<Candle> = {}): Candle[] => prices.map((price, index) => candleAt(index * 60_000, price, change));
const bar = (index: number, open: number, high: number, low: number, close: number, volume = 1): Candle => candleAt(index * 60_000, close, { open, high, low, close, volume });
const close = naive.column((candle) => candle.close);
const volume = naive.column((candle) => candle.volume);

/** Over more candles than any ring here holds, so that all that comes round has come round. */
const ROWS: readonly (readonly [text: string, read: Naive])[] = [
  ['linreg(20).value', shapes.linreg(close, 20, 'value')], ['linreg(33).slope', shapes.linreg(close, 33, 'slope')], ['linreg(20).r2', shapes.linreg(close, 20, 'r2')],
  ['volumeProfile(30, 12).poc', volumeProfile(30, 12, 'poc')], ['volumeProfile(30, 12).high', volumeProfile(30, 12, 'high')], ['volumeProfile(60, 40).low', volumeProfile(60, 40, 'low')],
  ['highestBars(close, 21)', shapes.barsSinceExtreme(close, 21, 1)], ['lowestBars(volume, 40)', shapes.barsSinceExtreme(volume, 40, -1)],
  ['pivotHigh(5, 3)', shapes.pivot('high', 5, 3)], ['pivotLow(2, 7)', shapes.pivot('low', 2, 7)],
  ['swing(50).support', shapes.swing('low', 50)], ['swing(80).resistance', shapes.swing('high', 80)],
  ['bullishDivergence(volume, 3, 2)', shapes.divergence(volume, 'low', 3, 2)], ['bearishDivergence(sma(9), 4, 4)', shapes.divergence(naive.sma(close, 9), 'high', 4, 4)],
  ...Object.entries(shapes.PATTERNS).map(([name, read]) => [`${name}()`, read] as const),
];

test.each(ROWS)('%s equals its naive reading over long series, thin markets included, and says something', (text, read) => {
  const seen = { decided: 0, unknown: 0, different: new Set<number>() };
  fc.assert(fc.property(fc.nat(), fc.constantFrom(0, 0.2, 0.6), (seed, flatness) => {
    const candles = simulateCandles(260, { seed, flatness });
    const found = values(text, candles, 1 + (seed % 32));
    for (const [t, { v, e }] of read(candles).entries()) {
      if (e === Infinity) {
        seen.unknown++;
        continue;
      }
      seen.decided++;
      seen.different.add(v);
      const value = found[t]!;
      if (value === null || Number.isNaN(v)) expect(value, `${text} at candle ${t}`).toBe(Number.isNaN(v) ? null : v);
      else expect(Math.abs(Number(value) - v), `${text} at candle ${t}: ${value}, not ${v}`).toBeLessThanOrEqual(1e-9 * Math.abs(v) + 2 * e);
    }
  }), { numRuns: 12 });
  expect(seen.unknown).toBeLessThan(seen.decided / 4);
  expect([...seen.different].filter((v) => !Number.isNaN(v)).length).toBeGreaterThan(1);
});

describe('linear regression', () => {
  /** A double as a whole number of 2^-200. */
  const exact = (x: number): bigint => {
    let [value, shift] = [x, 0];
    while (!Number.isInteger(value)) [value, shift] = [value * 2, shift + 1];
    return BigInt(value) << BigInt(200 - shift);
  };
  /** The slope in whole numbers, rounded at the very end. */
  const slope = (window: readonly number[]): number => {
    const n = BigInt(window.length);
    const total = window.reduce((sum, x, j) => sum + (2n * BigInt(j + 1) - n - 1n) * exact(x), 0n);
    const scaled = (total * 6n << 200n) / (n * (n * n - 1n));
    return Number(scaled) / 2 ** 200 / 2 ** 200;
  };

  test('has the slope of exact arithmetic to the last digits, steep or level, at any price', () => {
    for (const start of [1e-8, 0.1, 100, 50_000, 1e9]) {
      const candles = simulateCandles(700, { seed: 5, flatness: 0.1 }).map((candle) => ({ ...candle, close: (candle.close * start) / 100 }));
      for (const n of [2, 14, 200]) {
        const found = values(`linreg(${n}).slope`, candles) as number[];
        let worst = 0;
        for (let t = n - 1; t < candles.length; t += 7) {
          const expected = slope(candles.slice(t - n + 1, t + 1).map((candle) => candle.close));
          worst = Math.max(worst, expected === 0 ? Math.abs(found[t]!) : Math.abs(found[t]! / expected - 1));
        }
        expect(worst, `n ${n} at ${start}`).toBeLessThanOrEqual(1e-15);
      }
    }
  });

  test('ends on the line and explains all of it where the series is one', () => {
    const line = walk(Array.from({ length: 300 }, (_, index) => 100 + index / 4));
    expect(values('linreg(50).slope', line).at(-1)).toBe(0.25);
    expect(values('linreg(50).value', line).at(-1)).toBe(100 + 299 / 4);
    expect(values('linreg(50).r2', line).at(-1)).toBeCloseTo(1, 12);
    expect(values('linreg(50).r2', line).filter((value) => (value as number) > 1)).toEqual([]);
  });

  test('of a flat window is level, and there is nothing to explain', () => {
    const flat = walk([...Array.from({ length: 30 }, (_, index) => 70 + index / 3), ...Array.from({ length: 20 }, () => 74.76)]);
    expect(['slope', 'value', 'r2'].map((field) => values(`linreg(20).${field}`, flat).at(-1))).toEqual([0, 74.76, null]);
  });

  test('does not drift over 200,000 candles: it is the same bit for bit as from its window alone, though an extreme value came by', () => {
    const candles = simulateCandles(200_000, { flatness: 0.05, start: 50_000 });
    candles[150_000] = { ...candles[150_000]!, close: 1e12 };
    for (const expression of ['linreg(50).slope', 'linreg(50).value', 'linreg(300).slope']) {
      expect(values(expression, candles).at(-1)).toBe(values(expression, candles.slice(-300)).at(-1));
    }
  });
});

describe('volume profile', () => {
  test('gives each row its part of each candle and conserves the total, whatever lies where', () => {
    const place = fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom(0, 0.25, 0.5, 1));
    fc.assert(fc.property(fc.integer({ min: 1, max: 200 }), fc.array(fc.tuple(place, place, fc.integer({ min: 0, max: 1e9 }).map((q) => q / 1e3)), { minLength: 1, maxLength: 60 }), (rows, candles) => {
      clearRows(rows);
      const expected = Array.from({ length: rows }, () => 0);
      for (const [x, y, q] of candles) {
        const [a, b] = [Math.min(x, y) * rows, Math.max(x, y) * rows];
        layVolume(a, b, q, rows);
        for (let row = 0; row < rows; row++) {
          if (b - a > 1e-9) expected[row]! += (q * Math.max(0, Math.min(b, row + 1) - Math.max(a, row))) / (b - a);
          else if (Math.min(Math.floor(a), rows - 1) === row) expected[row]! += q;
        }
      }
      sumRows(rows);
      const total = rowVolumes[rows]!;
      const whole = candles.reduce((sum, [, , q]) => sum + q, 0);
      expect(Math.abs(total - whole)).toBeLessThanOrEqual(1e-12 * whole);
      // A candle narrower than 1e-9 rows may be split between two.
      if (candles.every(([x, y]) => x === y || Math.abs(x - y) * rows > 1e-6)) {
        for (const [row, one] of expected.entries()) expect(Math.abs(rowVolumes[row]! - one), `row ${row} of ${rows}`).toBeLessThanOrEqual(1e-9 * whole);
      }
    }), { numRuns: 300 });
  });

  const profile = (candles: readonly Candle[], rows: number) => ['poc', 'high', 'low'].map((field) => values(`volumeProfile(${candles.length}, ${rows}).${field}`, candles).at(-1));
  /** The range is 0 to 10; each row of ten has what is given, from the lowest on, in candles that stood still. */
  const rowsOf = (...volumes: readonly number[]): Candle[] => [bar(0, 0, 10, 0, 10, 0), ...volumes.map((one, row) => bar(row + 1, row + 0.5, row + 0.5, row + 0.5, row + 0.5, one))];

  test('grows the value area row by row to the side that has more, up where both have the same, until it holds 70 %', () => {
    expect(profile(rowsOf(0, 0, 5, 10, 20, 30, 15, 10, 10, 0), 10)).toEqual([5.5, 8, 4]); // 30 + 20 + 15 + 10 (above, of equal ones) = 75
    expect(profile(rowsOf(0, 0, 1, 0, 20, 70, 10, 0, 0, 0), 10)).toEqual([5.5, 6, 4]); // 70 of 101 are not enough: the 20 below
    expect(profile(rowsOf(0, 0, 0, 0, 20, 70, 10, 0, 0, 0), 10)).toEqual([5.5, 6, 5]); // exactly 70 % is enough
    expect(profile(rowsOf(100, 0, 0, 0, 0, 0, 0, 0, 0, 99), 10)).toEqual([0.5, 10, 0]); // reaches over empty rows
  });

  test('takes of equal rows that nearest to the middle, then the lower', () => {
    expect(profile(rowsOf(9, 0, 0, 9, 0, 0, 0, 0, 0, 9), 10)[0]).toBe(3.5);
    expect(profile(rowsOf(0, 0, 0, 9, 0, 0, 9, 0, 0, 0), 10)[0]).toBe(3.5);
    expect(profile([bar(0, 10, 20, 10, 20, 7)], 5)).toEqual([15, 20, 12]); // five rows of 20 %: the middle one, two above, one below
  });

  test('puts a candle that stood still on an edge into the row above it, at the top into the top row', () => {
    const still = (price: number): Candle[] => [bar(0, 0, 10, 0, 10, 0), bar(1, price, price, price, price, 5)];
    expect(profile(still(4), 10)).toEqual([4.5, 5, 4]);
    expect(profile(still(10), 10)).toEqual([9.5, 10, 9]);
    expect(profile(still(0), 10)).toEqual([0.5, 1, 0]);
  });

  test('of a window without range is its price, of one without volume is not ready', () => {
    expect(profile(walk([74.76, 74.76, 74.76]), 24)).toEqual([74.76, 74.76, 74.76]);
    expect(profile(walk([1, 2, 3], { volume: 0 }), 24)).toEqual([null, null, null]);
  });

  test('has 24 rows unless told otherwise and at most 200', () => {
    const candles = simulateCandles(80);
    expect(values('volumeProfile(50).high', candles)).toEqual(values('volumeProfile(50, 24).high', candles));
    expect(() => values('volumeProfile(50, 201).high', candles)).toThrow('from 1 to 200 for rows');
  });
});

describe('pivots', () => {
  test('exist from their confirming candle on, are kept, and of equal highs the latest is the one', () => {
    expect(values('pivotHigh(2, 2)', walk([1, 2, 5, 3, 2, 4, 6, 7, 3, 1]))).toEqual([null, null, null, null, 5, 5, 5, 5, 5, 7]);
    const level = walk([1, 5, 2, 5, 3, 4, 1]);
    expect(values('pivotHigh(1, 1)', level)).toEqual([null, null, 5, 5, 5, 5, 4]);
    expect(values('pivotHigh(2, 2)', level)).toEqual([null, null, null, null, null, 5, 5]);
    expect(values('pivotLow(2, 2)', walk([5, 4, 2, 2, 3, 3, 4]))).toEqual([null, null, null, null, null, 2, 2]);
    expect(values('pivotLow(2, 2)', walk([5, 4, 2, 2, 2, 2, 2]))).not.toContain(2);
  });

  test('never change once they were given', () => {
    const candles = simulateCandles(120, { seed: 9 });
    const whole = values('pivotHigh(4, 4)', candles);
    for (const end of [20, 47, 90]) expect(values('pivotHigh(4, 4)', candles.slice(0, end))).toEqual(whole.slice(0, end));
  });
});

describe('swings', () => {
  // A low of 90 at candle 6, one of 94 at candle 18; a high of 110 at candle 12.
  const prices = [100, 98, 96, 95, 93, 91, 90, 93, 97, 101, 105, 108, 110, 107, 104, 101, 98, 96, 94, 97, 99, 100, 101, 102, 103];
  const after = (...more: number[]) => values('swing(30).support', walk([...prices, ...more]));

  test('support is the latest swing low below the close; one that broke gives way to the one before it, and counts again when the close is back', () => {
    expect(after()[10]).toBeNull();
    expect(after()[11]).toBe(90);
    expect(after().slice(22)).toEqual([90, 94, 94]);
    expect(after(93, 95, 89, 95).slice(25)).toEqual([90, 94, null, 94]);
  });

  test('resistance is the latest swing high above the close', () => {
    expect(values('swing(30).resistance', walk([...prices, 111, 109])).slice(16)).toEqual([null, 110, 110, 110, 110, 110, 110, 110, 110, null, 110]);
  });

  test('older than n candles counts no more', () => {
    const later = walk([...prices, ...Array.from({ length: 12 }, () => 103)]);
    const found = values('swing(14).support', later);
    expect(found[18 + 13]).toBe(94);
    expect(found[18 + 14]).toBeNull();
  });
});

test('the extreme of equal ones that counts is the latest, and 0 is now', () => {
  expect(values('highestBars(close, 3)', walk([1, 3, 3, 2, 1, 1, 1]))).toEqual([null, null, 0, 1, 2, 2, 0]);
  expect(values('lowestBars(close, 4)', walk([5, 4, 4, 6, 7, 8]))).toEqual([null, null, null, 1, 2, 3]);
});

describe('a divergence', () => {
  // Lows of 90 at candle 3 and of 88 at candle 9; the volume is what the series says.
  const prices = [96, 94, 92, 90, 93, 95, 96, 92, 90, 88, 91, 93, 95];
  const at = (before: number | null, now: number) => values('bullishDivergence(takerBuy / volume, 2, 2)', prices.map((price, index) =>
    candleAt(index * 60_000, price, index === 3 ? (before === null ? { volume: 0, takerBuy: 0 } : { takerBuy: before }) : index === 9 ? { takerBuy: now } : {})));

  test('holds on the candle that confirms the second pivot and on no other', () => {
    expect(at(0.2, 0.4)).toEqual([null, null, null, null, null, null, false, false, false, false, false, true, false]);
    expect(at(0.4, 0.2)).toEqual([null, null, null, null, null, null, false, false, false, false, false, false, false]);
    expect(at(0.4, 0.4)).not.toContain(true);
  });

  test('does not compare with a pivot at which the series had no value', () => {
    expect(at(null, 0.4)).toEqual([...Array.from({ length: 12 }, () => null), false]);
  });

  test('is bearish at the highs', () => {
    const turned = prices.map((price, index) => candleAt(index * 60_000, 200 - price, { takerBuy: index === 3 ? 0.4 : index === 9 ? 0.2 : 0.3 }));
    expect(values('bearishDivergence(takerBuy, 2, 2)', turned).indexOf(true)).toBe(11);
    expect(values('bullishDivergence(takerBuy, 2, 2)', turned)).not.toContain(true);
  });
});

describe('candle patterns', () => {
  const last = (name: string, ...candles: readonly (readonly [number, number, number, number])[]) => values(`${name}()`, candles.map(([open, high, low, shut], index) => bar(index, open, high, low, shut))).at(-1);

  test.each([
    ['doji', [[100, 110, 90, 101]], true], ['doji', [[100, 110, 90, 103]], false], ['doji', [[100, 100, 100, 100]], false],
    ['hammer', [[108, 110, 90, 110]], true], ['hammer', [[108, 116, 90, 110]], false], ['hammer', [[100, 110, 94, 110]], false], ['hammer', [[100, 100, 100, 100]], false],
    ['shootingStar', [[92, 110, 90, 90]], true], ['shootingStar', [[108, 110, 90, 110]], false],
    ['bullishEngulfing', [[100, 101, 95, 96], [96, 102, 96, 101]], true], ['bullishEngulfing', [[100, 101, 95, 96], [96, 100, 96, 100]], false],
    ['bullishEngulfing', [[100, 101, 95, 96], [97, 102, 96, 101]], false], ['bullishEngulfing', [[96, 101, 95, 100], [95, 102, 95, 101]], false],
    ['bearishEngulfing', [[96, 101, 95, 100], [100, 101, 94, 95]], true], ['bearishEngulfing', [[96, 101, 95, 100], [100, 101, 96, 96]], false],
    ['morningStar', [[110, 111, 99, 100], [100, 101, 98, 101], [101, 108, 101, 107]], true], ['morningStar', [[110, 111, 99, 100], [100, 101, 98, 101], [101, 105, 101, 105]], false],
    ['morningStar', [[110, 111, 99, 100], [100, 107, 98, 106], [106, 109, 101, 108]], false], ['morningStar', [[110, 130, 90, 100], [100, 101, 98, 101], [101, 108, 101, 107]], false],
    ['eveningStar', [[100, 111, 99, 110], [110, 112, 109, 109], [109, 109, 101, 103]], true], ['eveningStar', [[100, 111, 99, 110], [110, 112, 109, 109], [109, 109, 105, 106]], false],
    ['insideBar', [[100, 110, 90, 105], [101, 109, 91, 102]], true], ['insideBar', [[100, 110, 90, 105], [101, 110, 91, 102]], false],
  ] as const)('%s of %j: %s', (name, candles, expected) => {
    expect(last(name, ...candles)).toBe(expected);
  });

  test('each is there now and then in a random market', () => {
    const random = randomFrom(3);
    // Candles with as much shadow as body.
    const candles = simulateCandles(20_000, { flatness: 0 }).map((candle) => ({ ...candle, high: candle.high + random(), low: candle.low - random() }));
    for (const name of Object.keys(shapes.PATTERNS)) expect(values(`${name}()`, candles).filter(Boolean).length, name).toBeGreaterThan(0);
  });
});
