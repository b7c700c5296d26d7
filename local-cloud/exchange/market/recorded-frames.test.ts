import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { recordings } from '../../../tests/support/recordings.ts';
import { connectTo, get, marketTime, rows, settled, start, step } from '../test-world.ts';
import { formatUnits } from './candle.ts';
import { MINUTE, WEEK } from './intervals.ts';
import { readRecordings } from './recordings.ts';

const scratch = mkdtempSync(join(tmpdir(), 'frames-'));
afterAll(() => rmSync(scratch, { recursive: true }));
const START = Date.UTC(2024, 7, 8);
let count = 0;
function file(lines: readonly string[], name = `abc-stream-${count++}.gz`): string {
  const path = join(scratch, name);
  writeFileSync(path, name.endsWith('.gz') ? gzipSync(lines.join('\n')) : lines.join('\n'));
  return path;
}
const trade = (after: number, price = '1.5', kind = 'trade') => JSON.stringify({ e: kind, E: START + after, s: 'ABCUSDT', t: 1, p: price, q: '2.00', T: START + after, m: after % 2 === 1, M: true });
const problem = (path: string) => {
  try {
    readRecordings(path);
    return null;
  } catch (error) {
    return error as Error & { code: string };
  }
};

describe('a recording of frames', () => {
  test('is read raw or combined, with a time before it or none, and other frames are passed over', () => {
    const lines = [
      'wss://stream.example/stream?streams=abcusdt@trade', trade(0), `1723161254087896568 {"stream":"abcusdt@trade","data":${trade(1, '1.6')}}`, `1723161254.08: ${trade(90_000)}`,
      '{"u":1,"s":"ABCUSDT","b":"1","B":"1","a":"2","A":"1"}', '{"lastUpdateId":1,"bids":[],"asks":[]}', '',
    ];
    for (const path of [file(lines), file(lines, 'a-stream.jsonl')]) {
      const [recording] = readRecordings(path);
      expect(recording).toMatchObject({ symbol: 'ABCUSDT', stretch: { from: START, to: START + 2 * MINUTE } });
      expect(recording?.trades).toEqual([
        { time: START, price: 150_000_000, quantity: 200_000_000, buyerMaker: false }, { time: START + 1, price: 160_000_000, quantity: 200_000_000, buyerMaker: true },
        { time: START + 90_000, price: 150_000_000, quantity: 200_000_000, buyerMaker: false },
      ]);
    }
  });

  test('takes aggregated trades only where there are no single ones', () => {
    expect(readRecordings(file([trade(0, '1.5', 'aggTrade'), trade(5)]))[0]?.trades).toHaveLength(1);
    expect(readRecordings(file([trade(0, '1.5', 'aggTrade'), trade(5, '1.5', 'aggTrade')]))[0]?.trades).toHaveLength(2);
  });

  test.each([
    [[trade(0).slice(0, 60)], /line 1: the frame is not whole JSON/],
    [[trade(0), trade(1).replace('"1.5"', '"-1"')], /line 2: a trade needs/],
    [[trade(0).replace('"ABCUSDT"', '"../x"')], /a trade needs/],
    [['{}'], /no trade in it/],
  ])('is refused with its line when it is damaged: %j', (lines, message) => {
    expect(problem(file(lines))).toMatchObject({ code: 'frames_malformed', message: expect.stringMatching(message) });
  });
});

const folder = recordings('binance');
test.skipIf(folder === null)('the real frames are played trade by trade, at their times, moved by whole weeks', async () => {
  const path = join(folder!, 'btcusdt-spot-stream-2024-08-08.gz');
  type Trade = { T: number; p: string; q: string; m: boolean };
  const recorded = gunzipSync(readFileSync(path)).toString('utf8').split('\n').filter((line) => line.includes('"e":"trade"')).map((line) => (JSON.parse(line.slice(line.indexOf('{'))) as { data: Trade }).data);
  const { exchange } = await start({ market: path, seed: undefined, speed: 0, adminPort: 0 }, { now: Date.UTC(2026, 10, 22, 23) });
  const begun = await marketTime(exchange);
  const shift = Math.round((begun - (recorded[0] as Trade).T) / WEEK) * WEEK;
  const client = await connectTo(exchange, '/stream?streams=btcusdt@trade/btcusdt@kline_1m');
  await step(exchange, 8 * MINUTE, 1_000);
  await settled(client);
  const told = client.frames.filter((frame) => frame['stream'] === 'btcusdt@trade').map((frame) => frame['data'] as Trade & { t: number });
  const expected = recorded.toSorted((a, b) => a.T - b.T).filter(({ T }) => T + shift > begun);
  expect(told.length).toBeGreaterThan(5_000);
  expect(told.map(({ T, p, q, m }) => [T - shift, p, q, m])).toEqual(expected.map(({ T, p, q, m }) => [T, p, q, m]));
  for (const [openTime, open, high, low, close, volume, , , trades] of await rows(exchange, 'symbol=BTCUSDT&interval=1m')) {
    const own = recorded.filter(({ T }) => T + shift >= Number(openTime) && T + shift < Number(openTime) + MINUTE);
    const prices = own.map(({ p }) => Number(p));
    expect([Number(open), Number(high), Number(low), Number(close), trades]).toEqual([prices[0], Math.max(...prices), Math.min(...prices), prices.at(-1), own.length]);
    expect(volume).toBe(formatUnits(own.reduce((sum, { q }) => sum + BigInt(q.replace('.', '')), 0n)));
  }
  expect(((await get(exchange, '/api/v3/exchangeInfo')).body['symbols'] as { status: string }[])[0]?.status).toBe('BREAK');
});
