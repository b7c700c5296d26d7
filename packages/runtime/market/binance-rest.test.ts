import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemWall, type Wall } from '../time.ts';
import { BinanceRest } from './binance-rest.ts';
import { MarketClock } from './market-clock.ts';
import { WeightBudget } from './weight-budget.ts';

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let rest: BinanceRest;
let ending: AbortController;
const asked: string[] = [];
beforeEach(async () => {
  asked.length = 0;
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ending = new AbortController();
  rest = new BinanceRest({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, wall: systemWall, signal: ending.signal });
});
afterEach(() => {
  ending.abort();
  server.close();
  server.closeAllConnections();
});

const says = (status: number, body: unknown, headers: Record<string, string> = {}) => {
  answer = (_request, response) => response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
};

test('rows of klines become candles, and the weight that the exchange counts is known', async () => {
  says(200, [[1_700_000_040_000, '1.5', '2', '1', '1.75', '10', 1_700_000_099_999, '17', 3, '4', '7', '0']], { 'x-mbx-used-weight-1m': '42' });
  expect(await rest.klines('BTCUSDT', '1m', 1_700_000_040_000)).toEqual([{ openTime: 1_700_000_040_000, open: 1.5, high: 2, low: 1, close: 1.75, volume: 10, quoteVolume: 17, trades: 3, takerBuy: 4 }]);
  expect(asked).toEqual(['/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1700000040000&limit=1000']);
  expect(rest.budget.used).toBe(42);
});

test('leveraged tokens are told by permission, old form or new, never by name', async () => {
  const symbol = (name: string, more: object) => ({ symbol: name, baseAsset: 'X', quoteAsset: 'USDT', status: 'TRADING', ...more });
  says(200, { symbols: [symbol('JUPUSDT', { permissions: ['SPOT'] }), symbol('BTCUPUSDT', { permissions: ['LEVERAGED'] }), symbol('ETHDOWNUSDT', { permissions: [], permissionSets: [['SPOT', 'LEVERAGED']] })] });
  expect((await rest.exchangeInfo()).map(({ symbol: name, leveraged }) => `${name} ${leveraged}`)).toEqual(['JUPUSDT false', 'BTCUPUSDT true', 'ETHDOWNUSDT true']);
});

test('the rate of the market clock is 1 unless a header says otherwise', async () => {
  says(200, { serverTime: 5 });
  expect(await rest.time()).toMatchObject({ serverTime: 5, rate: 1 });
  says(200, { serverTime: 5 }, { 'x-market-clock-rate': '60' });
  expect(await rest.time()).toMatchObject({ rate: 60 });
});

test.each([
  [451, 'exchange_location_refused'], [418, 'exchange_banned'], [429, 'exchange_limited'], [403, 'exchange_forbidden'], [400, 'exchange_refused'], [502, 'exchange_failing'],
])('HTTP %i is told as %s', async (status, code) => {
  says(status, { code: -1, msg: 'no' });
  await expect(rest.klines('BTCUSDT', '1m', 0)).rejects.toMatchObject({ code });
});

test('an answer that cannot be read, and an exchange that is away, are told apart', async () => {
  says(200, '<html>');
  await expect(rest.time()).rejects.toMatchObject({ code: 'exchange_malformed' });
  says(200, [['x']]);
  await expect(rest.klines('BTCUSDT', '1m', 0)).rejects.toMatchObject({ code: 'exchange_malformed' });
  answer = (request) => request.socket.destroy();
  await expect(rest.time()).rejects.toMatchObject({ code: 'exchange_unreachable' });
});

test('after a 429 nobody asks before Retry-After is over', async () => {
  says(429, {}, { 'retry-after': '1' });
  await expect(rest.time()).rejects.toMatchObject({ code: 'exchange_limited' });
  says(200, { serverTime: 5 });
  const began = performance.now();
  await Promise.all([rest.time(), rest.time()]);
  expect(performance.now() - began).toBeGreaterThan(900);
});

test('ending it ends what waits', async () => {
  answer = () => undefined;
  const waiting = rest.time();
  ending.abort(new Error('over'));
  await expect(waiting).rejects.toThrow('over');
});

test('the weight budget lets nothing through beyond its share of a minute', async () => {
  let epoch = 30_000;
  const wall: Wall = { ...systemWall, epoch: () => epoch, now: () => epoch, random: () => 0 };
  const budget = new WeightBudget(wall);
  const stop = new AbortController();
  await budget.spend(20, stop.signal);
  budget.counted(4_790);
  await budget.spend(10, stop.signal);
  let through = false;
  const next = budget.spend(2, stop.signal).then(() => { through = true; }, () => undefined);
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  expect(through).toBe(false);
  stop.abort();
  await next;
  epoch = 60_000;
  await budget.spend(4_800, new AbortController().signal);
  expect(budget.used).toBe(4_800);
});

test('market time runs at its rate, never goes back, and never far beyond what the exchange has said', () => {
  let wall = 1_000;
  const clock = new MarketClock(() => wall);
  expect(clock.now()).toBe(0);
  clock.set({ serverTime: 1_000_000, rate: 60, sentAt: 900, receivedAt: 1_100 });
  expect(clock.now()).toBe(1_000_000);
  wall = 2_000;
  expect(clock.now()).toBe(1_060_000);
  expect(clock.seen()).toBe(1_000_000);
  clock.set({ serverTime: 1_030_000, rate: 60, sentAt: 1_990, receivedAt: 2_000 });
  expect(clock.now()).toBe(1_060_000);
  expect(clock.saw(1_070_000)).toBe(true);
  expect([clock.now(), clock.seen()]).toEqual([1_070_000, 1_070_000]);
  expect(clock.saw(9_000_000)).toBe(false);
  wall = 600_000;
  expect(clock.now()).toBe(1_070_000 + 5_000 * 60);
  expect(clock.seen()).toBe(1_070_000);
});
