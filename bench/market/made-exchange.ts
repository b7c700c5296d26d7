import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { intervalClose, intervalOpen, type Interval } from '@trademind/core';
import { WebSocketServer } from 'ws';

export interface MadeExchangeOptions {
  symbols: readonly string[];
  /** Market time now (ms), and how many ms of it pass in a ms of wall time. */
  now(): number;
  rate: number;
  /** The data of a candle as its frame has it; undefined, or absent: one like all others. */
  candle?(symbol: string, open: number): MadeCandle | undefined;
  /** Answers what an exchange is not asked for; undefined where it does not know either. */
  more?(url: URL): Promise<unknown> | undefined;
}

/** Fields of a kline frame. */
export interface MadeCandle { o: string; h: string; l: string; c: string; v: string; q: string; n: number; V: string; Q: string }

export interface MadeExchange {
  port: number;
  /** Connections, with the streams that each has subscribed to. */
  connections: ReadonlyMap<Duplex, ReadonlySet<string>>;
}

/** As much of an exchange as a client needs before it listens; the frames are whoever's who measures, and are written to the sockets as they are. */
export async function startMadeExchange(options: MadeExchangeOptions): Promise<MadeExchange> {
  const connections = new Map<Duplex, Set<string>>();
  const server = createServer((request, response) => answer(request, response, options));
  const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  server.on('upgrade', (request, socket, head) => webSockets.handleUpgrade(request, socket, head, (webSocket) => {
    const streams = new Set<string>();
    connections.set(socket, streams);
    webSocket.on('close', () => connections.delete(socket));
    webSocket.on('message', (data) => {
      const { id, method, params } = JSON.parse((data as Buffer).toString()) as { id: unknown; method: string; params: string[] };
      for (const stream of params) if (method === 'SUBSCRIBE') streams.add(stream);
      webSocket.send(JSON.stringify({ result: null, id }));
    });
  }));
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return { port: (server.address() as AddressInfo).port, connections };
}

function answer(request: IncomingMessage, response: ServerResponse, { symbols, now, rate, candle, more }: MadeExchangeOptions): void {
  const url = new URL(request.url ?? '/', 'http://made');
  const say = (body: unknown) => response.writeHead(200, { 'content-type': 'application/json', 'x-market-clock-rate': String(rate), 'x-mbx-used-weight-1m': '1' }).end(JSON.stringify(body));
  switch (url.pathname) {
    case '/api/v3/time': say({ serverTime: Math.floor(now()) }); return;
    case '/api/v3/exchangeInfo': say({ timezone: 'UTC', serverTime: Math.floor(now()), rateLimits: [], symbols: symbols.map(listed) }); return;
    case '/api/v3/klines': say(klines(url.searchParams, now(), candle)); return;
    default: void (more?.(url) ?? Promise.resolve([])).then(say);
  }
}

const FLAT: MadeCandle = { o: '1', h: '2', l: '1', c: '1', v: '1', q: '1', n: 1, V: '1', Q: '1' };

/** Candles, and the one under way. */
function klines(query: URLSearchParams, now: number, candle: MadeExchangeOptions['candle']): unknown[] {
  const symbol = query.get('symbol') ?? '';
  const interval = query.get('interval') as Interval;
  const [from, until, limit] = [Number(query.get('startTime')), Number(query.get('endTime') ?? Infinity), Number(query.get('limit') ?? 500)];
  const rows: unknown[] = [];
  for (let open = intervalOpen(interval, from); open <= Math.min(now, until) && rows.length < limit; open = intervalClose(interval, open)) {
    const { o, h, l, c, v, q, n, V, Q } = candle?.(symbol, open) ?? FLAT;
    if (open >= from) rows.push([open, o, h, l, c, v, intervalClose(interval, open) - 1, q, n, V, Q, '0']);
  }
  return rows;
}

function listed(symbol: string): unknown {
  return {
    symbol, status: 'TRADING', baseAsset: symbol.replace('USDT', ''), baseAssetPrecision: 8, quoteAsset: 'USDT', quotePrecision: 8, quoteAssetPrecision: 8, baseCommissionPrecision: 8, quoteCommissionPrecision: 8,
    orderTypes: ['LIMIT', 'MARKET'], isSpotTradingAllowed: true, isMarginTradingAllowed: false, permissions: [], permissionSets: [['SPOT']],
    filters: [{ filterType: 'PRICE_FILTER', minPrice: '0.00000001', maxPrice: '1000000.00000000', tickSize: '0.00000001' }, { filterType: 'LOT_SIZE', minQty: '0.00001000', maxQty: '9000.00000000', stepSize: '0.00001000' }],
  };
}

/** A text as a whole WebSocket frame of a server. */
export function framed(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const head = length < 126 ? Buffer.from([0x81, length]) : length < 65_536 ? Buffer.from([0x81, 126, length >> 8, length & 255]) : Buffer.alloc(10);
  if (length >= 65_536) {
    head[0] = 0x81;
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}
