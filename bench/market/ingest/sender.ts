// Sends the frames of a measurement over loopback, in bulk or paced. It answers what clients ask of an exchange before they listen.
// `GET /plan?mode=bulk` and `GET /plan?mode=paced&rate=5000&seconds=8` tell what will be sent, `/go` with the same begins.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { WebSocketServer } from 'ws';
import { BASE, makeFrames, symbolName, SYMBOLS } from './frames.ts';

const BLOCK = 128 * 1024;
const KLINES = 330_000;
const frames = makeFrames(KLINES);
/** Market time runs as fast as the frames in bulk do. */
const RATE = 1_000;

function framed(text: string): Buffer {
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

const packets = frames.map(framed);
const sockets = new Set<Duplex>();

async function bulk(): Promise<void> {
  let block: Buffer[] = [];
  let size = 0;
  const send = async () => {
    const bytes = Buffer.concat(block);
    block = [];
    size = 0;
    for (const socket of sockets) if (!socket.write(bytes)) await new Promise((resolve) => { socket.once('drain', resolve); });
  };
  for (const packet of packets) {
    block.push(packet);
    size += packet.length;
    if (size >= BLOCK) await send();
  }
  await send();
}

/** Every frame in a write of its own, at its time. */
async function paced(rate: number, seconds: number): Promise<void> {
  const began = performance.now();
  const count = countOf('paced', rate, seconds) - 1;
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, Math.floor(((performance.now() - began) / 1_000) * rate));
    for (; sent < due; sent++) for (const socket of sockets) socket.write(packets[sent]!);
    await new Promise((resolve) => { setTimeout(resolve, 1); });
  }
  // The last one ends the measurement wherever it stands.
  for (const socket of sockets) socket.write(packets[count]!);
}

/** How many frames a measurement has: it ends with a kline that closes. */
function countOf(mode: string | null, rate: number, seconds: number): number {
  if (mode !== 'paced') return frames.length;
  return frames.findIndex((frame, index) => index >= rate * seconds && frame.includes('"x":true') && frame.includes(`"${symbolName(SYMBOLS - 1)}"`)) + 1 || frames.length;
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://sender');
  const say = (body: unknown) => response.writeHead(200, { 'content-type': 'application/json', 'x-market-clock-rate': String(RATE), 'x-mbx-used-weight-1m': '1' }).end(JSON.stringify(body));
  switch (url.pathname) {
    case '/api/v3/time': say({ serverTime: BASE + 3_000 }); return;
    case '/api/v3/exchangeInfo': say({ timezone: 'UTC', serverTime: BASE, rateLimits: [], symbols: ['BTCUSDT', 'ETHUSDT', ...Array.from({ length: SYMBOLS }, (_, index) => symbolName(index))].map(listed) }); return;
    case '/api/v3/klines': say(url.searchParams.get('interval') === '1m' ? history(Number(url.searchParams.get('startTime'))) : []); return;
    case '/plan': say(plan(url.searchParams)); return;
    case '/go': void (url.searchParams.get('mode') === 'paced' ? paced(Number(url.searchParams.get('rate')), Number(url.searchParams.get('seconds'))) : bulk()).then(() => say({})); return;
    default: say([]);
  }
}

/** The minutes from `from` on, and the one in which the frames begin. */
function history(from: number): unknown {
  return Array.from({ length: Math.max(0, Math.min(1_000, (BASE - from) / 60_000 + 1)) }, (_, index) => [from + index * 60_000, '1', '2', '1', '1', '1', 0, '1', 1, '1', '1', '0']);
}

/** What a measurement will send; its first fifth warms up, and the frames after it count. */
function plan(query: URLSearchParams): unknown {
  const sent = frames.slice(0, countOf(query.get('mode'), Number(query.get('rate')), Number(query.get('seconds'))));
  const klines = sent.filter((frame) => frame.includes('@kline_'));
  const warm = Math.floor(klines.length / 5);
  return { warm, klines: klines.length, frames: sent.length - sent.indexOf(klines[warm]!), closed: klines.filter((frame) => frame.includes('"x":true')).length };
}

function listed(symbol: string): unknown {
  return {
    symbol, status: 'TRADING', baseAsset: symbol.replace('USDT', ''), baseAssetPrecision: 8, quoteAsset: 'USDT', quotePrecision: 8, quoteAssetPrecision: 8, baseCommissionPrecision: 8, quoteCommissionPrecision: 8,
    orderTypes: ['LIMIT', 'MARKET'], isSpotTradingAllowed: true, isMarginTradingAllowed: false, permissions: [], permissionSets: [['SPOT']],
    filters: [{ filterType: 'PRICE_FILTER', minPrice: '0.00000001', maxPrice: '1000000.00000000', tickSize: '0.00000001' }, { filterType: 'LOT_SIZE', minQty: '0.00001000', maxQty: '9000.00000000', stepSize: '0.00001000' }],
  };
}

const server = createServer(answer);
const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
server.on('upgrade', (request, socket, head) => webSockets.handleUpgrade(request, socket, head, (webSocket) => {
  sockets.add(socket);
  webSocket.on('close', () => sockets.delete(socket));
  webSocket.on('message', (data) => {
    const { id } = JSON.parse((data as Buffer).toString()) as { id: unknown };
    webSocket.send(JSON.stringify({ result: null, id }));
  });
}));
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
