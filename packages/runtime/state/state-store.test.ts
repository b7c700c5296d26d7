import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Signal } from '@trademind/core';
import { STATE_FILE, StateStore } from './state-store.ts';

let dataDir: string;
let store: StateStore;
const open = () => new StateStore({ dataDir, epoch: () => 1_000, outbox: true });
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tm-state-'));
  store = open();
});
afterEach(() => {
  store.close();
  rmSync(dataDir, { recursive: true });
});

const traderId = randomUUID();
const signal = (closeTime: number, over: Partial<Signal> = {}): Signal => ({
  id: randomUUID(), traderId, traderVersion: 1, traderName: 'T', symbol: 'BTCUSDT', interval: '1m', side: 'long', price: 1, openTime: closeTime - 60_000, closeTime,
  phase: 'closed', origin: 'live', conditions: [], ...over,
});
const mark = (closeTime: number, symbol = 'BTCUSDT') => ({ traderId, version: 1, symbol, interval: '1m' as const, closeTime });

test('a step of screening is kept whole: signals, outbox, counts and watermark; a repeat changes nothing', () => {
  store.beginTrader({ traderId, version: 1, historyFrom: 0, liveFrom: 60_000 }, [mark(0)]);
  const [first, second] = [signal(60_000, { origin: 'history' }), signal(120_000)];
  expect(store.commit({ signals: [first, second], watermarks: [mark(120_000)] })).toEqual([first, second]);
  expect(store.commit({ signals: [first], watermarks: [mark(60_000)] })).toEqual([]);
  store.close();
  store = open();
  expect(store.signals(10)).toEqual([second, first]);
  expect(store.watermarks(traderId, 1)).toEqual([mark(120_000)]);
  expect(store.traderState(traderId, 1)).toEqual({ traderId, version: 1, historyFrom: 0, liveFrom: 60_000, liveSignals: 1, historySignals: 1 });
  expect(store.outboxState()).toEqual({ rows: 2, oldestAt: 1_000 });
  expect(JSON.parse(store.outbox.batch({ rows: 1, bytes: 1_000 })[0]?.payload ?? '')).toMatchObject({ id: first.id, trader_id: traderId, close_time: '1970-01-01T00:01:00.000Z', origin: 'history' });
});

test('a step that fails leaves nothing behind', () => {
  const broken = { ...signal(60_000), closeTime: 'soon' as unknown as number };
  expect(() => store.commit({ signals: [signal(60_000), broken], watermarks: [mark(60_000)] })).toThrow();
  expect([store.signals(10), store.watermarks(traderId, 1), store.outboxState().rows]).toEqual([[], [], 0]);
});

test('when a version was first seen is kept once and for all', () => {
  store.beginTrader({ traderId, version: 1, historyFrom: 1, liveFrom: 2 }, [mark(1)]);
  expect(store.beginTrader({ traderId, version: 1, historyFrom: 5, liveFrom: 6 }, [])).toMatchObject({ historyFrom: 1, liveFrom: 2 });
  expect(store.traderState(traderId, 2)).toBeUndefined();
});

test('members that left and traders that no longer run lose their watermarks', () => {
  store.beginTrader({ traderId, version: 1, historyFrom: 0, liveFrom: 0 }, [mark(0, 'A'), mark(0, 'B')]);
  store.setMembers(traderId, 1, { left: ['A'], joined: [mark(60_000, 'C')] });
  expect(store.watermarks(traderId, 1).map(({ symbol }) => symbol)).toEqual(['B', 'C']);
  store.keepOnly([{ id: traderId, version: 2 }]);
  expect(store.watermarks(traderId, 1)).toEqual([]);
});

test('traders, settings and used tickets survive; no traders ever heard of is not the same as none', () => {
  expect(store.cachedTraders()).toBeUndefined();
  store.cacheTraders([]);
  expect(store.cachedTraders()).toEqual([]);
  store.addUsedTicket('one', 2_000);
  store.set('key', 'a');
  store.set('key', 'b');
  store.close();
  store = open();
  expect([store.hasUsedTicket('one'), store.hasUsedTicket('two'), store.get('key'), store.get('other')]).toEqual([true, false, 'b', undefined]);
});

test('signals older than a week are let go', () => {
  store.beginTrader({ traderId, version: 1, historyFrom: 0, liveFrom: 0 }, []);
  const week = 7 * 86_400_000;
  store.commit({ signals: [signal(1), signal(week)], watermarks: [] });
  store.commit({ signals: Array.from({ length: 500 }, (_, index) => signal(week + 100_000 + index)), watermarks: [] });
  expect(store.signals(10_000).at(-1)?.closeTime).toBe(week);
});

test('what is to be known of candles, and when symbols were listed, survives a restart; a mark replaces one of its kind', () => {
  const candle = { openTime: 60_000, open: 1, high: 2, low: 1, close: 1.5, volume: 1, quoteVolume: 1.5, trades: 1, takerBuy: 1 };
  const of = { symbol: 'BTCUSDT', interval: '1m', at: 9 } as const;
  store.addCandleMark({ ...of, kind: 'corrected', openTime: 60_000, was: candle, now: { ...candle, close: 1.25 } });
  store.addCandleMark({ ...of, kind: 'corrected', openTime: 60_000, was: candle, now: { ...candle, close: 1.75 } });
  store.addCandleMark({ ...of, kind: 'hole', openTime: 0, until: 60_000 });
  store.addCandleMark({ ...of, symbol: 'ETHUSDT', kind: 'hole', openTime: 0, until: 60_000 });
  store.setListedAt('BTCUSDT', 5);
  store.setListedAt('BTCUSDT', 6);
  store.close();
  store = open();
  expect(store.candleMarks('BTCUSDT', '1m')).toEqual([
    { ...of, kind: 'hole', openTime: 0, until: 60_000 }, { ...of, kind: 'corrected', openTime: 60_000, was: candle, now: { ...candle, close: 1.75 } },
  ]);
  expect([store.listedAt('BTCUSDT'), store.listedAt('ETHUSDT')]).toEqual([5, undefined]);
});

test('without anywhere to send to, no outbox grows', () => {
  store.close();
  store = new StateStore({ dataDir, epoch: () => 1, outbox: false });
  store.commit({ signals: [signal(1)], watermarks: [] });
  expect([store.signals(1).length, store.outboxState().rows]).toEqual([1, 0]);
});

test('a folder that cannot be used, a damaged file and one of a newer version each say what to do', () => {
  const file = join(dataDir, 'file');
  writeFileSync(file, '');
  expect(() => new StateStore({ dataDir: join(file, 'below'), epoch: () => 1, outbox: true })).toThrow(expect.objectContaining({ code: 'data_dir_unusable' }));
  const damaged = join(dataDir, 'damaged');
  mkdirSync(damaged);
  writeFileSync(join(damaged, STATE_FILE), 'this is no database, whatever its name says. '.repeat(100));
  expect(() => new StateStore({ dataDir: damaged, epoch: () => 1, outbox: true })).toThrow(expect.objectContaining({ code: expect.stringMatching(/state_unreadable|data_dir_unusable/) as string }));
  const newer = new DatabaseSync(join(dataDir, STATE_FILE));
  newer.exec('pragma user_version = 99');
  newer.close();
  expect(open).toThrow(expect.objectContaining({ code: 'state_newer' }));
});
