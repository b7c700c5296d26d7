import { type Candle, type Interval } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import { expect, test } from 'vitest';
import { columnsOf } from './columns.ts';
import { estimateQuoteVolume, loadCandles } from './load.ts';
import { steadyCandles } from './testing/candles.ts';

const KEY = { symbol: 'BTCUSDT', interval: '1m' as Interval };
const START = Date.UTC(2024, 1, 28);
const CANDLES = steadyCandles('1m', START, 500);
const storeOf = (capacity: number, candles: readonly Candle[] = []) => {
  const store = new CandleStore({ capacity: () => capacity });
  for (const candle of candles) store.append('BTCUSDT', '1m', candle);
  return store;
};

test('the engine\'s store holds what the archive had, the newest of it where there is no room for all', () => {
  for (const capacity of [1, 100, 500, 900]) {
    const store = storeOf(capacity);
    expect(loadCandles(KEY, columnsOf(CANDLES), store)).toEqual({ loaded: 500, estimated: 0 });
    expect(store.read('BTCUSDT', '1m')).toEqual(CANDLES.slice(-capacity));
  }
});

test('only what follows the last hole is loaded', () => {
  const store = storeOf(900);
  expect(loadCandles(KEY, columnsOf([...CANDLES.slice(0, 200), ...CANDLES.slice(203)]), store)).toMatchObject({ loaded: 297 });
  expect(store.read('BTCUSDT', '1m')).toEqual(CANDLES.slice(203));
});

test('a store that has candles already takes the newer ones, and refuses a gap', () => {
  const store = storeOf(900, CANDLES.slice(0, 300));
  expect(loadCandles(KEY, columnsOf(CANDLES.slice(100)), store)).toMatchObject({ loaded: 200 });
  expect(store.read('BTCUSDT', '1m')).toEqual(CANDLES);
  expect(loadCandles(KEY, columnsOf(CANDLES), store)).toMatchObject({ loaded: 0 });
  expect(() => loadCandles(KEY, columnsOf(CANDLES.slice(400)), storeOf(900, CANDLES.slice(0, 300)))).toThrow(expect.objectContaining({ code: 'candle_gap' }));
});

test('a quote volume that the source did not have is estimated and counted; trades stay unknown', () => {
  const bare = columnsOf(CANDLES.map((candle, index) => (index < 40 ? { ...candle, quoteVolume: Number.NaN, trades: Number.NaN } : candle)));
  const store = storeOf(500);
  expect(loadCandles(KEY, bare, store)).toEqual({ loaded: 500, estimated: 40 });
  const { volume, high, low, close } = CANDLES[3]!;
  expect(store.read('BTCUSDT', '1m')[3]).toMatchObject({ quoteVolume: volume * ((high + low + close) / 3), trades: Number.NaN });
  expect(estimateQuoteVolume(bare)).toBe(0);
});
