import type { Candle } from '@trademind/core';
import { describe, expect, test } from 'vitest';
import { readRecordedCandles, recordings } from '../../../tests/support/recordings.ts';
import { unknownCandle } from '../candles/candle-fold.ts';
import { compileExpression } from '../language/compile-expression.ts';
import { evaluateExpression } from '../language/evaluate.ts';
import { Frames } from '../language/frames.ts';
import { scopeOf } from '../language/scope.ts';
import { candleAt, simulateCandles } from '../testing/simulate.ts';

const values = (expression: string, candles: readonly Candle[]) => evaluateExpression(expression, candles).values as (number | null)[];
const holds = (expression: string, candles: readonly Candle[]) => evaluateExpression(expression, candles).values.flatMap((value, index) => (value === true ? [index] : []));
const bars = (...ranges: readonly (readonly [low: number, high: number])[]) => ranges.map(([low, high], index) => candleAt(index * 60_000, (low + high) / 2, { low, high }));
const MIDNIGHT = Date.UTC(2024, 0, 2);

describe('when a market stands still', () => {
  const moving = simulateCandles(400, { flatness: 0 });
  const { openTime, close } = moving.at(-1)!;
  const still = Array.from({ length: 20_000 }, (_, index) => candleAt(openTime + (index + 1) * 60_000, close, { volume: 0 }));
  const candles = [...moving, ...still];

  test.each(['adx(14).plusDi', 'adx(14).minusDi', 'adx(2).plusDi', 'supertrend(10, 3).direction', 'obv()', 'adl()'])('%s stays exactly what it was', (expression) => {
    expect(new Set(values(expression, candles).slice(399)).size).toBe(1);
  });

  test('adx goes where its last index is, and stays', () => {
    const [plus, minus] = ['adx(14).plusDi', 'adx(14).minusDi'].map((side) => values(side, candles).at(-1)!) as [number, number];
    for (const value of values('adx(14).value', candles).slice(-5_000)) expect(value).toBeCloseTo((100 * Math.abs(plus - minus)) / (plus + minus), 9);
  });

  test.each(['supertrend(10, 3).value', 'psar(0.02, 0.2)', 'vwap()', 'rollingVwap(20)', 'keltner(20, 2, 10).upper', 'donchian(20).middle', 'ichimoku(9, 26, 52).spanA'])('nothing crosses %s once it has come to rest', (expression) => {
    expect(holds(`crossover(close, ${expression}) || crossunder(close, ${expression})`, candles).filter((index) => index > 1_500)).toEqual([]);
  });

  test('a stop that is touched by standing still turns nothing, one that is reached does', () => {
    const rest = [...bars([9, 10], [10, 11], [11, 12], [12, 13]), ...Array.from({ length: 30 }, (_, index) => candleAt((index + 4) * 60_000, 12))];
    expect(values('psar(0.2, 0.2)', rest).at(-1)).toBe(12);
    expect(holds('crossunder(close, psar(0.2, 0.2)) || crossover(close, psar(0.2, 0.2))', rest)).toEqual([]);
    expect(values('psar(0.2, 0.2)', [...rest, candleAt(34 * 60_000, 11.9)]).at(-1)).toBe(13);
  });

  test.each(['vortex(14).plus', 'vortex(14).minus', 'cmf(20)', 'mfi(14)', 'rollingVwap(20)'])('%s is not ready once its window stands still', (expression) => {
    const found = values(expression, candles);
    expect(found[399]).not.toBeNull();
    expect(found.slice(425).every((value) => value === null)).toBe(true);
  });

  test('adx of a market that never moved is not ready', () => {
    for (const field of ['value', 'plusDi', 'minusDi']) expect(new Set(values(`adx(3).${field}`, still.slice(0, 50)))).toEqual(new Set([null]));
  });
});

describe('vwap', () => {
  const candles = simulateCandles(3_000, { openTime: MIDNIGHT - 700 * 60_000, flatness: 0.1 });

  test('begins anew at each UTC midnight', () => {
    const found = values('vwap()', candles);
    for (const at of [700, 2_140]) {
      const { high, low, close } = candles[at]!;
      expect(found[at]).toBeCloseTo((high + low + close) / 3, 10);
      expect(found.slice(at)).toEqual(values('vwap()', candles.slice(at)));
    }
  });

  test('settles with a day of candles, on whatever interval, and by then a day has begun', () => {
    for (const [interval, settle] of [['1m', 1_440], ['5m', 288], ['1h', 24], ['12h', 2], ['1d', 1], ['1w', 1], ['1M', 1]] as const) expect(evaluateExpression('vwap()', [], { interval }).settle).toBe(settle);
    const whole = values('vwap()', candles);
    for (const start of [1, 699, 700, 701, 1_000]) expect(values('vwap()', candles.slice(start)).slice(1_439)).toEqual(whole.slice(start + 1_439));
  });

  test('has no value before the first trade of a day, and none for the rest of a day of which a candle is not known', () => {
    const quiet = candles.map((candle, index) => (index >= 700 && index < 710 ? { ...candle, volume: 0 } : index === 1_000 ? unknownCandle(candle.openTime) : candle));
    const found = values('vwap()', quiet);
    expect(found.flatMap((value, index) => (value === null ? [index] : []))).toEqual([...Array.from({ length: 10 }, (_, k) => 700 + k), ...Array.from({ length: 1_140 }, (_, k) => 1_000 + k)].filter((index) => index < 2_140));
  });

  test('of candles that all stand at one price is exactly that price', () => {
    // 3 × 76.58 / 3 is not 76.58 in doubles for every price.
    for (const price of [74.76, 76.58, 0.1, 1.1, 1e-8, 123.46]) {
      const flat = Array.from({ length: 50 }, (_, index) => candleAt(MIDNIGHT + index * 60_000, price, { volume: 0.1 + index }));
      for (const expression of ['vwap()', 'rollingVwap(7)']) expect(new Set(values(expression, flat).slice(6))).toEqual(new Set([price]));
    }
  });
});

