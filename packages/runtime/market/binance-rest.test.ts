import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemWall } from '../time.ts';
import { BinanceRest } from './binance-rest.ts';

let server: Server;
let answer: (request: IncomingMessage, response: ServerResponse) => void;
let rest: BinanceRest;
let ending: AbortController;
const asked: string[] = [];
const offGrid: [string, string, readonly number[]][] = [];
beforeEach(async () => {
  asked.length = 0;
  offGrid.length = 0;
  server = createServer((request, response) => {
    asked.push(request.url ?? '');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ending = new AbortController();
  rest = new BinanceRest({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, wall: systemWall, signal: ending.signal, onOffGrid: (...rows) => offGrid.push(rows) });
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

test('symbols are read again only when they are older than asked, and once for all who ask together', async () => {
  says(200, { symbols: [], rateLimits: [{ rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: 1_200 }] });
  expect(rest.exchangeInfoAgeMs()).toBe(Infinity);
  await Promise.all([rest.exchangeInfo(), rest.exchangeInfo(60_000)]);
  await rest.exchangeInfo(60_000);
  expect(asked).toHaveLength(1);
  expect(rest.exchangeInfoAgeMs()).toBeLessThan(60_000);
  expect(rest.budget.limit).toBe(1_200);
  await rest.exchangeInfo();
  expect(asked).toHaveLength(2);
});

const real = join(process.env['TRADEMIND_DATA'] ?? join(import.meta.dirname, '../../../../shared/data'), 'binance/exchange-info-2021-10-12.json.gz');
test.skipIf(!existsSync(real))('a whole real exchangeInfo is read', async () => {
  says(200, gunzipSync(readFileSync(real)).toString('utf8'));
  const symbols = await rest.exchangeInfo();
  expect(symbols).toHaveLength(1_695);
  expect(symbols.find(({ symbol }) => symbol === 'JSTUSDT')).toMatchObject({ baseAsset: 'JST', quoteAsset: 'USDT', status: 'TRADING', leveraged: false });
  expect(symbols.filter(({ leveraged }) => leveraged).map(({ symbol }) => symbol)).toEqual(expect.arrayContaining(['BTCUPUSDT', 'BTCDOWNUSDT']));
});

test.each([
  ['out of order', [[120_000], [60_000]]], ['twice', [[60_000], [60_000]]], ['from before what was asked', [[0]]], ['after what was asked', [[240_000]]],
])('klines %s are no answer of the exchange', async (_what, opens) => {
  says(200, opens.map(([open]) => [open, '1', '2', '1', '1', '1', open! + 59_999, '1', 1, '1', '1', '0']));
  await expect(rest.klines('BTCUSDT', '1m', 60_000, { until: 180_000 })).rejects.toMatchObject({ code: 'exchange_malformed' });
});

const row = (openTime: number, closeTime = openTime + 3_599_999) => [openTime, '1', '2', '1', '1', '1', closeTime, '1', 1, '1', '1', '0'];

describe('rows that open off the grid, as the exchange has them since its outage of February 2018,', () => {
  // Hours from 28 minutes past, and the first on the grid again.
  const rows = [row(Date.UTC(2018, 1, 8), 1_518_049_694_788), ...Array.from({ length: 43 }, (_, hour) => row(1_518_168_494_789 + hour * 3_600_000)), row(Date.UTC(2018, 1, 11, 4)), row(Date.UTC(2018, 1, 11, 5))];
  const served = (change: (rows: unknown[][]) => unknown[][] = (all) => all) => {
    answer = (request, response) => {
      const query = new URL(request.url ?? '', 'http://exchange').searchParams;
      response.end(JSON.stringify(change(rows.filter(([open]) => (open as number) >= Number(query.get('startTime'))).slice(0, Number(query.get('limit'))))));
    };
  };

  test('are left out once they were said twice; a page that they filled goes on behind them', async () => {
    served();
    expect((await rest.klines('BTCUSDT', '1h', Date.UTC(2018, 1, 8), { limit: 3 })).map(({ openTime }) => new Date(openTime).toISOString())).toEqual(['2018-02-08T00:00:00.000Z', '2018-02-11T04:00:00.000Z', '2018-02-11T05:00:00.000Z']);
    expect(new Set(offGrid.map(([symbol, interval]) => `${symbol} ${interval}`))).toEqual(new Set(['BTCUSDT 1h']));
    expect(offGrid.flatMap(([, , opens]) => opens)).toEqual(rows.slice(1, 44).map(([open]) => open));
  });

  test('are no answer when they are said otherwise the second time: then a time was damaged', async () => {
    let calls = 0;
    served((all) => all.map((one, index) => (index === 2 ? one.with(0, (one[0] as number) + calls++) : one)));
    await expect(rest.klines('BTCUSDT', '1h', Date.UTC(2018, 1, 8))).rejects.toMatchObject({ code: 'exchange_malformed' });
    expect(offGrid).toEqual([]);
  });
});

test.each([[null], ['1e400'], ['-1'], [true], [[5]], [''], [5]])('a row with %j for a price is no answer of the exchange', async (price) => {
  says(200, [[60_000, price, '2', '1', '1', '1', 119_999, '1', 1, '1', '1', '0']]);
  await expect(rest.klines('BTCUSDT', '1m', 60_000)).rejects.toMatchObject({ code: 'exchange_malformed' });
});

test.each([
  ['end after their interval', 359_999, 1], ['end before they begin', 0, 1], ['have a part of a trade', 119_999, 1.5], ['have more trades than the world', 119_999, 8_640_000_000_000_001], ['count their trades in text', 119_999, '1'],
])('rows that %s are no answer of the exchange', async (_what, closeTime, trades) => {
  says(200, [[60_000, '1', '2', '1', '1', '1', closeTime, '1', trades, '1', '1', '0']]);
  await expect(rest.klines('BTCUSDT', '1m', 60_000)).rejects.toMatchObject({ code: 'exchange_malformed' });
});

test('more rows than were asked for are no answer of the exchange', async () => {
  says(200, [60_000, 120_000].map((open) => [open, '1', '2', '1', '1', '1', open + 59_999, '1', 1, '1', '1', '0']));
  await expect(rest.klines('BTCUSDT', '1m', 60_000, { limit: 1 })).rejects.toMatchObject({ code: 'exchange_malformed' });
});

test.each([['0x10'], ['-1'], ['1e308'], ['']])('a clock rate of %j is none', async (rate) => {
  says(200, { serverTime: 1_700_000_000_000 }, { 'x-market-clock-rate': rate });
  await expect(rest.time()).rejects.toMatchObject({ code: 'exchange_malformed' });
});

test('the age of a symbol is that of its first daily candle', async () => {
  says(200, [[86_400_000, '1', '2', '1', '1', '1', 172_799_999, '1', 1, '1', '1', '0']]);
  expect(await rest.firstDay('BTCUSDT')).toBe(86_400_000);
  expect(asked).toEqual(['/api/v3/klines?symbol=BTCUSDT&interval=1d&startTime=0&limit=1']);
  says(200, []);
  expect(await rest.firstDay('NEWUSDT')).toBeUndefined();
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
  const began = performance.now();
  await expect(rest.time()).rejects.toMatchObject({ code: 'exchange_limited' });
  says(200, { serverTime: 5 });
  await Promise.all([rest.time(), rest.time()]);
  expect(performance.now() - began).toBeGreaterThan(990);
});

test('what closes the gate is said with the time that is left; a date tells it as well as seconds', async () => {
  says(418, {}, { 'retry-after': new Date(Date.now() + 90_000).toUTCString() });
  await expect(rest.time()).rejects.toMatchObject({ code: 'exchange_banned' });
  expect(rest.budget.problem).toMatchObject({ code: 'exchange_banned', message: expect.stringMatching(/asked again in (8|9)\d s/) });
});

test('ending it ends what waits', async () => {
  answer = () => undefined;
  const waiting = rest.time();
  ending.abort(new Error('over'));
  await expect(waiting).rejects.toThrow('over');
});
