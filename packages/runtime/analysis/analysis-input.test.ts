import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { intervalOpen, type Candle } from '@trademind/core';
import { CandleStore, evaluateExpression } from '@trademind/engine';
import { CLOSE, signalNumber, storedMarket, SYMBOLS, walk } from '../../../tests/support/analysis.ts';
import { analysisInput, type AnalysisInput } from './analysis-input.ts';
import { marketViewOf } from './market-view.ts';

const BRIEF = { name: 'Dip', description: 'Buys dips.' };
const view = (candles: CandleStore) => marketViewOf(candles, { now: () => CLOSE, rate: 1 });
function inputOf(candles: CandleStore, signal = signalNumber(0)): AnalysisInput {
  const found = analysisInput(signal, BRIEF, view(candles));
  if (!('input' in found)) throw new Error(JSON.stringify(found));
  return found.input;
}

test('a signal in numbers: conditions, indicators as the engine computes them, candles, levels of both sides, the market and the higher interval', () => {
  const input = inputOf(storedMarket());
  const candles = walk('BTCUSDT', 400).slice(-250);
  expect(input).toMatchObject({ side: 'long', interval: '5m', closedAt: new Date(CLOSE).toISOString(), named: { symbol: 'BTCUSDT', trader: 'Dip', description: 'Buys dips.' } });
  expect(input.conditions).toEqual([{ name: 'low', expression: 'rsi(14) < 30', holds: true, values: [{ expression: 'rsi(14)', value: 24.1235 }] }]);
  expect(input.indicators.rsi14).toBeCloseTo(evaluateExpression('rsi(14)', candles).values.at(-1) as number, 2);
  expect(input.candles.ohlcv).toHaveLength(20);
  expect(input.candles.ohlcv.at(-1)![3]).toBeCloseTo(candles.at(-1)!.close, 5);
  expect(input.levels.long!.stopLoss).toBeLessThan(input.price);
  expect(input.levels.short!.stopLoss).toBeGreaterThan(input.price);
  expect(input.market).toMatchObject({ symbols: SYMBOLS.length, risingPercent: expect.any(Number), medianChange: expect.any(Number), btcChange: expect.any(Number) });
  expect(input.higher).toMatchObject({ interval: '1h', candles: 33, rsi14: expect.any(Number) });
  expect(Object.values(input.indicators).every((value) => typeof value === 'number' && Number.isFinite(value))).toBe(true);
});

test('it is the same whenever it is asked, also when the market has gone on', () => {
  const later = storedMarket();
  const before = inputOf(later);
  for (const symbol of SYMBOLS) {
    let close = CLOSE;
    for (let n = 0; n < 30; n++) {
      const last = later.last(symbol, '5m')!;
      later.append(symbol, '5m', { ...last, openTime: close, open: last.close, close: last.close * 1.5, high: last.close * 2 });
      close += 300_000;
    }
  }
  expect(inputOf(later)).toEqual(before);
});

test('of a candle under way only the price is known', () => {
  const forming = { ...signalNumber(0), phase: 'forming' as const, openTime: CLOSE, closeTime: CLOSE + 300_000, price: 77 };
  const input = inputOf(storedMarket(), forming);
  expect(input).toMatchObject({ phase: 'forming', price: 77 });
  expect(input.levels.long!.entry).toBe(77);
  expect(input.candles).toEqual(inputOf(storedMarket()).candles);
});

test('it waits for its own candle, and says where there are too few or where they do not move', () => {
  const store = storedMarket(400, '5m', ['BTCUSDT']);
  expect(analysisInput(signalNumber(1), BRIEF, view(store))).toEqual({ waits: true });
  expect(analysisInput({ ...signalNumber(0), closeTime: CLOSE + 300_000 }, BRIEF, view(store))).toEqual({ waits: true });
  const few = new CandleStore({ capacity: () => 100 });
  for (const candle of walk('BTCUSDT', 29)) few.append('BTCUSDT', '5m', candle);
  expect(analysisInput(signalNumber(0), BRIEF, view(few))).toEqual({ none: 'no_history' });
  const flat = new CandleStore({ capacity: () => 100 });
  for (const { openTime } of walk('BTCUSDT', 60)) flat.append('BTCUSDT', '5m', { openTime, open: 5, high: 5, low: 5, close: 5, volume: 0, quoteVolume: 0, trades: 0, takerBuy: 0 });
  expect(analysisInput({ ...signalNumber(0), price: 5 }, BRIEF, view(flat))).toEqual({ none: 'no_levels' });
});

test('what is not known is null, never a number that it is not; of a hole only what comes after it counts', () => {
  const young = new CandleStore({ capacity: () => 100 });
  for (const candle of walk('BTCUSDT', 80).slice(-40)) young.append('BTCUSDT', '5m', candle);
  const input = inputOf(young);
  expect(input.indicators).toMatchObject({ ema200: null, ema50: null, ema21: expect.any(Number) });
  expect(input.summary).toMatchObject({ candles: 40, change50: null });
  expect(input.market).toBeNull();
  expect(input.higher!.rsi14).toBeNull();

  const holed = new CandleStore({ capacity: () => 100 });
  const candles = walk('BTCUSDT', 80);
  candles.forEach((candle, at) => holed.append('BTCUSDT', '5m', at === 39 ? Object.fromEntries(Object.entries(candle).map(([key, value]) => [key, key === 'openTime' ? value : Number.NaN])) as unknown as Candle : candle));
  expect(inputOf(holed)).toEqual(input);
});

test('every interval but the longest has a higher one that its own candles can be folded into', () => {
  for (const interval of ['1m', '3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d'] as const) {
    const store = storedMarket(900, interval, ['BTCUSDT']);
    const input = inputOf(store, { ...signalNumber(0), interval, closeTime: intervalOpen(interval, CLOSE), price: store.last('BTCUSDT', interval)!.close });
    expect(input.higher!.candles, interval).toBeGreaterThan(20);
    expect(input.higher!.rsi14, interval).not.toBeNull();
  }
});

test('no number in it is longer than it has to be, and it stays small', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 200 }), (n) => {
    const text = JSON.stringify(inputOf(storedMarket(), signalNumber(n)));
    expect(text.length).toBeLessThan(4_000);
    expect(text).not.toMatch(/\d{10,}|null,null,null,null,null/);
  }), { numRuns: 20 });
});
