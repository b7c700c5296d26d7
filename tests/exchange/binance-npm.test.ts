import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MainClient, WebsocketClient, type WsKey } from 'binance';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startExchange, type Exchange } from '../../local-cloud/exchange/start.ts';

// The npm package `binance` as its users run it; only the addresses are others.
const dataDir = mkdtempSync(join(tmpdir(), 'tm-binance-'));
const MAIN: WsKey = 'main';
const symbol = 'BTCUSDT';
let exchange: Exchange;
let client: MainClient;

beforeAll(async () => {
  exchange = await startExchange({ port: 0, adminPort: 0, market: 'simulated', seed: 'npm', symbols: 12, speed: 0, dataDir, now: Date.now, log: () => undefined });
  client = new MainClient({ baseUrl: exchange.url });
});
afterAll(async () => {
  await exchange.close();
  rmSync(dataDir, { recursive: true, force: true });
});

const step = (ms: number, by = ms) => fetch(`${exchange.admin}/clock`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ step: ms, by }) });

describe('binance (npm) over REST', () => {
  test('reads every public endpoint, and they agree', async () => {
    const info = await client.getExchangeInfo();
    expect(info.symbols).toHaveLength(12);
    const [klines, uiKlines] = await Promise.all([client.getKlines({ symbol, interval: '1m', limit: 5 }), client.getUIKlines({ symbol, interval: '1m', limit: 5 })]);
    expect(uiKlines).toEqual(klines);
    const [recent, aggregated, book, price, ticker, best, average] = await Promise.all([
      client.getRecentTrades({ symbol, limit: 100 }), client.getAggregateTrades({ symbol, limit: 100 }), client.getOrderBook({ symbol, limit: 20 }),
      client.getSymbolPriceTicker({ symbol }), client.get24hrChangeStatistics({ symbol }), client.getSymbolOrderBookTicker({ symbol }), client.getAvgPrice({ symbol }),
    ]);
    expect(aggregated.map(({ f, p, q, T }) => [f, p, q, T])).toEqual(recent.map(({ id, price: at, qty, time }) => [id, at, qty, time]));
    const last = recent.at(-1);
    expect(price).toEqual({ symbol, price: last?.price });
    expect(klines.at(-1)?.[4]).toBe(last?.price);
    expect(ticker).toMatchObject({ lastPrice: last?.price, lastQty: last?.qty, lastId: last?.id, bidPrice: book.bids[0]?.[0], askPrice: book.asks[0]?.[0] });
    expect(best).toMatchObject({ bidPrice: book.bids[0]?.[0], bidQty: book.bids[0]?.[1], askPrice: book.asks[0]?.[0], askQty: book.asks[0]?.[1] });
    expect(average).toMatchObject({ mins: 5 });
    const older = await client.getHistoricalTrades({ symbol, fromId: (recent[0]?.id ?? 0) - 10, limit: 20 });
    expect(older.slice(10)).toEqual(recent.slice(0, 10));
    expect(await client.getRollingWindowTicker({ symbol, windowSize: '1h' } as never)).toMatchObject({ lastPrice: last?.price });
    expect(await client.getTradingDayTicker({ symbol })).toMatchObject({ lastPrice: last?.price });
  });

  test('understands a refusal', async () => {
    await expect(client.getKlines({ symbol: 'NOPE', interval: '1m' })).rejects.toMatchObject({ code: -1121, message: 'Invalid symbol.' });
  });
});

describe('binance (npm) over WebSocket', () => {
  test('subscribes to every kind of stream and gets each, in the form it knows', async () => {
    const silent = { trace: () => undefined, info: () => undefined, error: () => undefined };
    const socket = new WebsocketClient({ wsUrl: exchange.streams, beautify: true }, silent);
    const raw: Record<string, unknown[]> = {};
    const formatted = new Set<string>();
    const problems: unknown[] = [];
    const kind = (event: unknown, key: 'e' | 'eventType') => ((Array.isArray(event) ? event[0] : event) as Record<string, string | undefined>)[key] ?? 'none';
    socket.on('message', (event) => { (raw[kind(event, 'e')] ??= []).push(event); });
    socket.on('formattedMessage', (event) => { formatted.add(kind(event, 'eventType')); });
    socket.on('exception', (error) => { problems.push(error); });
    try {
      const streams = ['kline_1m', 'kline_1s', 'trade', 'aggTrade', 'bookTicker', 'depth@100ms', 'miniTicker', 'ticker', 'ticker_1h', 'avgPrice'];
      await socket.subscribe([...streams.map((stream) => `${symbol.toLowerCase()}@${stream}`), '!miniTicker@arr'], MAIN);
      const wanted = ['kline', 'trade', 'aggTrade', 'bookTicker', 'depthUpdate', '24hrMiniTicker', '24hrTicker', '1hTicker', 'avgPrice'];
      await expect.poll(async () => {
        await step(2_000, 100);
        return wanted.filter((event) => !raw[event]);
      }, { timeout: 90_000 }).toEqual([]);
      expect(wanted.filter((event) => !formatted.has(event))).toEqual([]);
      expect(problems).toEqual([]);
      const ids = (raw['trade'] as { t: number }[]).map(({ t }) => t);
      expect(ids).toEqual(ids.map((_, i) => (ids[0] as number) + i));
      const depth = raw['depthUpdate'] as { U: number; u: number }[];
      for (const [i, { U }] of depth.entries()) if (i > 0) expect(U).toBe((depth[i - 1]?.u ?? 0) + 1);
    } finally {
      socket.closeAll(true);
    }
  });
});
