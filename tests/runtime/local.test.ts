import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Interval } from '@trademind/core';
import { afterEach, expect, test } from 'vitest';
import { startLocal, type FeedEvent } from '@trademind/runtime';
import { startExchange } from '../../local-cloud/exchange/start.ts';
import { connectRaw, startTestFeed, TestSource } from '../support/feed.ts';
import { DIP, removeDir, startTestExchange, tempDir, until } from './world.ts';

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function folder(): Promise<string> {
  const path = tempDir();
  cleanups.push(() => removeDir(path));
  return Promise.resolve(path);
}

test('a client is told why a trader does not screen a symbol, and what is marked of a series beside its candles', async () => {
  const exchange = await startExchange({ market: 'simulated', seed: 'runtime', symbols: 6, port: 0, adminPort: 0, speed: 600, dataDir: await folder(), log: () => undefined });
  cleanups.push(() => exchange.close());
  const order = (fault: object) => fetch(`${exchange.admin}/faults`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(fault) });
  // One hour of history that it never had.
  const { marketTime } = await (await fetch(`${exchange.admin}/clock`)).json() as { marketTime: number };
  const hole = Math.floor(marketTime / 300_000) * 300_000 - 3_600_000;
  await order({ kind: 'missing-candle', symbol: 'BTCUSDT', interval: '5m', openTime: hole });
  const local = await startLocal({ dataDir: await folder(), interval: '5m', exchange: { restUrl: exchange.url, streamUrl: exchange.streams as string }, traders: [{ ...DIP, interval: '5m', universe: { quote: 'USDT', largest: 5, exclude: ['ETHUSDT'] } }] });
  cleanups.push(() => local.stop());
  await until('it screens', () => local.source.status().phase === 'screening');
  const source = Object.assign(new TestSource(), {
    explain: (...asked: [string, string]) => local.source.explain(...asked), candles: (...asked: [string, Interval, number]) => local.source.candles(...asked), marks: (...asked: [string, Interval, number]) => local.source.marks(...asked),
  });
  const feed = await startTestFeed({ source });
  cleanups.push(() => feed.close());
  const client = connectRaw(feed, await feed.ticket());
  const { data: { session } } = await client.next('hello');
  cleanups.push(() => { client.socket.terminate(); });
  const get = async (path: string) => (await fetch(feed.server.url + path, { headers: { authorization: `Bearer ${session}` } })).json() as Promise<Record<string, unknown>>;
  const explain = (symbol: string) => get(`/v1/explain?trader=${local.source.traders()[0]!.id}&symbol=${symbol}`);
  expect(await explain('ETHUSDT')).toMatchObject({ verdict: 'not in the universe', headline: 'Dip does not screen ETHUSDT. ETHUSDT is out: the trader excludes it.', sentence: expect.stringContaining('the trader excludes it') });
  expect(await explain('NONEUSDT')).toMatchObject({ headline: 'Dip does not screen NONEUSDT. NONEUSDT is out: the exchange does not list it.' });
  expect(await explain('BTCUSDT')).not.toMatchObject({ headline: expect.stringContaining('is in') });
  const told = await get('/v1/candles?symbol=BTCUSDT&interval=5m&limit=3');
  expect(told).toMatchObject({ items: [expect.anything(), expect.anything(), expect.anything()], marks: expect.arrayContaining([expect.objectContaining({ kind: 'hole', symbol: 'BTCUSDT', interval: '5m', openTime: hole, until: hole + 300_000 })]) });
}, 240_000);

