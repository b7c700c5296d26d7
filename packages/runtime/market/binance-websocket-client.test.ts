import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { WebSocketServer, type WebSocket } from 'ws';
import type { TradeMindError } from '@trademind/core';
import { systemWall } from '../time.ts';
import { BinanceWebSocketClient, type Series } from './binance-websocket-client.ts';

interface Message { method: string; params: string[]; id: number; at: number }

let server: Server;
let sockets: WebSocket[];
let messages: Message[];
let refuse: number | null;
let client: BinanceWebSocketClient;
let subscribed: string[];
let closed: string[];
let states: { connected: boolean; error: TradeMindError | null }[];
beforeEach(async () => {
  [sockets, messages, subscribed, closed, states, refuse] = [[], [], [], [], [], null];
  const streams = new WebSocketServer({ noServer: true });
  server = createServer();
  server.on('upgrade', (request, socket, head) => {
    if (refuse !== null) {
      socket.end(`HTTP/1.1 ${refuse} Refused\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    streams.handleUpgrade(request, socket, head, (one) => {
      sockets.push(one);
      one.on('message', (data) => {
        const message = { ...(JSON.parse((data as Buffer).toString()) as Omit<Message, 'at'>), at: performance.now() };
        messages.push(message);
        one.send(JSON.stringify({ result: null, id: message.id }));
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

function start(symbols: readonly string[], limits?: { streamsPerConnection?: number; silenceMs?: number }): void {
  client = new BinanceWebSocketClient({
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, wall: { ...systemWall, random: () => 0 }, log: () => undefined, ...(limits ? { limits } : {}),
    events: {
      onClosed: ({ symbol }, { close }) => closed.push(`${symbol} ${close}`), onForming: () => undefined, onState: (state) => states.push(state),
      onSubscribed: (series) => subscribed.push(...series.map(({ symbol }) => symbol)),
    },
  });
  client.want(seriesOf(symbols));
}
const seriesOf = (symbols: readonly string[]): Series[] => symbols.map((symbol) => ({ symbol, interval: '1m' }));
const names = (count: number) => Array.from({ length: count }, (_, index) => `C${index}USDT`);

async function until(answer: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!answer()) {
    if (performance.now() > deadline) throw new Error('waited in vain');
    await new Promise((resolve) => { setTimeout(resolve, 10); });
  }
}

test('it subscribes, takes closed candles, and follows changes without reconnecting, within five messages a second', async () => {
  start(names(450));
  await until(() => subscribed.length === 450);
  expect(messages.map(({ params }) => params.length)).toEqual([200, 200, 50]);
  messages.slice(1).forEach(({ at }, index) => expect(at - (messages[index]?.at ?? 0)).toBeGreaterThan(200));
  sockets[0]?.send(JSON.stringify({ stream: 'c0usdt@kline_1m', data: { e: 'kline', E: 1_700_000_100_000, s: 'C0USDT', k: { t: 1_700_000_040_000, T: 1_700_000_099_999, s: 'C0USDT', i: '1m', o: '1', c: '2', h: '2', l: '1', v: '5', q: '5', n: 7, x: true, V: '2', Q: '2' } } }));
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

test('an announced restart is followed by a new connection at once', async () => {
  start(['BTCUSDT']);
  await until(() => subscribed.length === 1);
  sockets[0]?.send('{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1}}');
  await until(() => subscribed.length === 2);
  expect(sockets).toHaveLength(2);
});

test('a silent connection is given up; one that only pings lives', async () => {
  start(['BTCUSDT'], { silenceMs: 1_200 });
  await until(() => subscribed.length === 1);
  for (let pings = 0; pings < 4; pings++) {
    sockets[0]?.ping();
    await new Promise((resolve) => { setTimeout(resolve, 500); });
  }
  expect(sockets).toHaveLength(1);
  await until(() => subscribed.length === 2);
});

test('a refusal for the location is said in words, with what to do', async () => {
  refuse = 451;
  start(['BTCUSDT']);
  await until(() => states.length > 0);
  expect(states[0]?.error?.code).toBe('exchange_location_refused');
  expect(states[0]?.error?.nextStep).toContain('BINANCE_STREAM_URL');
});
