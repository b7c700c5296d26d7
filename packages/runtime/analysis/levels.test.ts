import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Candle } from '@trademind/core';
import { levelsOf } from './levels.ts';

const candle = (low: number, high: number, openTime = 0): Candle => ({ openTime, open: low, close: high, low, high, volume: 1, quoteVolume: 1, trades: 1, takerBuy: 1 });
const market = fc.array(fc.tuple(fc.double({ min: 50, max: 150, noNaN: true }), fc.double({ min: 0, max: 5, noNaN: true })), { maxLength: 80 })
  .map((all) => all.map(([low, range], at) => candle(low, low + range, at)));
const entries = fc.double({ min: 60, max: 140, noNaN: true });
const ranges = fc.double({ min: 0.01, max: 5, noNaN: true });

test('a long has its stop 1.5 ATR below and its targets 2, 3 and 5 ATR above; a short the other way round', () => {
  expect(levelsOf('long', 100, 2, [])).toEqual({ entry: 100, stopLoss: 97, takeProfit: [104, 106, 110], support: [], resistance: [], riskReward: 2 });
  expect(levelsOf('short', 100, 2, [])).toEqual({ entry: 100, stopLoss: 103, takeProfit: [96, 94, 90], support: [], resistance: [], riskReward: 2 });
});

test('swings become supports and resistances, the nearest first; those of candles older than fifty are gone', () => {
  const flat = (count: number) => Array.from({ length: count }, () => candle(99, 101));
  const candles = [candle(10, 500), ...flat(20), candle(90, 101), ...flat(9), candle(99, 120), ...flat(9), candle(95, 101), ...flat(9)];
  expect(levelsOf('long', 100, 1, candles)).toMatchObject({ support: [99, 95, 90], resistance: [101, 120] });
  expect(levelsOf('short', 98, 1, candles)).toMatchObject({ support: [95, 90], resistance: [101, 120] });
});

test('stop, entry, targets, supports and resistances stand in their order, for both sides', () => {
  fc.assert(fc.property(entries, ranges, market, (entry, atr, candles) => {
    for (const side of ['long', 'short'] as const) {
      const levels = levelsOf(side, entry, atr, candles)!;
      const ladder = [levels.stopLoss, levels.entry, ...levels.takeProfit];
      const rising = side === 'long' ? ladder : ladder.toReversed();
      expect(rising).toEqual(rising.toSorted((a, b) => a - b));
      expect(new Set(ladder).size).toBe(5);
      expect(levels.support).toEqual(levels.support.toSorted((a, b) => b - a));
      expect(levels.resistance).toEqual(levels.resistance.toSorted((a, b) => a - b));
      // Compared with the rounded price: the last digit may go either way.
      expect(Math.max(0, ...levels.support)).toBeLessThanOrEqual(levels.entry);
      expect(Math.min(Infinity, ...levels.resistance)).toBeGreaterThanOrEqual(levels.entry);
      expect(levels.riskReward).toBeCloseTo(2, 1);
    }
  }));
});

test('a market upside down gives a short what the market gave a long', () => {
  fc.assert(fc.property(entries, ranges, market, (entry, atr, candles) => {
    const mirrored = candles.map((one) => candle(200 - one.high, 200 - one.low, one.openTime));
    const [long, short] = [levelsOf('long', entry, atr, candles)!, levelsOf('short', 200 - entry, atr, mirrored)!];
    const same = (a: readonly number[], b: readonly number[]) => {
      expect(a.length).toBe(b.length);
      a.forEach((price, at) => expect(200 - price).toBeCloseTo(b[at]!, 4));
    };
    same([long.stopLoss], [short.stopLoss]);
    same(long.takeProfit, short.takeProfit);
    same(long.support.slice(0, 1), short.resistance.slice(0, 1));
  }));
});

test('without an ATR, or where the stop would be worth nothing, there are no levels; a target below zero is left out', () => {
  for (const atr of [0, -1, Number.NaN, Infinity]) expect(levelsOf('long', 100, atr, [])).toBeUndefined();
  expect(levelsOf('long', 1, 0.7, [])).toBeUndefined();
  expect(levelsOf('short', 1, 0.3, [])?.takeProfit).toEqual([0.4, 0.1]);
  expect(levelsOf('short', 1, 0.6, [])).toBeUndefined();
});