test('the local terminal runs the same machine without a cloud; a changed document is the next version, what was found stays', async () => {
  const exchange = await startTestExchange({ speed: 600 });
  cleanups.push(() => exchange.close());
  const dataDir = await folder();
  const start = async (traders: Parameters<typeof startLocal>[0]['traders'], signal?: AbortSignal) => {
    const local = await startLocal({ dataDir, interval: '5m', exchange: { restUrl: exchange.url, streamUrl: exchange.streams }, traders, ...(signal ? { signal } : {}) });
    cleanups.push(() => local.stop());
    await until('it screens', () => local.source.status().phase === 'screening');
    return local;
  };
  const first = await start([DIP]);
  await until('signals', () => first.source.signals(10).length > 5);
  const [trader] = first.source.traders();
  expect(trader).toMatchObject({ version: 1, document: { name: 'Dip' } });
  expect(first.source.status().outbox.rows).toBe(0);
  expect(first.source.explain(trader?.id ?? '', 'BTCUSDT')).toMatchObject({ symbol: 'BTCUSDT', conditions: [{ name: 'low', ready: true }] });
  expect(first.source.explain('unknown', 'BTCUSDT')).toBeUndefined();
  const rows = first.source.markets();
  expect(rows.map(({ symbol }) => symbol)).toContain('BTCUSDT');
  for (const row of rows) {
    expect(row.price).toBeGreaterThan(0);
    expect(row.change24h).not.toBeNull();
    expect(row.quoteVolume24h).toBeGreaterThan(0);
  }
  await first.stop();

  const second = await start([DIP]);
  expect(second.source.traders()).toMatchObject([{ id: trader?.id, version: 1 }]);
  expect(second.source.signals(1_000).length).toBeGreaterThan(5);
  await second.stop();
  const ending = new AbortController();
  const third = await start([{ ...DIP, where: { low: 'rsi(5) < 30' } }], ending.signal);
  expect(third.source.traders()).toMatchObject([{ id: trader?.id, version: 2 }]);
  ending.abort();
  await third.stop();
});

test('a document that is no trader is refused before anything starts', async () => {
  const dataDir = await folder();
  await expect(startLocal({ dataDir, interval: '5m', exchange: { restUrl: 'http://127.0.0.1:1', streamUrl: 'ws://127.0.0.1:1' }, traders: [{ ...DIP, colour: 'red' } as never] })).rejects.toMatchObject({ code: 'trader_invalid' });
});

test('without an exchange it waits, says so, and ends when told', async () => {
  const dataDir = await folder();
  const said: string[] = [];
  const local = await startLocal({ dataDir, interval: '5m', exchange: { restUrl: 'http://127.0.0.1:1', streamUrl: 'ws://127.0.0.1:1' }, traders: [DIP], log: (_level, code) => said.push(code) });
  await until('it says so', () => local.source.status().problems.some(({ code }) => code === 'exchange_unreachable'));
  expect(local.source.status()).toMatchObject({ phase: 'booting', detail: 'Waiting for the exchange.' });
  expect(said.filter((code) => code === 'exchange_unreachable')).toHaveLength(1);
  await local.stop();
});

test('where a recording ends its symbol halts: this is said, shown, and nothing is invented', async () => {
  const candles = await folder();
  const start = Date.UTC(2024, 0, 1);
  const rows = Array.from({ length: 40 }, (_, index) => `${start + index * 60_000},100,${103 + (index % 7)},${99 - (index % 5)},${100 + (index % 3)},${10 + index}`);
  writeFileSync(join(candles, 'BTCUSDT-1m-test.csv'), `openTime,open,high,low,close,volume\n${rows.join('\n')}\n`);
  const exchange = await startExchange({ port: 0, adminPort: 0, dataDir: await folder(), market: candles, speed: 60, log: () => undefined });
  cleanups.push(() => exchange.close());
  const events: FeedEvent[] = [];
  const local = await startLocal({ dataDir: await folder(), interval: '1m', exchange: { restUrl: exchange.url, streamUrl: exchange['streams'] as string }, traders: [{ ...DIP, where: { up: 'close > sma(close, 3)' } }] });
  cleanups.push(() => local.stop());
  local.source.subscribe((event) => events.push(event));
  await until('it screens', () => local.source.status().phase === 'screening');
  // slow until the machine is there, fast to the end
  await fetch(`${exchange.admin}/clock`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ speed: 600 }) });
  await until('the halt is shown', () => local.source.status().market.halted.includes('BTCUSDT'), 120_000);
  expect(local.source.candles('BTCUSDT', '1m', 1_000)).toHaveLength(40);
  expect(local.source.markets()).toMatchObject([{ symbol: 'BTCUSDT', halted: true }]);
  const said = local.source.log().filter(({ code }) => code === 'symbol_halted');
  expect(said).toHaveLength(1);
  expect(events.some((event) => event.type === 'metrics' && event.data.markets.length > 0)).toBe(true);
});
