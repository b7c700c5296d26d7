import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { countRecording } from './count-recording.ts';

const recordings = join(process.env['TRADEMIND_DATA'] ?? join(import.meta.dirname, '../../../../../shared/data'), 'binance');

// What is unknown in the first two is the order book that their recorder laid between the frames.
test.skipIf(!existsSync(recordings)).each([
  ['btcusdt-spot-stream-2024-08-08.gz', { trade: 9_757, bookTicker: 28_040, depthUpdate: 3_451, unknown: 1 }],
  ['ethusdt-spot-stream-2024-08-08.gz', { trade: 6_106, bookTicker: 24_077, depthUpdate: 3_434, unknown: 1 }],
  ['mixed-stream-sample-2021.gz', { kline: 2, aggTrade: 2, bookTicker: 84, depthUpdate: 177 }],
])('the real recording %s goes through the client with every frame counted, twice the same', async (name, expected) => {
  const path = join(recordings, name);
  const first = await countRecording(path);
  const { unknown = 0, ...parsed }: Record<string, number> = expected;
  const count = Object.values(parsed).reduce((sum, one) => sum + one);
  expect(first).toMatchObject({ byType: expected, parsed: count, frames: count + unknown, undelivered: 0, torn: false });
  expect(first.digest).toMatch(/^[0-9a-f]{64}$/);
  expect(await countRecording(path)).toEqual(first);
});
