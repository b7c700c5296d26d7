import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { intervalMs, intervalOpen, type Candle, type Interval } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ArchiveWriter, columnsOf, nodeDisk } from '../archive/index.ts';
import { ordinalOf } from '../archive/calendar.ts';
import { ArchivedCandles } from '../archive/stored-candles.ts';
import { longerHistory } from './longer-history.ts';
import { MarketLink } from './market-link.ts';
import { StoredHistory } from './stored-history.ts';
import { HandExchange } from './testing/hand-exchange.ts';

const MINUTE = 60_000;
const START = Date.UTC(2026, 2, 2, 10, 50, 30);
const SYMBOL = 'BTCUSDT';
const HISTORY = 3_000;
const KEY = { symbol: SYMBOL, interval: '1m' as Interval };
/** Open time of the candle under way, and of the first that is needed: on the 28th of the month before, so that two files are read. */
const NOW = intervalOpen('1m', START);
const at = (candle: number) => NOW - (HISTORY - candle) * MINUTE;

let exchange: HandExchange;
let folder: string;
let stop: (() => Promise<void>) | undefined;
let said: { level: string; code: string; fields: unknown }[];
beforeEach(() => {
  exchange = new HandExchange(START, [SYMBOL]);
  folder = mkdtempSync(join(tmpdir(), 'tm-stored-'));
  said = [];
});
afterEach(async () => {
  await stop?.();
  stop = undefined;
  rmSync(folder, { recursive: true });
});

/** What lies in the archive: the exchange's own candles of these stretches, by their place in the history that is needed, changed or not. */
function archive(stretches: readonly [from: number, to: number][], change: (candle: Candle) => Candle = (candle) => candle, gaps: readonly [number, number][] = []): void {
  const writer = new ArchiveWriter(folder, { disk: nodeDisk, pid: 1 });
  for (const [from, to] of stretches) writer.append(KEY, columnsOf(Array.from({ length: to - from }, (_, index) => change(exchange.market.candle(SYMBOL, '1m', at(from + index))))));
  if (gaps.length > 0) writer.append(KEY, columnsOf([]), gaps.map(([from, to]) => ({ from: ordinalOf('1m', at(from)), to: ordinalOf('1m', at(to)) })));
  writer.close();
}

/** Starts on one series of minutes; answers what was taken, in order, and what was asked of the exchange for it: first candle and number of those it had. */
async function start({ symbols = [SYMBOL], stored = true } = {}): Promise<{ taken: Candle[]; asked: [from: number, rows: number][] }> {
  const ending = new AbortController();
  const store = new CandleStore({ capacity: () => HISTORY + 100 });
  const taken: Candle[] = [];
  const log = (level: string, code: string, _message: string, fields?: unknown) => void said.push({ level, code, fields });
  const link: MarketLink = new MarketLink({
    exchange: { restUrl: 'http://exchange', streamUrl: 'ws://exchange', fetch: exchange.fetch, openSocket: exchange.openSocket }, wall: exchange.wall, signal: ending.signal, log,
    startOf: (_symbol, interval) => intervalOpen(interval, link.clock.now()) - HISTORY * intervalMs(interval), stored: stored ? new ArchivedCandles(folder, log) : undefined,
    take: (symbol, interval, candle) => {
      store.append(symbol, interval, candle);
      if (symbol === SYMBOL) taken.push({ ...candle });
    },
    restart: (symbol, interval) => { store.forget(symbol, interval); taken.length = 0; }, held: (symbol, interval, limit) => store.read(symbol, interval, limit), onPrice: () => undefined, onChange: () => undefined, onUniverse: () => undefined,
  });
  const opened = link.open();
  await exchange.pass(1_000);
  expect(await opened).toBe(true);
  const before = exchange.asked.length;
  const told = exchange.told;
  const rows: number[] = [];
  exchange.told = (...args) => {
    const answer = told(...args);
    rows.push(answer.length);
    return answer;
  };
  const running = link.run();
  link.want(new Map(symbols.map((symbol) => [symbol, ['1m']])));
  await exchange.pass(8_000);
  stop = async () => {
    ending.abort();
    await exchange.pass(1_000);
    await running;
  };
  const asked = exchange.asked.slice(before).filter((path) => path.startsWith('/api/v3/klines'))
    .map((path, index): [number, number] => [HISTORY - (NOW - Number(new URLSearchParams(path.split('?')[1]).get('startTime'))) / MINUTE, rows[index]!]);
  return { taken, asked };
}

