import { intervalMs, intervalOpen, type Interval } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { marksInMemory } from './candle-marks.ts';
import { MarketLink } from './market-link.ts';
import { HandExchange } from './testing/hand-exchange.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 1, 27, 10, 50, 30);
const ALL = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT'];

let exchange: HandExchange;
let link: MarketLink;
let store: CandleStore;
let ending: AbortController;
let running: Promise<void>;
let said: string[];
/** What its traders would choose at each look at the universe. */
let looks: { at: number; symbols: string[] }[];

beforeEach(async () => {
  exchange = new HandExchange(START, ALL);
  store = new CandleStore({ capacity: () => 2_000 });
  [said, looks] = [[], []];
  ending = new AbortController();
  const rules = { quote: 'USDT', include: [], exclude: [], largest: 2, minQuoteVolume: 0, minAgeDays: 0 };
  link = new MarketLink({
    exchange: { restUrl: 'http://exchange', streamUrl: 'ws://exchange', fetch: exchange.fetch, openSocket: exchange.openSocket }, wall: exchange.wall, signal: ending.signal,
    log: (_level, code) => said.push(code), startOf: (_symbol, interval) => intervalOpen(interval, link.clock.now()) - 30 * intervalMs(interval),
    take: (symbol, interval, candle) => { store.append(symbol, interval, candle); }, restart: (symbol, interval) => store.forget(symbol, interval), held: (symbol, interval, limit) => store.read(symbol, interval, limit),
    marks: marksInMemory(), listings: { listedAt: () => 0, setListedAt: () => undefined }, onPrice: () => undefined, onChange: () => undefined, rules: () => [rules],
    onUniverse: () => looks.push({ at: exchange.now(), symbols: link.universe.select(rules, new Set()) }),
  });
  const opened = link.open();
  await exchange.pass(2_000);
  expect(await opened).toBe(true);
  running = link.run();
  link.want(new Map(ALL.map((symbol) => [symbol, ['1m']])));
  await exchange.pass(10_000);
});
afterEach(async () => {
  ending.abort();
  await exchange.pass(1_000);
  await running;
});

const infos = () => exchange.asked.filter((path) => path.startsWith('/api/v3/exchangeInfo')).length;
const current = (symbol: string) => store.lastCloseTime(symbol, '1m') === intervalOpen('1m', exchange.now());

test('once an hour of market time the universe is read anew, and its traders choose again', async () => {
  expect(infos()).toBe(1);
  // The third becomes the largest by its hourly candles.
  exchange.told = (rows, symbol) => rows.map((row) => (symbol === 'SOLUSDT' ? row.with(7, String(Number(row[7]) * 1_000)) : row));
  await exchange.pass(59 * MINUTE);
  expect([infos(), looks.length]).toEqual([1, 0]);
  await exchange.pass(2 * MINUTE);
  expect(infos()).toBe(2);
  expect(looks).toMatchObject([{ symbols: expect.arrayContaining(['SOLUSDT']) }]);
  await exchange.pass(HOUR);
  expect([infos(), looks.length]).toEqual([3, 2]);
});

test('an hourly look that fails is said and repeated a minute later; what was known stays', async () => {
  exchange.refuses = (path) => (path.startsWith('/api/v3/exchangeInfo') ? 503 : undefined);
  await exchange.pass(61 * MINUTE);
  expect(said).toContain('exchange_failing');
  expect(looks).toEqual([]);
  expect(link.universe.status('BTCUSDT')).toBe('TRADING');
  exchange.refuses = () => undefined;
  await exchange.pass(2 * MINUTE);
  expect(looks).toHaveLength(1);
});

test('a symbol that halted and trades again is asked for by the hourly look, and nothing of it is missing', async () => {
  exchange.listed.set('ETHUSDT', { status: 'BREAK', volume: 1 });
  const haltedAt = intervalOpen('1m', exchange.now());
  exchange.lacks = (symbol, _interval, openTime) => symbol === 'ETHUSDT' && openTime >= haltedAt;
  await exchange.pass(5 * MINUTE);
  expect(link.candles.halted()).toEqual(['ETHUSDT']);
  const backAt = intervalOpen('1m', exchange.now());
  exchange.lacks = (symbol, interval, openTime) => interval === '1m' && symbol === 'ETHUSDT' && openTime >= haltedAt && openTime < backAt;
  // Its stream stays silent: only the list of symbols says that it is back.
  const unheard = exchange.market.frame.bind(exchange.market);
  exchange.market.frame = (...of) => (of[0] === 'ETHUSDT' ? '{"stream":"ethusdt@kline_1m","data":{}}' : unheard(...of));
  exchange.listed.set('ETHUSDT', { status: 'TRADING', volume: 1 });
  await exchange.pass(20 * MINUTE);
  expect(link.candles.halted()).toEqual(['ETHUSDT']);
  await exchange.pass(40 * MINUTE);
  expect(link.candles.halted()).toEqual([]);
  expect(link.marks.of('ETHUSDT', '1m')).toMatchObject([{ kind: 'hole', openTime: haltedAt, until: backAt }]);
  expect(store.read('ETHUSDT', '1m', 1)[0]!.openTime).toBeGreaterThan(backAt + 30 * MINUTE);
  expect(['BTCUSDT', 'SOLUSDT'].map(current)).toEqual([true, true]);
});

test('candles that the exchange begins off the grid are left out, their places marked once, and the series goes on', async () => {
  const from = intervalOpen('1m', exchange.now()) + MINUTE;
  const shifted = (interval: Interval, openTime: number) => interval === '1m' && openTime >= from && openTime < from + 3 * MINUTE;
  exchange.told = (rows, symbol, interval) => rows.map((row) => (symbol === 'BTCUSDT' && shifted(interval, row[0] as number) ? row.with(0, (row[0] as number) + 14_789).with(6, (row[6] as number) + 14_789) : row));
  const heard = exchange.market.frame.bind(exchange.market);
  exchange.market.frame = (...of) => (of[0] === 'BTCUSDT' && shifted('1m', of[2]) ? '{"stream":"btcusdt@kline_1m","data":{}}' : heard(...of));
  await exchange.pass(10 * MINUTE);
  const marks = link.marks.of('BTCUSDT', '1m');
  expect(marks.filter(({ kind }) => kind === 'hole')).toMatchObject([{ openTime: from, until: from + 3 * MINUTE }]);
  expect(marks.filter(({ kind }) => kind === 'off-grid')).toMatchObject([0, 1, 2].map((index) => ({ openTime: from + index * MINUTE, opened: from + index * MINUTE + 14_789 })));
  expect(link.marks.counts).toMatchObject({ hole: 1, 'off-grid': 3 });
  expect(ALL.map(current)).toEqual([true, true, true]);
});
