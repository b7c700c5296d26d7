import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import ccxt from 'ccxt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startExchange, type Exchange } from '../../local-cloud/exchange/start.ts';

// ccxt as its users run it; only the addresses are others. The market is stepped by the test, so that both sides can be compared while it stands.
const SYMBOL = 'BTC/USDT';
const dataDir = mkdtempSync(join(tmpdir(), 'tm-ccxt-'));
let exchange: Exchange;
let client: InstanceType<typeof ccxt.pro.binance>;

async function step(ms: number, by = ms): Promise<number> {
  const response = await fetch(`${exchange.admin}/clock`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ step: ms, by }) });
  return ((await response.json()) as { marketTime: number }).marketTime;
}

/** The result of a watch, which waits for the first frame: the market goes on until there is one. */
async function watch<T>(asked: Promise<T>): Promise<T> {
  for (;;) {
    await step(1_000, 100);
    const seen = await Promise.race([asked.then((value) => ({ value })), new Promise<null>((resolve) => { setTimeout(resolve, 50, null); })]);
    if (seen) return seen.value;
  }
}

const candles = async (...asked: Parameters<typeof client.fetchOHLCV>) => (await client.fetchOHLCV(...asked)) as number[][];

beforeAll(async () => {
  exchange = await startExchange({ port: 0, adminPort: 0, market: 'simulated', seed: 'ccxt', symbols: 12, speed: 0, dataDir, now: Date.now, log: () => undefined });
  client = new ccxt.pro.binance({ options: { defaultType: 'spot', fetchMarkets: { types: ['spot'] }, fetchCurrencies: false } });
  const api = client.urls['api'] as Record<string, unknown>;
  api['public'] = `${exchange.url}/api/v3`;
  (api['ws'] as Record<string, string>)['spot'] = `${exchange.streams}/ws`;
  // What ccxt asks for before it opens an address without TLS.
  await client.loadHttpProxyAgent();
});
afterAll(async () => {
  await client.close();
  await exchange.close();
  rmSync(dataDir, { recursive: true, force: true });
});

describe('ccxt over REST', () => {
  test('loads the markets, with their precision and limits', async () => {
    const markets = await client.loadMarkets();
    expect(Object.keys(markets)).toHaveLength(12);
    expect(markets[SYMBOL]).toMatchObject({ id: 'BTCUSDT', spot: true, active: true, precision: { amount: 0.00001, price: 0.01 }, limits: { cost: { min: 5 } } });
  });

  test('fetches candles, tickers, the book and trades that agree with each other', async () => {
    // A symbol with a few hundred trades a minute: all of them come in one answer.
    const symbol = 'DASH/USDT';
    const [forming] = await candles(symbol, '1m', undefined, 1);
    const tickers = await client.fetchTickers();
    const trades = await client.fetchTrades(symbol, undefined, 1_000);
    const book = await client.fetchOrderBook(symbol, 100);
    expect(Object.keys(tickers)).toHaveLength(12);
    expect(tickers[symbol]).toMatchObject({ last: trades.at(-1)?.price, bid: book.bids[0]?.[0], ask: book.asks[0]?.[0], bidVolume: book.bids[0]?.[1], askVolume: book.asks[0]?.[1] });
    expect(forming?.[4]).toBe(trades.at(-1)?.price);
    const since = trades.filter(({ timestamp }) => (timestamp ?? 0) >= (forming?.[0] ?? 0));
    expect(since.length).toBeLessThan(1_000);
    expect(forming?.[5]).toBeCloseTo(since.reduce((sum, { amount }) => sum + (amount ?? 0), 0), 5);
    expect(book.bids.length).toBeGreaterThan(50);
    const hours = await candles(SYMBOL, '1h', undefined, 24);
    expect(hours.map((row) => row[0])).toEqual(Array.from({ length: 24 }, (_, i) => (hours[0]?.[0] ?? 0) + i * 3_600_000));
  });
});

describe('ccxt over WebSocket', () => {
  test('watches candles to their close', async () => {
    const begun = Number((await watch(client.watchOHLCV(SYMBOL, '1m')))[0]?.[0]);
    await step(60_000, 1_000);
    let seen = begun;
    while (seen < begun + 60_000) seen = Number((await watch(client.watchOHLCV(SYMBOL, '1m'))).at(-1)?.[0]);
    const [closed] = await candles(SYMBOL, '1m', begun, 1);
    const cached = client.ohlcvs[SYMBOL]?.['1m'] as unknown as number[][];
    expect(cached.find((row) => row[0] === begun)).toEqual(closed);
  });

  test('watches the ticker', async () => {
    // The day that it tells of moves on with the market: both are compared while it stood still.
    for (let tries = 0; ; tries += 1) {
      const before = await client.fetchTicker('ETH/USDT');
      const ticker = await watch(client.watchTicker('ETH/USDT'));
      const after = await client.fetchTicker('ETH/USDT');
      expect(ticker.symbol).toBe('ETH/USDT');
      if (before.open !== after.open && tries < 50) continue;
      expect(ticker.open).toBe(after.open);
      expect(ticker.high).toBeLessThanOrEqual(after.high ?? 0);
      return;
    }
  });

  test('keeps a book, from a snapshot and the changes, that is the exchange\'s own', async () => {
    const begun = await watch(client.watchOrderBook(SYMBOL));
    const nonce = begun.nonce as number;
    for (let i = 0; i < 20; i++) await watch(client.watchOrderBook(SYMBOL));
    const kept = client.orderbooks[SYMBOL] as unknown as { bids: [number, number][]; asks: [number, number][]; nonce: number };
    const shown = await client.fetchOrderBook(SYMBOL, 1_000);
    expect(kept.nonce).toBeGreaterThan(nonce);
    // What happened since the last event comes with the next one: compare once both stand at the same update.
    for (let tries = 0; kept.nonce !== shown.nonce && tries < 50; tries++) {
      await watch(client.watchOrderBook(SYMBOL));
      Object.assign(shown, await client.fetchOrderBook(SYMBOL, 1_000));
    }
    expect(kept.nonce).toBe(shown.nonce);
    expect([...kept.bids].slice(0, 100)).toEqual(shown.bids.slice(0, 100));
    expect([...kept.asks].slice(0, 100)).toEqual(shown.asks.slice(0, 100));
  });

  test('watches trades', async () => {
    const seen = await watch(client.watchTrades(SYMBOL));
    const known = await client.fetchTrades(SYMBOL, undefined, 1_000);
    for (const trade of seen) expect(known.find(({ id }) => id === trade.id)).toMatchObject({ price: trade.price, amount: trade.amount, side: trade.side });
  });
});