const truth = (from = 0) => Array.from({ length: HISTORY - from }, (_, index) => exchange.market.candle(SYMBOL, '1m', at(from + index)));
const loaded = () => said.filter(({ code }) => code === 'history_loaded').map(({ fields }) => fields);
const codes = () => said.map(({ code }) => code).filter((code) => code.startsWith('archive'));

test('without an archive all is asked of the exchange, and nothing is said of one', async () => {
  const { taken, asked } = await start({ stored: false });
  expect(taken).toEqual(truth());
  expect(asked.reduce((sum, [, rows]) => sum + rows, 0)).toBeGreaterThanOrEqual(HISTORY);
  expect(loaded()).toEqual([]);
});

test('of an archive that reaches to a while ago only the rest is asked for, with the candles before it; the series is the same to the last digit', async () => {
  archive([[-500, 2_900]]);
  const { taken, asked } = await start();
  expect(taken).toEqual(truth());
  expect(asked).toEqual([[2_895, 106]]);
  expect(loaded()).toEqual([{ stored: 2_895, asked: 106 }]);
  expect(codes()).toEqual([]);
});

test('holes are asked for too, each with the candles around it; what the archive has none of is asked for as ever', async () => {
  archive([[200, 1_000], [1_010, 2_950]]);
  const { taken, asked } = await start();
  expect(taken).toEqual(truth());
  expect(asked.toSorted(([a], [b]) => a - b)).toEqual([[0, 205], [995, 20], [2_945, 56]]);
});

test('candles that the exchange never had are a hole only when it says so again', async () => {
  exchange.lacks = (_symbol, _interval, openTime) => openTime >= at(1_500) && openTime < at(1_502);
  archive([[0, 1_500], [1_502, 2_950]], undefined, [[1_500, 1_502]]);
  const { taken, asked } = await start();
  expect(taken).toEqual(truth(1_502));
  expect(asked).toEqual([[2_945, 56], [1_500, 0]]);
  await stop?.();
  exchange.lacks = () => false;
  expect((await start()).taken).toEqual(truth());
});

test('a torn end, a damaged block and a file of another name are not there, and are asked for', async () => {
  archive([[0, 700], [700, 1_400], [1_400, 2_100], [2_100, 2_900]]);
  const march = join(folder, SYMBOL, '1m', '2026-03.candles');
  const bytes = readFileSync(march);
  truncateSync(march, bytes.length - 11);
  expect((await start()).taken).toEqual(truth());
  expect(codes()).toEqual([]);
  await stop?.();

  bytes[bytes.length >> 1]! ^= 0x10;
  writeFileSync(march, bytes);
  expect((await start()).taken).toEqual(truth());
  expect(codes()).toEqual(['archive_damaged']);
  await stop?.();

  writeFileSync(march, readFileSync(join(folder, SYMBOL, '1m', '2026-02.candles')));
  expect((await start()).taken).toEqual(truth());
});

test('a file that cannot be read, and a folder that is none, are an empty archive', async () => {
  archive([[0, 2_000]]);
  rmSync(join(folder, SYMBOL, '1m', '2026-03.candles'));
  mkdirSync(join(folder, SYMBOL, '1m', '2026-03.candles'));
  expect((await start()).taken).toEqual(truth());
  expect(codes()).toEqual(['archive_unreadable']);
  await stop?.();
  rmSync(folder, { recursive: true });
  writeFileSync(folder, 'no folder');
  expect((await start()).taken).toEqual(truth());
});

