import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import type { Candle } from '@trademind/core';
import { candleOf, FRAME_KINDS, FrameReader, klineStream, type FrameSink, type KlineStream } from './stream-frames.ts';

const k = { t: 1_700_000_040_000, T: 1_700_000_099_999, s: 'BTCUSDT', i: '1m', f: 1, L: 7, o: '100.1', c: '101', h: '102', l: '99', v: '5', n: 7, x: true, q: '500', V: '2', Q: '200', B: '0' };
const frame = (over: object = {}, event: object = {}) => JSON.stringify({ stream: 'btcusdt@kline_1m', data: { e: 'kline', E: 1_700_000_100_000, s: 'BTCUSDT', k: { ...k, ...over }, ...event } });
const candle: Candle = { openTime: k.t, open: 100.1, high: 102, low: 99, close: 101, volume: 5, quoteVolume: 500, trades: 7, takerBuy: 2 };
const wrapped = (stream: string, data: unknown) => JSON.stringify({ stream, data });

let told: unknown[];
let streams: Map<string, KlineStream>;
let reader: FrameReader;
const sink: FrameSink = {
  forming: (stream) => told.push(['forming', stream.eventTime, candleOf(stream)]),
  closed: ({ symbol, interval }, closed) => told.push(['closed', symbol, interval, closed]),
  price: (...price) => told.push(['price', ...price]),
  book: (...book) => told.push(['book', ...book]),
  answer: (id, error) => told.push(['answer', id, error]),
  shutdown: () => told.push(['shutdown']),
};
beforeEach(() => {
  told = [];
  streams = new Map([['btcusdt@kline_1m', klineStream('BTCUSDT', '1m')]]);
  reader = new FrameReader(streams);
});
const read = (text: string) => reader.read(Buffer.from(text), sink);

test('a kline frame becomes a candle of numbers; one that nobody asked for is only counted', () => {
  expect(read(frame())).toBe('kline');
  expect(told).toEqual([['closed', 'BTCUSDT', '1m', candle]]);
  streams.clear();
  expect(read(frame())).toBe('unasked');
  expect(told).toHaveLength(1);
});

test('the forming candle only moves on: what comes late, out of order or after its close is passed over', () => {
  const forming = (E: number, c: string, over: object = {}) => read(frame({ x: false, c, ...over }, { E }));
  forming(k.t + 10, '100');
  forming(k.t + 5, '100.5');
  read(frame());
  forming(k.t + 60_500, '101.5');
  const next = { t: k.t + 60_000, T: k.T + 60_000 };
  forming(k.t + 62_000, '101.5', next);
  read(frame());
  expect(told.map((one) => (one as [string])[0])).toEqual(['forming', 'closed', 'forming', 'closed']);
  expect(candleOf(streams.get('btcusdt@kline_1m')!)).toMatchObject({ openTime: next.t, close: 101.5 });
});

test.each([
  ['no JSON', '{"stream":'], ['null', 'null'], ['a number', '7'], ['no kline', frame({}, { k: null })], ['a price that is no number', frame({ c: 'x' })], ['a missing volume', frame({ v: undefined })],
  ['a volume of null', frame({ v: null })], ['an unknown interval', frame({ i: '7m' })], ['an open time off the grid', frame({ t: k.t + 1 })], ['an end that is not its own', frame({ T: k.T + 60_000 })],
  ['a low above the high', frame({ l: '103' })], ['a close above the high', frame({ c: '102.5' })], ['another symbol inside', frame({ s: 'ETHUSDT' })], ['another symbol than the stream', frame({ s: 'ETHUSDT' }, { s: 'ETHUSDT' })],
  ['closed before its end', frame({}, { E: k.t })], ['trades as text', frame({ n: '7' })], ['a part of a trade', frame({ n: 7.5 })], ['more trades than the world', frame({ n: 8_640_000_000_000_001 })],
  ['an interval that cannot be made text', frame({ i: { toString: null } })], ['a time after the year 2100', frame({}, { E: 4_200_000_000_000 })], ['a trade at a time below 0', wrapped('btcusdt@trade', { e: 'trade', E: -8, s: 'BTCUSDT', t: 1, p: '1', q: '1', T: 1, m: true, M: true })], ['a price of zero', wrapped('btcusdt@trade', { e: 'trade', E: 1, s: 'BTCUSDT', t: 1, p: '0.00', q: '1', T: 1, m: true, M: true })],
])('%s is malformed, and nothing is told', (_what, text) => {
  expect(read(text)).toBe('malformed');
  expect(told).toEqual([]);
});

