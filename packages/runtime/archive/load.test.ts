import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Candle, Interval } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { CandleArchive } from './archive.ts';
import { columnsOf } from './columns.ts';
import { nodeDisk } from './disk.ts';
import { loadHistory } from './load.ts';
import { steadyCandles } from './testing/candles.ts';
import { ArchiveWriter } from './writer.ts';

const KEY = { symbol: 'BTCUSDT', interval: '1m' as Interval };
const START = Date.UTC(2024, 1, 28);
const CANDLES = steadyCandles('1m', START, 10_000);
const at = (index: number) => START + index * 60_000;
let folder: string;
beforeEach(() => { folder = mkdtempSync(join(tmpdir(), 'tm-load-')); });
afterEach(() => rmSync(folder, { recursive: true }));
/** An archive of these candles. */
function archiveOf(candles: readonly Candle[]): CandleArchive {
  const writer = new ArchiveWriter(folder, { disk: nodeDisk, pid: process.pid });
  writer.merge([{ key: KEY, candles: columnsOf(candles), gaps: [] }], { onConflict: 'new' });
  writer.close();
  return writer.archive;
}
const load = (candles: readonly Candle[], store: CandleStore, range = {}) => loadHistory(archiveOf(candles), KEY, range, store);
const storeOf = (capacity: number, candles: readonly Candle[] = []) => {
  const store = new CandleStore({ capacity: () => capacity });
  for (const candle of candles) store.append('BTCUSDT', '1m', candle);
  return store;
};

test('the engine\'s store holds what the archive had, the newest of it where there is no room for all', () => {
  for (const capacity of [1, 100, 10_000, 12_000]) {
    const store = storeOf(capacity);
    expect(load(CANDLES, store)).toEqual({ loaded: 10_000, estimated: 0 });
    expect(store.read('BTCUSDT', '1m')).toEqual(CANDLES.slice(-capacity));
  }
});

test('only what follows the last hole of a range is loaded', () => {
  const store = storeOf(12_000);
  expect(load([...CANDLES.slice(0, 5_000), ...CANDLES.slice(5_003)], store)).toMatchObject({ loaded: 4_997 });
  expect(store.read('BTCUSDT', '1m')).toEqual(CANDLES.slice(5_003));
  const earlier = storeOf(12_000);
  expect(load([], earlier, { from: at(10), to: at(4_200) })).toMatchObject({ loaded: 4_190 });
  expect(earlier.read('BTCUSDT', '1m')).toEqual(CANDLES.slice(10, 4_200));
  expect(load([], storeOf(9), { from: at(5_000), to: at(5_003) })).toEqual({ loaded: 0, estimated: 0 });
});

test('a store that has candles already takes the newer ones, and refuses a gap', () => {
  const store = storeOf(12_000, CANDLES.slice(0, 6_000));
  expect(load(CANDLES, store, { from: at(100) })).toMatchObject({ loaded: 4_000 });
  expect(store.read('BTCUSDT', '1m')).toEqual(CANDLES);
  expect(load([], store)).toMatchObject({ loaded: 0 });
  expect(() => load([], storeOf(900, CANDLES.slice(0, 300)), { from: at(400) })).toThrow(expect.objectContaining({ code: 'candle_gap' }));
});

test('a quote volume that the source did not have is estimated and counted; trades stay unknown', () => {
  const store = storeOf(12_000);
  expect(load(CANDLES.map((candle, index) => (index < 40 ? { ...candle, quoteVolume: Number.NaN, trades: Number.NaN } : candle)), store)).toEqual({ loaded: 10_000, estimated: 40 });
  const { volume, high, low, close } = CANDLES[3]!;
  expect(store.read('BTCUSDT', '1m')[3]).toMatchObject({ quoteVolume: volume * ((high + low + close) / 3), trades: Number.NaN });
  expect(store.read('BTCUSDT', '1m')[40]).toEqual(CANDLES[40]);
});