test('longer candles that are not streamed come from the archive too', async () => {
  const now = Date.UTC(2026, 2, 2, 10, 50, 30);
  const first = Date.UTC(2026, 1, 10);
  const hours = Array.from({ length: 500 }, (_, hour) => exchange.market.candle(SYMBOL, '1h', first + hour * 60 * MINUTE));
  const asked: number[] = [];
  const options = {
    rest: { klines: (_symbol: string, interval: Interval, from: number, { until = Infinity } = {}) => {
      asked.push((from - first) / (60 * MINUTE));
      return Promise.resolve(exchange.market.rows(SYMBOL, interval, from, until, now, 1_000).map(([openTime]) => exchange.market.candle(SYMBOL, interval, openTime)));
    } },
    clock: { now: () => now, seen: () => now, isAhead: () => false }, wall: exchange.wall, signal: new AbortController().signal, symbol: SYMBOL, interval: '1h' as Interval,
  };
  const plain = await longerHistory(options, first);
  const stored = new StoredHistory({ candles: { read: () => ({ candles: hours.slice(0, 480), gaps: [] }) }, log: () => undefined });
  expect(await longerHistory({ ...options, stored }, first)).toEqual(plain);
  expect([plain.length, asked]).toEqual([490, [0, 475]]);
});

test('candles without all their columns, or that no exchange can have given, are asked for', async () => {
  archive([[0, 2_900]], (candle) => (candle.openTime < at(1_500) ? { ...candle, quoteVolume: Number.NaN } : candle.openTime === at(1_600) ? { ...candle, takerBuy: candle.volume * 2 } : candle));
  const { taken, asked } = await start();
  expect(taken).toEqual(truth());
  expect(asked.every(([from]) => from <= 1_600 || from >= 2_890)).toBe(true);
  expect(loaded()).toMatchObject([{ stored: expect.any(Number) }]);
});

test('where the exchange says something else of what is stored, nothing stored of that series counts', async () => {
  archive([[0, 2_900]], (candle) => (candle.openTime >= at(2_898) ? { ...candle, close: candle.low, open: candle.low } : candle));
  const { taken } = await start();
  expect(taken).toEqual(truth());
  expect(loaded()).toMatchObject([{ stored: 0 }]);
  expect(codes()).toEqual(['archive_differs']);
});

test('an archive of another market is left aside after a few series, and that is said once', async () => {
  const symbols = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT', 'ADAUSDT', 'BNBUSDT', 'LTCUSDT', 'DOTUSDT', 'UNIUSDT', 'TRXUSDT'];
  const writer = new ArchiveWriter(folder, { disk: nodeDisk, pid: 1 });
  for (const symbol of symbols) writer.append({ symbol, interval: '1m' }, columnsOf(Array.from({ length: 100 }, (_, index) => exchange.market.candle('OTHER', '1m', at(2_800 + index)))));
  writer.close();
  exchange = new HandExchange(START, symbols);
  expect((await start({ symbols })).taken).toEqual(truth());
  expect(said.filter(({ code }) => code === 'archive_differs').map(({ level }) => level)).toEqual(['info', 'info', 'warn']);
  expect(loaded()).toMatchObject([{ stored: 0 }]);
});

test('whatever is stored, the rows are the exchange\'s own, without a hole or a repeat', async () => {
  const whole = [...truth(), exchange.market.candle(SYMBOL, '1m', NOW)];
  const some = fc.record({ from: fc.nat(HISTORY), length: fc.nat(1_200) });
  await fc.assert(fc.asyncProperty(fc.array(some, { maxLength: 5 }), fc.array(some.map(({ from, length }) => ({ from, length: length % 4 })), { maxLength: 5 }), async (stretches, holes) => {
    const isIn = (index: number) => (one: { from: number; length: number }) => index >= one.from && index < one.from + one.length;
    const candles = truth().filter((_, index) => stretches.some(isIn(index)) && !holes.some(isIn(index)));
    let asked = 0;
    const history = new StoredHistory({ candles: { read: () => ({ candles, gaps: [] }) }, log: () => undefined });
    const options = {
      rest: { klines: (_symbol: string, _interval: Interval, from: number, { until = Infinity } = {}) => { asked += 1; return Promise.resolve(whole.filter(({ openTime }) => openTime >= from && openTime <= until).slice(0, 1_000)); } },
      clock: { now: () => START, isAhead: () => false }, wall: exchange.wall, signal: new AbortController().signal, symbol: SYMBOL, interval: '1m' as Interval, priority: 'backfill' as const,
    };
    const { rows, more } = await history.page(options, at(0));
    expect(rows).toEqual(whole.slice(0, rows.length));
    expect(more).toBe(rows.length < whole.length);
    expect(rows.length).toBeGreaterThanOrEqual(1_000);
    expect(asked).toBeLessThanOrEqual(4);
  }), { numRuns: 15 });
});