test('trades, tickers, books, answers, refusals, an announced restart and unknown events are told apart', () => {
  const ticker = (s: string, c: string) => ({ e: '24hrMiniTicker', E: 9, s, c, o: '1', h: '3', l: '1', v: '4', q: '5' });
  const kinds = [
    '{"result":null,"id":3}', '{"error":{"code":2,"msg":"Invalid request"},"id":4}', '{"error":{"code":{"toString":null},"msg":["?"]},"id":5}', '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}',
    wrapped('btcusdt@trade', { e: 'trade', E: 8, s: 'BTCUSDT', t: 1, p: '2.5', q: '1', T: 8, m: true, M: true }),
    wrapped('btcusdt@bookTicker', { u: 1, s: 'BTCUSDT', b: '2.4', B: '1', a: '2.6', A: '1' }),
    wrapped('!miniTicker@arr', [ticker('BTCUSDT', '2.5'), ticker('ETHUSDT', '0.25')]), wrapped('btcusdt@miniTicker', ticker('BTCUSDT', '2.75')),
    wrapped('btcusdt@depth', { e: 'depthUpdate', E: 1 }), wrapped('btcusdt@avgPrice', { e: 'avgPrice' }), '[]',
  ].map(read);
  expect(kinds).toEqual(['answer', 'answer', 'answer', 'shutdown', 'trade', 'bookTicker', 'miniTicker', 'miniTicker', 'depthUpdate', 'unknown', 'unknown']);
  expect(told).toEqual([
    ['answer', 3, null], ['answer', 4, 'Invalid request (2)'], ['answer', 5, 'refused (?)'], ['shutdown'], ['price', 'BTCUSDT', 2.5, 8], ['book', 'BTCUSDT', 2.4, 2.6],
    ['price', 'BTCUSDT', 2.5, 9], ['price', 'ETHUSDT', 0.25, 9], ['price', 'BTCUSDT', 2.75, 9],
  ]);
});

const ticker = { e: '24hrMiniTicker', E: 9, s: 'BTCUSDT', c: '2.5', o: '1', h: '3', l: '1', v: '4', q: '5' };
const SHAPES: [string, object][] = [
  ['btcusdt@kline_1m', { e: 'kline', E: 1_700_000_100_000, s: 'BTCUSDT', k }],
  ['btcusdt@kline_1m', { e: 'kline', E: 1_700_000_050_000, s: 'BTCUSDT', k: { ...k, x: false } }],
  ['btcusdt@trade', { e: 'trade', E: 8, s: 'BTCUSDT', t: 1, p: '2.5', q: '1', T: 8, m: true, M: true }],
  ['btcusdt@aggTrade', { e: 'aggTrade', E: 8, s: 'BTCUSDT', a: 1, p: '2.5', q: '1', f: 1, l: 2, T: 8, m: true, M: true }],
  ['btcusdt@bookTicker', { u: 1, s: 'BTCUSDT', b: '2.4', B: '1', a: '2.6', A: '1' }],
  ['!miniTicker@arr', [ticker, { ...ticker, s: 'ETHUSDT' }]],
];

test('a frame reads the same by its template and by JSON.parse, whatever was done to it', () => {
  const edit = fc.tuple(fc.nat(400), fc.nat(4), fc.oneof(fc.string({ maxLength: 3 }), fc.stringMatching(/^[0-9."]{1,3}$/)));
  fc.assert(fc.property(fc.constantFrom(...SHAPES), fc.option(edit), ([stream, data], change) => {
    const whole = wrapped(stream, data);
    const text = change ? whole.slice(0, change[0] % whole.length) + change[2] + whole.slice((change[0] % whole.length) + change[1]) : whole;
    const outcomes = [text, ` ${text}`].map((one) => {
      told = [];
      reader = new FrameReader(new Map([['btcusdt@kline_1m', klineStream('BTCUSDT', '1m')]]));
      return [read(one), told];
    });
    // A space before it keeps the second from every template.
    expect(outcomes[0]).toEqual(outcomes[1]);
  }), { numRuns: 5_000 });
});

test('whatever comes, reading never throws', () => {
  fc.assert(fc.property(fc.oneof(fc.string().map((text) => Buffer.from(text)), fc.json().map((text) => Buffer.from(text)), fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)), fc.json().map((data) => Buffer.from(`{"stream":"btcusdt@kline_1m","data":${data}}`))), (bytes) => {
    expect(FRAME_KINDS).toContain(reader.read(bytes, sink));
  }), { numRuns: 2_000 });
});

const recording = join(process.env['TRADEMIND_DATA'] ?? join(import.meta.dirname, '../../../../shared/data'), 'binance/mixed-stream-sample-2021.gz');
test.skipIf(!existsSync(recording))('of a real recorded stream every frame is read, by kind', () => {
  const lines = gunzipSync(readFileSync(recording)).toString('utf8').trim().split('\n').slice(1);
  for (const symbol of ['NKNUSDT', 'LRCBTC']) streams.set(`${symbol.toLowerCase()}@kline_1m`, klineStream(symbol, '1m'));
  const counts: Record<string, number> = {};
  for (const line of lines) {
    const kind = read(line.slice(line.indexOf('{')));
    counts[kind] = (counts[kind] ?? 0) + 1;
  }
  expect(Object.keys(counts).toSorted()).toEqual(['aggTrade', 'bookTicker', 'depthUpdate', 'kline']);
  expect(counts['kline']).toBe(2);
  expect(Object.values(counts).reduce((sum, count) => sum + count)).toBe(lines.length);
});
