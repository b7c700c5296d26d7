import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { BinanceWebSocketClient } from '../binance-websocket-client.ts';
import { openReplay } from './replay.ts';

const recordings = join(process.env['TRADEMIND_DATA'] ?? join(import.meta.dirname, '../../../../../shared/data'), 'binance');

/** What is no frame of the recording, or was not read. */
const OTHERS: ReadonlySet<string> = new Set(['answer', 'unknown', 'malformed', 'unasked']);

/** Plays a recording through the real client; answers what it counted, and a digest of all that it told with its times. */
async function play(name: string) {
  const replay = await openReplay(join(recordings, name));
  const digest = createHash('sha256');
  const tell = (...what: unknown[]) => digest.update(JSON.stringify([replay.wall.now(), ...what]));
  const client = new BinanceWebSocketClient({
    url: replay.exchange.streamUrl, wall: replay.wall, log: () => undefined, open: replay.exchange.openSocket,
    events: {
      onClosed: (series, candle, eventTime) => tell('closed', series.symbol, series.interval, candle, eventTime), onForming: (series, close, eventTime) => tell('forming', series.symbol, close, eventTime),
      onPrice: (...price) => tell('price', ...price), onBook: (...book) => tell('book', ...book), onSubscribed: (series) => tell('subscribed', series.length), onState: ({ connected }) => tell('state', connected),
    },
  });
  client.want(['NKNUSDT', 'LRCBTC'].map((symbol) => ({ symbol, interval: '1m' as const })));
  const report = await replay.run();
  const { counts, reconnects } = client;
  await client.stop();
  return { report, reconnects, counts: Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0)), digest: digest.digest('hex') };
}

// What is unknown in the first two is the order book that their recorder laid between the frames.
test.skipIf(!existsSync(recordings)).each([
  ['btcusdt-spot-stream-2024-08-08.gz', { trade: 9_757, bookTicker: 28_040, depthUpdate: 3_451, unknown: 1 }],
  ['ethusdt-spot-stream-2024-08-08.gz', { trade: 6_106, bookTicker: 24_077, depthUpdate: 3_434, unknown: 1 }],
  ['mixed-stream-sample-2021.gz', { kline: 2, aggTrade: 2, bookTicker: 84, depthUpdate: 177 }],
])('the real recording %s goes through the client with every frame counted, twice the same', async (name, expected) => {
  const first = await play(name);
  expect(first.counts).toEqual({ ...expected, answer: 1 });
  expect(first.report).toMatchObject({ frames: Object.values(expected).reduce((sum, count) => sum + count), undelivered: 0, torn: false });
  expect(first.reconnects).toBe(0);
  const second = await play(name);
  const { report, counts, digest } = first;
  const parsed = Object.entries(counts).reduce((sum, [kind, count]) => (OTHERS.has(kind) ? sum : sum + count), 0);
  console.log([
    `${name}: ${report.frames} frames in over ${(report.coversMs / 1_000).toFixed(0)} s: parsed ${parsed}, unknown ${counts['unknown'] ?? 0}, malformed ${counts['malformed'] ?? 0}`,
    `  by type: ${Object.entries(counts).map(([kind, count]) => `${kind} ${count}`).join(', ')}`,
    `  digest of all that was told: ${digest}, the second time ${second.digest === digest ? 'the same' : second.digest}`,
  ].join('\n'));
  expect(second).toEqual(first);
});
