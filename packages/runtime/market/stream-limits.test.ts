import { afterEach, beforeEach, expect, test } from 'vitest';
import { AttemptBudget } from './attempt-budget.ts';
import { BinanceWebSocketClient } from './binance-websocket-client.ts';
import { HandExchange } from './testing/hand-exchange.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

let exchange: HandExchange;
let client: BinanceWebSocketClient;
/** Connections that stood at each attempt to open one. */
let standing: number[];
beforeEach(() => {
  exchange = new HandExchange(Date.UTC(2026, 1, 27), []);
  standing = [];
  // As a machine has it: no limit is told otherwise.
  client = new BinanceWebSocketClient({
    url: 'ws://exchange', wall: exchange.wall, log: () => undefined, open: (...of) => { standing.push(exchange.sockets.length); return exchange.openSocket(...of); },
    events: { onClosed: () => undefined, onForming: () => undefined, onPrice: () => undefined, onSubscribed: () => undefined, onState: () => undefined },
  });
});
afterEach(async () => {
  const stopped = client.stop();
  await exchange.pass(5 * SECOND);
  await stopped;
});
const want = (count: number) => client.want(Array.from({ length: count }, (_, index) => ({ symbol: `C${index}USDT`, interval: '1m' as const })));

test('no connection carries more than 1,024 streams', async () => {
  want(2_500);
  await exchange.pass(10 * SECOND);
  expect(exchange.sockets.map(({ streams }) => streams.size)).toEqual([1_024, 1_024, 452]);
  expect(client.connected).toBe(true);
});

test('a connection that says nothing, not even a ping, is given up after 30 s', async () => {
  want(1);
  await exchange.pass(MINUTE);
  exchange.silent = true;
  const since = exchange.wall.now();
  const heardAt = since - client.silenceMs();
  // Silence counts from the last ping.
  await exchange.pass(heardAt + 30 * SECOND - since - SECOND);
  expect([exchange.attempts.length, client.reconnects]).toEqual([1, 0]);
  await exchange.pass(3 * SECOND);
  expect([exchange.attempts.length, client.reconnects]).toEqual([2, 1]);
});

test('a connection is replaced before the exchange ends it after 24 hours, while the old one still stands', async () => {
  want(1);
  await exchange.pass(SECOND);
  for (let passed = 0; passed < 24 * HOUR && exchange.attempts.length < 2; passed += 10 * SECOND) await exchange.pass(10 * SECOND);
  const replacedAt = exchange.attempts[1]!;
  expect(replacedAt).toBeGreaterThanOrEqual(22.5 * HOUR);
  expect(replacedAt).toBeLessThanOrEqual(23.5 * HOUR + 10 * SECOND);
  await exchange.pass(MINUTE);
  expect([standing, exchange.sockets.length, client.connected, client.reconnects]).toEqual([[0, 1], 1, true, 0]);
});

test('at most 250 attempts are allowed in 5 minutes, and the next when the first of them is as old', async () => {
  const budget = new AttemptBudget(exchange.wall);
  const taken: number[] = [];
  const ending = new AbortController();
  const all = Promise.all(Array.from({ length: 600 }, async () => { if (await budget.take(ending.signal)) taken.push(exchange.wall.now()); }));
  await exchange.pass(SECOND);
  expect(taken).toHaveLength(250);
  await exchange.pass(5 * MINUTE - 2 * SECOND);
  expect(taken).toHaveLength(250);
  await exchange.pass(2 * SECOND);
  expect(taken).toHaveLength(500);
  ending.abort();
  await all;
  expect(taken).toHaveLength(500);
});

test('many connections that are refused again and again share one budget of attempts', async () => {
  exchange.refuses = () => 503;
  want(200 * 1_024);
  await exchange.pass(4 * MINUTE);
  expect(exchange.attempts.filter((at) => at < 5 * MINUTE).length).toBe(250);
  await exchange.pass(10 * MINUTE);
  const most = Math.max(...exchange.attempts.map((from) => exchange.attempts.filter((at) => at >= from && at < from + 5 * MINUTE).length));
  expect(most).toBeLessThanOrEqual(250);
  want(0);
});
