import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseStreamFrame } from './stream-frames.ts';

const k = { t: 1_700_000_040_000, T: 1_700_000_099_999, s: 'BTCUSDT', i: '1m', o: '100.1', c: '101', h: '102', l: '99', v: '5', q: '500', n: 7, x: true, V: '2', Q: '200' };
const frame = (over: object = {}, event: object = {}) => JSON.stringify({ stream: 'btcusdt@kline_1m', data: { e: 'kline', E: 1_700_000_100_000, s: 'BTCUSDT', k: { ...k, ...over }, ...event } });

test('a kline frame becomes a candle of numbers', () => {
  expect(parseStreamFrame(frame())).toEqual({
    kind: 'kline', symbol: 'BTCUSDT', interval: '1m', eventTime: 1_700_000_100_000, closed: true,
    candle: { openTime: 1_700_000_040_000, open: 100.1, high: 102, low: 99, close: 101, volume: 5, quoteVolume: 500, trades: 7, takerBuy: 2 },
  });
});

test.each([
  ['no JSON', '{"stream":'], ['null', 'null'], ['a number', '7'], ['no kline', frame({}, { k: null })], ['a price that is no number', frame({ c: 'x' })], ['a missing volume', frame({ v: undefined })],
  ['an unknown interval', frame({ i: '7m' })], ['an open time off the grid', frame({ t: k.t + 1 })], ['an end that is not its own', frame({ T: k.T + 60_000 })],
  ['a low above the high', frame({ l: '103' })], ['another symbol inside', frame({ s: 'ETHUSDT' })], ['closed before its end', frame({}, { E: k.t })], ['trades as text', frame({ n: '7' })],
])('%s is malformed', (_what, text) => {
  expect(parseStreamFrame(text)).toEqual({ kind: 'malformed' });
});

test('answers, refusals, an announced restart and other events are told apart', () => {
  expect(parseStreamFrame('{"result":null,"id":3}')).toEqual({ kind: 'answer', id: 3, error: null });
  expect(parseStreamFrame('{"error":{"code":2,"msg":"Invalid request"},"id":4}')).toEqual({ kind: 'answer', id: 4, error: 'Invalid request (2)' });
  expect(parseStreamFrame('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}')).toEqual({ kind: 'shutdown' });
  expect(parseStreamFrame('{"stream":"btcusdt@trade","data":{"e":"trade"}}')).toEqual({ kind: 'other' });
  expect(parseStreamFrame('{"stream":"btcusdt@bookTicker","data":{"u":1,"s":"BTCUSDT"}}')).toEqual({ kind: 'other' });
});

test('whatever comes, reading never throws', () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json(), fc.tuple(fc.nat(300), fc.string({ maxLength: 5 })).map(([cut, noise]) => frame().slice(0, cut) + noise + frame().slice(cut))), (text) => {
    expect(['kline', 'answer', 'shutdown', 'other', 'malformed']).toContain(parseStreamFrame(text).kind);
  }), { numRuns: 1_000 });
});

const recording = join(process.env['TRADEMIND_DATA'] ?? join(import.meta.dirname, '../../../../shared/data'), 'binance/mixed-stream-sample-2021.gz');
test.skipIf(!existsSync(recording))('of a real recorded stream every kline is read and nothing is malformed', () => {
  const lines = gunzipSync(readFileSync(recording)).toString('utf8').trim().split('\n').slice(1);
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const { kind } = parseStreamFrame(line.slice(line.indexOf('{')));
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  expect(counts).toEqual({ kline: 2, other: lines.length - 2 });
});