describe('totals', () => {
  test('do not drift: after 200,000 candles a difference is still that of its own candles', () => {
    const candles = simulateCandles(200_000, { flatness: 0.05, start: 50_000 });
    const last = candles.slice(-51);
    for (const total of ['obv()', 'adl()']) {
      const [whole, alone] = [values(`change(${total}, 50)`, candles).at(-1)!, values(`change(${total}, 50)`, last).at(-1)!];
      expect(Math.abs(whole - alone)).toBeLessThanOrEqual(2 ** -52 * Math.abs(values(total, candles).at(-1)!));
    }
  });

  test('compared with their own average are the same wherever they began', () => {
    const candles = simulateCandles(3_000);
    const whole = evaluateExpression('obv() > sma(obv(), 20)', candles).values;
    for (const start of [1, 500, 1_234]) expect(evaluateExpression('obv() > sma(obv(), 20)', candles.slice(start)).values.slice(19)).toEqual(whole.slice(start + 19));
  });
});

test('aroon takes the latest of equal extremes', () => {
  const flatTop = bars([1, 5], [2, 9], [3, 9], [2, 4], [2, 6]);
  expect(values('aroon(4).up', flatTop).at(-1)).toBe(50);
  expect(values('aroon(4).down', flatTop).at(-1)).toBe(0);
  expect(values('aroon(3).down', flatTop).at(-1)).toBe(100);
});

test('mfi: prices whose means differ only in their rounding are equal, and their money flows nowhere', () => {
  const prices = [[55.2, 54.9, 55.1], [55.2, 54.88, 55.12], [55.2, 54.9, 55.1], [55.2, 54.88, 55.12]] as const;
  const even = prices.map(([high, low, close], index) => candleAt(index * 60_000, close, { high, low }));
  expect(new Set(even.map(({ high, low, close }) => (high + low + close) / 3)).size).toBeGreaterThan(1);
  expect(values('mfi(3)', even).at(-1)).toBeNull();
  expect(values('mfi(4)', [...even, candleAt(240_000, 56)]).at(-1)).toBe(100);
});

test('the cloud over the current candle is what was computed exactly 26 candles ago', () => {
  const candles = simulateCandles(200);
  const cloud = (field: string) => values(`ichimoku(9, 26, 52).${field}`, candles);
  expect(cloud('spanA')).toEqual(values('((ichimoku(9, 26, 52).tenkan + ichimoku(9, 26, 52).kijun) / 2)[26]', candles));
  expect(cloud('spanB')).toEqual(values('donchian(52).middle[26]', candles));
});

test('supertrend holds below the price while up and above it while down, and turns only on a close beyond it', () => {
  const candles = simulateCandles(2_000, { flatness: 0.2 });
  const [value, direction] = [values('supertrend(10, 3).value', candles), values('supertrend(10, 3).direction', candles)];
  let turns = 0;
  for (let t = 11; t < candles.length; t++) {
    expect((candles[t]!.close - value[t]!) * direction[t]!).toBeGreaterThanOrEqual(0);
    if (direction[t] === direction[t - 1]) expect((value[t]! - value[t - 1]!) * direction[t]!).toBeGreaterThanOrEqual(0);
    else {
      turns++;
      expect((candles[t]!.close - value[t - 1]!) * direction[t]!).toBeGreaterThan(0);
    }
  }
  expect(turns).toBeGreaterThan(10);
});

test('outputs of one indicator share all that they have in common', () => {
  const nodes = (text: string): number => {
    const frames = new Frames('1m');
    compileExpression({ text, field: 'expression' }, scopeOf({}, {}, frames, []), frames.own, frames, []);
    return frames.nodes;
  };
  expect(nodes('adx(14).value + adx(14).plusDi + adx(14).minusDi')).toBe(nodes('adx(14).value') + 2);
  expect(nodes('supertrend(10, 3).value + supertrend(10, 3).direction')).toBe(nodes('supertrend(10, 3).value') + 1);
  expect(nodes('aroon(25).oscillator + aroon(25).up + aroon(25).down')).toBe(nodes('aroon(25).oscillator') + 2);
  expect(nodes('adx(14).plusDi + atr(14)')).toBe(nodes('adx(14).plusDi') + 1);
});

const folder = recordings('klines');
const markets = folder === null ? new Map<string, never[]>() : readRecordedCandles(folder);
test.skipIf(folder === null).each([...markets.keys()])('supertrend and psar on %s are the same wherever they began, once settled', (symbol) => {
  const candles = markets.get(symbol)!.map((row) => ({ ...row, quoteVolume: row.volume * row.close, trades: 1, takerBuy: 0 }));
  for (const expression of ['psar(0.02, 0.2)', 'psar(0.01, 0.1)', 'supertrend(10, 3).value', 'supertrend(10, 3).direction', 'supertrend(7, 1).value', 'supertrend(20, 5).value']) {
    const { values: whole, settle } = evaluateExpression(expression, candles);
    for (let start = 1; start < candles.length - 700; start += 97) {
      const part = values(expression, candles.slice(start, start + 700));
      let worst = 0;
      for (let index = settle - 1; index < part.length; index++) worst = Math.max(worst, Math.abs(part[index]! / (whole[start + index] as number) - 1));
      expect(worst, `${expression} from ${start}`).toBeLessThanOrEqual(1e-6);
    }
  }
});
