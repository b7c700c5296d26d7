// One client, taking in what the sender sends: `client.ts <kind> <port> <warm> <last>`. Says "ready", and after the last kline what it took since
// the one that it was warm at, as JSON.
import { CandleStore } from '@trademind/engine';
import { MarketLink } from '../../../packages/runtime/market/market-link.ts';
import { MarketTable } from '../../../packages/runtime/market/market-table.ts';
import { systemWall } from '../../../packages/runtime/time.ts';
import { BASE, symbolName, SYMBOLS } from './frames.ts';

const [kind = '', port = ''] = process.argv.slice(2);
const host = `127.0.0.1:${port}`;
/** History that is there before the stream: its series exist, as on a machine that runs. */
const HISTORY_MS = 10 * 60_000;
const END = symbolName(SYMBOLS - 1);
const [WARM, LAST] = process.argv.slice(4).map(Number) as [number, number];
let used: NodeJS.CpuUsage | undefined;
let began = 0;
let klines = 0;

/** A kline was taken in. */
function took(): void {
  klines += 1;
  if (klines === WARM) {
    used = process.cpuUsage();
    began = performance.now();
  } else if (klines === LAST) {
    ended();
  }
}

/** The last frame has come. */
function ended(more: object = {}): void {
  const { user, system } = process.cpuUsage(used);
  process.stdout.write(`${JSON.stringify({ cpuMs: (user + system) / 1_000, wallMs: performance.now() - began, ...more })}\n`);
  process.exit(0);
}

const ready = () => process.stdout.write('ready\n');

/** The market room as a machine runs it: connection, parsing, checks of order and sequence, candles into the engine's store, prices into the table. */
async function ours(): Promise<void> {
  const store = new CandleStore({ capacity: () => 1_000 });
  const symbols = ['BTCUSDT', 'ETHUSDT', ...Array.from({ length: SYMBOLS }, (_, index) => symbolName(index))];
  let stored = 0;
  let prices = 0;
  const table = new MarketTable({ candles: store, matches: () => [], halted: () => false });
  const wanted = new Map(symbols.map((symbol) => [symbol, ['1m' as const]]));
  table.setSymbols(wanted);
  const market: MarketLink = new MarketLink({
    exchange: { restUrl: `http://${host}`, streamUrl: `ws://${host}` }, wall: systemWall, log: () => undefined, signal: new AbortController().signal,
    startOf: () => BASE - HISTORY_MS, restart: (symbol, interval) => store.forget(symbol, interval), onChange: () => undefined, onUniverse: () => undefined,
    held: (symbol, interval, limit) => store.read(symbol, interval, limit),
    onPrice: (symbol, price) => {
      prices += 1;
      table.priced(symbol, price);
      if (!used && market.streams.counts.kline >= WARM) {
        used = process.cpuUsage();
        began = performance.now();
      }
    },
    take: (symbol, interval, candle) => {
      store.append(symbol, interval, candle);
      table.closed(symbol, interval, candle.close);
      if (candle.openTime >= BASE) stored += 1;
      // A frame is counted once it was taken in.
      if (symbol === END && market.streams.counts.kline === LAST - 1) ended({ stored, prices, counts: market.streams.counts, gaps: market.candles.gaps });
    },
  });
  await market.open();
  void market.run();
  market.want(wanted);
  const look = setInterval(() => {
    if (!market.streams.connected || market.candles.progress().done < symbols.length) return;
    clearInterval(look);
    ready();
  }, 50);
}

/** What no client can do without: `ws`, and `JSON.parse` of every frame. */
async function bare(): Promise<void> {
  const { WebSocket } = await import('ws');
  const socket = new WebSocket(`ws://${host}/stream`, { perMessageDeflate: false });
  socket.on('open', ready);
  socket.on('message', (data) => {
    const { data: event } = JSON.parse((data as Buffer).toString()) as { data: { e?: string } };
    if (event.e === 'kline') took();
  });
}

async function ccxt(): Promise<void> {
  const { default: library } = await import('ccxt');
  const exchange = new library.pro.binance({ enableRateLimit: false, options: { defaultType: 'spot', fetchMarkets: { types: ['spot'] } } });
  const urls = exchange.urls as unknown as { api: Record<string, unknown> & { ws: Record<string, string> } };
  urls.api['public'] = `http://${host}/api/v3`;
  urls.api.ws['spot'] = `ws://${host}/ws`;
  const handle = exchange.handleMessage.bind(exchange) as (client: unknown, message: unknown) => void;
  exchange.handleMessage = (client: unknown, message: { data?: { e?: string } }) => {
    handle(client, message);
    if (message.data?.e === 'kline') took();
  };
  await exchange.loadMarkets();
  exchange.watchOHLCV('BTC/USDT', '1m').catch(() => undefined);
  setTimeout(ready, 500);
}

async function binance(): Promise<void> {
  const { WebsocketClient } = await import('binance');
  const silent = () => undefined;
  const client = new WebsocketClient({ wsUrl: `ws://${host}`, beautify: false }, { trace: silent, info: silent, error: silent });
  client.on('message', (event) => {
    if ((event as { e?: string }).e === 'kline') took();
  });
  client.on('open', () => setTimeout(ready, 500));
  await client.subscribe(['btcusdt@kline_1m'], 'main');
}

const CLIENTS: Readonly<Record<string, () => Promise<void>>> = { ours, bare, ccxt, binance };
await CLIENTS[kind]!();
