import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import type { TradeMindError } from '@trademind/core';
import { systemWall, type Wall } from '../time.ts';
import { BinanceWebSocketClient, type Series } from './binance-websocket-client.ts';
import { openStreamSocket, type OpenStreamSocket } from './stream-socket.ts';

interface Message { method: string; params: string[]; id: number }

let server: Server;
let sockets: WebSocket[];
let messages: Message[];
/** When the client sent each of its messages. */
let sentAt: number[];
let refuse: { status: number; retryAfter?: number } | null;
let answers: boolean;
let handshakes: number[];
let wall: Wall;
let client: BinanceWebSocketClient;
let subscribed: string[];
let closed: string[];
let states: { connected: boolean; error: TradeMindError | null }[];
beforeEach(async () => {
  [sockets, messages, sentAt, subscribed, closed, states, refuse, answers, handshakes, wall] = [[], [], [], [], [], [], null, true, [], { ...systemWall, random: () => 0 }];
  const streams = new WebSocketServer({ noServer: true });
  server = createServer();
  server.on('upgrade', (request, socket, head) => {
    handshakes.push(performance.now());
    if (refuse !== null) {
      socket.end(`HTTP/1.1 ${refuse.status} Refused\r\n${refuse.retryAfter === undefined ? '' : `retry-after: ${refuse.retryAfter}\r\n`}content-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    streams.handleUpgrade(request, socket, head, (one) => {
      sockets.push(one);
      one.on('message', (data) => {
        const message = JSON.parse((data as Buffer).toString()) as Message;
        messages.push(message);
        if (answers) one.send(JSON.stringify({ result: null, id: message.id }));
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(async () => {
  await client.stop();
  sockets.forEach((socket) => socket.terminate());
  server.close();
  server.closeAllConnections();
});

const open: OpenStreamSocket = (url, events) => {
  const socket = openStreamSocket(url, events);
  return { get isOpen() { return socket.isOpen; }, close: () => socket.close(), terminate: () => socket.terminate(), send: (text) => { sentAt.push(performance.now()); socket.send(text); } };
};
function start(symbols: readonly string[], limits?: { streamsPerConnection?: number; silenceMs?: number; longestLifeMs?: number }): void {
  client = new BinanceWebSocketClient({
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, wall, open, log: () => undefined, ...(limits ? { limits } : {}),
    events: {
      onClosed: ({ symbol }, { close }) => closed.push(`${symbol} ${close}`), onForming: () => undefined, onPrice: () => undefined, onState: (state) => states.push(state),
      onSubscribed: (series) => subscribed.push(...series.map(({ symbol }) => symbol)),
    },
  });
  client.want(seriesOf(symbols));
}
const closing = (s: string, t: number) => JSON.stringify({
  stream: `${s.toLowerCase()}@kline_1m`, data: { e: 'kline', E: t + 60_000, s, k: { t, T: t + 59_999, s, i: '1m', o: '1', c: '2', h: '2', l: '1', v: '5', q: '5', n: 7, x: true, V: '2', Q: '2' } },
});
const seriesOf = (symbols: readonly string[]): Series[] => symbols.map((symbol) => ({ symbol, interval: '1m' }));
const names = (count: number) => Array.from({ length: count }, (_, index) => `C${index}USDT`);

async function until(answer: () => boolean): Promise<void> {
  const deadline = performance.now() + 40_000;
  while (!answer()) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

test('it subscribes, takes closed candles, and follows changes without reconnecting, within five messages a second', async () => {
  start(names(450));
  await until(() => subscribed.length === 450);
  expect(messages.map(({ params }) => params.length)).toEqual([200, 200, 50]);
  sentAt.slice(1).forEach((at, index) => expect(at - sentAt[index]!).toBeGreaterThan(200));
  sockets[0]?.send(closing('C0USDT', 1_700_000_040_000));
  sockets[0]?.send('nonsense');
  await until(() => client.counts.malformed === 1);
  expect(closed).toEqual(['C0USDT 2']);
  client.want(seriesOf([...names(449), 'NEWUSDT']));
  await until(() => subscribed.includes('NEWUSDT'));
  expect(messages.slice(3).map(({ method, params }) => `${method} ${params.join()}`)).toEqual(['UNSUBSCRIBE c449usdt@kline_1m', 'SUBSCRIBE newusdt@kline_1m']);
  expect(sockets).toHaveLength(1);
  expect(client.connected).toBe(true);
});

test('more streams than one connection may carry are shared out', async () => {
  start(names(5), { streamsPerConnection: 2 });
  await until(() => subscribed.length === 5);
  expect(sockets).toHaveLength(3);
  client.want([]);
  await until(() => sockets.every((socket) => socket.readyState === socket.CLOSED));
});

test('a connection that ends without a word is made again, and what it carried is subscribed to again', async () => {
  start(['BTCUSDT']);
  await until(() => subscribed.length === 1);
  sockets[0]?.terminate();
  await until(() => subscribed.length === 2);
  expect(states.map(({ connected }) => connected)).toEqual([true, false, true]);
  expect(client.reconnects).toBe(1);
});

test('when a restart is announced the next connection stands before the old one ends, and no candle between is missed', async () => {
  let endOverlap: () => void = () => { throw new Error('both never stood'); };
  wall = { ...systemWall, random: () => 0, after: (ms, work) => (ms === 3_000 ? (endOverlap = work, () => undefined) : systemWall.after(ms, work)) };
  start(['BTCUSDT']);
  await until(() => subscribed.length === 1);
  sockets[0]?.send('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}');
  await until(() => subscribed.length === 2);
  const opens = Array.from({ length: 5 }, (_, index) => 1_700_000_040_000 + index * 60_000);
  for (const open of opens) for (const socket of sockets) socket.send(closing('BTCUSDT', open));
  await until(() => closed.length === 10);
  endOverlap();
  await until(() => sockets[0]?.readyState === 3);
  sockets[1]?.send(closing('BTCUSDT', 1_700_000_340_000));
  await until(() => closed.length === 11);
  expect(sockets).toHaveLength(2);
  expect(states.every(({ connected }) => connected)).toBe(true);
  expect(client.reconnects).toBe(0);
});

test('an exchange that announces its restart again and again is not flooded with connections', async () => {
  start(['BTCUSDT']);
  await until(() => subscribed.length === 1);
  const announcing = setInterval(() => sockets.at(-1)?.send('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}'), 10);
  await until(() => handshakes.length >= 5);
  clearInterval(announcing);
  const gaps = handshakes.slice(1).map((at, index) => at - handshakes[index]!);
  for (const [index, least] of [0, 250, 500, 1_000].entries()) expect(gaps[index]).toBeGreaterThan(least - 5);
  expect(states.every(({ connected }) => connected)).toBe(true);
});

test('when the old connection ends before the next one stands, the next one goes on alone', async () => {
  start(['BTCUSDT']);
  await until(() => subscribed.length === 1);
  answers = false;
  sockets[0]?.send('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}');
  await until(() => sockets.length === 2 && messages.length === 2);
  sockets[0]?.terminate();
  await until(() => !client.connected);
  sockets[1]?.send(JSON.stringify({ result: null, id: 1 }));
  await until(() => client.connected);
  expect(handshakes).toHaveLength(2);
});

test('a connection is replaced before its longest life is over, again and again', async () => {
  start(['BTCUSDT'], { longestLifeMs: 300 });
  await until(() => subscribed.length >= 3);
  expect(client.reconnects).toBe(0);
  expect(states.every(({ connected }) => connected)).toBe(true);
});

test('a subscription that is not answered makes the connection doubtful: another is made', async () => {
  let ahead = 0;
  wall = { ...systemWall, random: () => 0, now: () => performance.now() + ahead };
  answers = false;
  start(['BTCUSDT']);
  await until(() => messages.length === 1);
  answers = true;
  ahead = 11_000;
  await until(() => subscribed.length === 1);
  expect(states.map(({ error }) => error?.code)).toEqual(['stream_unanswered', undefined]);
});

test('streams that have gone quiet are subscribed to again; when many have, the connection is replaced', async () => {
  start(names(10));
  await until(() => subscribed.length === 10);
  client.renew(seriesOf(['C3USDT']));
  await until(() => subscribed.length === 11);
  expect(messages.slice(1).map(({ method, params }) => `${method} ${params.join()}`)).toEqual(['UNSUBSCRIBE c3usdt@kline_1m', 'SUBSCRIBE c3usdt@kline_1m']);
  client.renew(seriesOf(names(5)));
  await until(() => subscribed.length === 21);
  expect(sockets).toHaveLength(2);
});

test('the stream of all prices is asked for in a message of its own', async () => {
  start([]);
  client.want(seriesOf(names(2)), ['!miniTicker@arr']);
  await until(() => messages.length === 2);
  expect(messages.map(({ params }) => params)).toEqual([['c0usdt@kline_1m', 'c1usdt@kline_1m'], ['!miniTicker@arr']]);
});

test('a silent connection is given up; one that only pings lives', async () => {
  let [now, looks] = [0, 0];
  // Time goes by as the test says; it is looked every second, here a hundred times as often.
  wall = { ...systemWall, random: () => 0, now: () => now, after: (ms, work) => (ms === 1_000 ? systemWall.after(10, () => { looks += 1; work(); }) : systemWall.after(ms, work)) };
  start(['BTCUSDT'], { silenceMs: 1_200 });
  await until(() => subscribed.length === 1);
  for (let pings = 0; pings < 4; pings++) {
    const answered = once(sockets[0]!, 'pong');
    sockets[0]!.ping('x');
    await answered;
    now += 1_000;
    const before = looks;
    await until(() => looks > before + 2);
  }
  expect(sockets).toHaveLength(1);
  now += 1_300;
  await until(() => subscribed.length === 2);
});

test('a refusal for the location is said in words, with what to do', async () => {
  refuse = { status: 451 };
  start(['BTCUSDT']);
  await until(() => states.length > 0);
  expect(states[0]?.error?.code).toBe('exchange_location_refused');
  expect(states[0]?.error?.nextStep).toContain('BINANCE_STREAM_URL');
});

test('a refusal that says when to come back is believed', async () => {
  let ahead = 0;
  wall = { ...systemWall, random: () => 0, after: (ms, work) => systemWall.after(ms >= 60_000 && ms < 3_600_000 ? (ahead = ms, 100) : ms, work) };
  refuse = { status: 429, retryAfter: 120 };
  start(['BTCUSDT']);
  await until(() => ahead > 0);
  expect(ahead).toBe(120_000);
  expect(states[0]?.error?.code).toBe('exchange_limited');
});
