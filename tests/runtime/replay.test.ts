import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { intervalClose, type Candle, type Signal } from '@trademind/core';
import { countRecording, openReplay, startLocal } from '@trademind/runtime';
import { ArchiveWriter, connectExchange, download, nodeDisk } from '@trademind/runtime/archive';
import { startExchange } from '../../local-cloud/exchange/start.ts';
import { BUSY, DIP, removeDir, tempDir, until } from './world.ts';

type Local = Awaited<ReturnType<typeof startLocal>>;

let folder: string;
let recording: string;
let live: { signals: Signal[]; candles: Candle[] };

/** All that a session found, and the candles that it found it in. */
function heard(source: Local['source']): Signal[] {
  const signals: Signal[] = [];
  source.subscribe((event) => { if (event.type === 'signal') signals.push(event.data); });
  return signals;
}
const candlesOf = (source: Local['source']) => source.candles('BTCUSDT', '1m', 100_000);
const key = ({ id, origin, price }: Signal) => `${id} ${origin} ${price}`;

/** A session against an exchange that cuts connections and loses closes, recorded as it happens. */
beforeAll(async () => {
  folder = tempDir();
  recording = join(folder, 'session.gz');
  const exchange = await startExchange({ market: 'simulated', seed: 'replay', symbols: 6, speed: 120, port: 0, adminPort: 0, dataDir: join(folder, 'exchange'), log: () => undefined });
  const harm = (fault: object) => fetch(`${exchange.admin}/faults`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(fault) });
  const options = { dataDir: join(folder, 'live'), interval: '1m' as const, exchange: { restUrl: exchange.url, streamUrl: exchange.streams as string }, traders: [BUSY, DIP], archive: join(folder, 'archive') };
  // What a machine knows already (candles on disk, a snapshot) is in no frame: a session that is recorded asks for it all the same.
  await fillArchive(options.archive, exchange.url);
  const before = await startLocal(options);
  await until('it screens', () => before.source.status().phase === 'screening');
  await before.stop();
  const local = await startLocal({ ...options, record: recording });
  const signals = heard(local.source);
  await until('a live signal', () => signals.some(({ origin }) => origin === 'live'));
  await harm({ kind: 'drop', stream: '*@kline_1m', contains: '"x":true', count: 4 });
  await new Promise((resolve) => { setTimeout(resolve, 2_000); });
  await harm({ kind: 'close' });
  await new Promise((resolve) => { setTimeout(resolve, 4_000); });
  live = { signals, candles: candlesOf(local.source) };
  await local.stop();
  await exchange.close();
});
afterAll(() => removeDir(folder));

async function fillArchive(path: string, url: string): Promise<void> {
  const { signal } = new AbortController();
  const source = connectExchange({ url, signal });
  const writer = new ArchiveWriter(path, { disk: nodeDisk, pid: process.pid });
  const to = await source.time();
  const keys = (await source.largest('USDT', 6)).map((symbol) => ({ symbol, interval: '1m' as const }));
  await download({ writer, source, keys, range: { from: to - 30 * 3_600_000, to }, concurrency: 8, signal, onProgress: () => undefined });
  writer.close();
}

async function replay(name: string, speed?: number) {
  const played = await openReplay(recording, speed === undefined ? {} : { speed });
  const local = await startLocal({ dataDir: join(folder, name), interval: '1m', exchange: played.exchange, wall: played.wall, traders: [BUSY, DIP] });
  const signals = heard(local.source);
  const report = await played.run();
  const candles = candlesOf(local.source);
  await local.stop();
  return { report, signals: signals.map(key), candles };
}

test('a recorded session, replayed through the same machine, finds the same to the last signal, every time and at any speed', async () => {
  const first = await replay('first');
  expect(first.report).toMatchObject({ undelivered: 0, torn: false });
  expect(first.signals.length).toBeGreaterThan(10);
  expect(await replay('second')).toEqual(first);
  expect(await replay('paced', 8)).toEqual(first);

  // The live session ended at some moment between two candles; the replay goes on until all of it is played.
  const until = intervalClose('1m', live.candles.at(-1)?.openTime ?? 0);
  expect(first.candles.filter(({ openTime }) => openTime < until)).toEqual(live.candles);
  // Which candle is the first live one depends on how fast the machine booted: but for that, all is the same.
  const played = new Set(first.signals.map((signal) => signal.split(' ')[0]));
  expect(live.signals.filter(({ id }) => !played.has(id))).toEqual([]);
});

test('the frames of a recorded session are counted by type, with the same digest every time', async () => {
  const counts = await countRecording(recording);
  expect(counts).toMatchObject({ undelivered: 0, torn: false, byType: { kline: expect.any(Number), miniTicker: expect.any(Number) } });
  // Every frame is read as what it is: the exchange harmed none in itself.
  expect(counts.parsed).toBe(counts.frames);
  expect(await countRecording(recording)).toEqual(counts);
});
