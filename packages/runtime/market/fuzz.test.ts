import { getEventListeners, once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { intervalClose, intervalMs, intervalOpen, TradeMindError, type Candle, type Interval } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import { expect, test } from 'vitest';
import { WebSocketServer } from 'ws';
import { systemWall } from '../time.ts';
import { BinanceRest } from './binance-rest.ts';
import { BinanceWebSocketClient } from './binance-websocket-client.ts';
import { agrees, isCandle, sameCandle } from './candle-check.ts';
import { marksInMemory } from './candle-marks.ts';
import { MarketLink } from './market-link.ts';
import { ReplayWall } from './recording/replay-wall.ts';
import { seededRandom } from './recording/seeded-random.ts';
import { harmedAnswer, type HarmedAnswer } from './testing/answer-harm.ts';
import { Draws } from './testing/harm.ts';
import { HostileExchange } from './testing/hostile-exchange.ts';
import { harmSocket, SOCKET_HARMS } from './testing/socket-harm.ts';
import { TrueMarket } from './testing/true-market.ts';

const SEED = Number(process.env['FUZZ_SEED'] ?? 20_261_126);
const FRAMES = 100_000;
const ANSWERS = 20_000;
const CONNECTIONS = 2 * SOCKET_HARMS.length;
const FRAMES_A_STEP = 12;
const STEP_MS = 1_000;
const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT', 'ADAUSDT', 'DOGEUSDT'];
const INTERVALS: readonly Interval[] = ['1m', '5m'];
const START = Date.UTC(2026, 1, 27, 22, 58, 30);
const DAY_MS = 86_400_000;
const HISTORY = 60;
const KEPT = 200;
/** So far may an event's time be from the exchange's and still be believed. */
const BELIEVED_MS = 5_000;
/** Grown by less than this after the first fifth: nothing is kept of what came. */
const MOST_GROWTH_MB = 8;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
async function heapMb(): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => { setImmediate(resolve); });
  }
  return process.memoryUsage().heapUsed / 2 ** 20;
}

/** Lets go on what waits for no timer; an answer's body takes several turns. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => { setImmediate(resolve); });
}

const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, count) => sum + count, 0);
const most = (counts: Readonly<Record<string, number>>) => Object.entries(counts).filter(([, count]) => count > 0).map(([kind, count]) => `${kind} ${count}`).join(', ');

test(`${FRAMES.toLocaleString('en')} frames that no exchange sends, and answers that none gives, crash nothing, leave nothing behind and bring no wrong candle`, { timeout: 300_000 }, async () => {
  const draws = new Draws(seededRandom(SEED));
  const wall = new ReplayWall(START, SEED);
  const market = new TrueMarket(SEED);
  const store = new CandleStore({ capacity: () => KEPT });
  const marks = marksInMemory();
  const ending = new AbortController();
  const wrong: string[] = [];
  const said: Record<string, number> = {};
  const last = new Map<string, number>();
  const anew = new Set<string>();
  let taken = 0;
  let prices = 0;
  const holds = (symbol: string, interval: Interval, openTime: number) => store.read(symbol, interval, KEPT).some((candle) => candle.openTime === openTime);

  const exchange: HostileExchange = new HostileExchange({
    market, wall, symbols: SYMBOLS, intervals: INTERVALS, start: START, draws, holds,
    couldBeTrue: (bytes) => isLikelyLie(bytes, exchange.now(), market, holds),
  });
  const link: MarketLink = new MarketLink({
    exchange: { restUrl: 'http://hostile', streamUrl: 'ws://hostile', fetch: exchange.fetch, openSocket: exchange.openSocket }, wall, signal: ending.signal,
    log: (_level, code) => { said[code] = (said[code] ?? 0) + 1; },
    startOf: (_symbol, interval) => intervalOpen(interval, link.clock.now()) - HISTORY * intervalMs(interval),
    take: (symbol, interval, candle) => {
      taken++;
      const at = `${symbol} ${interval} ${new Date(candle.openTime).toISOString()}`;
      const before = last.get(`${symbol} ${interval}`);
      if (!sameCandle(candle, market.candle(symbol, interval, candle.openTime))) wrong.push(`${at} is not the exchange's: ${JSON.stringify(candle)}`);
      if (intervalClose(interval, candle.openTime) > exchange.now()) wrong.push(`${at} was not over`);
      if (before !== undefined && candle.openTime < before) wrong.push(`${at} came twice or out of order`);
      if (before !== undefined && candle.openTime > before && !anew.has(`${symbol} ${interval}`)) wrong.push(`${at} followed a gap that nobody had said`);
      anew.delete(`${symbol} ${interval}`);
      last.set(`${symbol} ${interval}`, intervalClose(interval, candle.openTime));
      store.append(symbol, interval, candle);
    },
    restart: (symbol, interval) => { anew.add(`${symbol} ${interval}`); store.forget(symbol, interval); },
    held: (symbol, interval, limit) => store.read(symbol, interval, limit), heldFrom: (symbol, interval) => store.series(symbol, interval)?.openTime(0),
    marks, listings: { listedAt: () => undefined, setListedAt: () => undefined },
    onPrice: () => { prices++; }, onChange: () => undefined, onUniverse: () => undefined,
  });

  async function pass(ms: number): Promise<void> {
    const until = START + wall.now() + ms;
    for (let next = wall.nextAt(); next !== undefined && next <= until; next = wall.nextAt()) {
      wall.runNext();
      await settle();
    }
    wall.moveTo(until);
  }

  let open = false;
  void link.open().then(() => { open = true; });
  for (let second = 0; second < 60 && !open; second++) await pass(STEP_MS);
  expect(open).toBe(true);
  const running = link.run();
  link.want(new Map(SYMBOLS.map((symbol) => [symbol, INTERVALS])));
  await pass(5_000);

  exchange.hostility = 0.5;
  const steps = Math.ceil(FRAMES / FRAMES_A_STEP);
  let early = Number.NaN;
  const began = performance.now();
  for (let step = 0; step < steps; step++) {
    if (step === Math.floor(steps / 5)) early = await heapMb();
    await pass(STEP_MS);
    exchange.tell(FRAMES_A_STEP);
  }
  const late = await heapMb();
  const listeners = getEventListeners(ending.signal, 'abort').length;

  exchange.hostility = 0;
  // Until the middle of a minute, when all that has closed is there.
  for (let step = 0; step < 400 || exchange.now() % 60_000 < 30_000; step++) {
    await pass(STEP_MS);
    exchange.tell(0);
  }
  const due = exchange.now();
  const newest = SYMBOLS.flatMap((symbol) => INTERVALS.map((interval) => `${symbol} ${interval} ${store.lastCloseTime(symbol, interval)! - intervalOpen(interval, due)}`));
  const comparing = link.compareAll();
  await pass(60_000);
  await comparing;

  console.log([
    `fuzz seed ${SEED}: ${total(exchange.frames)} harmed frames (${most(exchange.frames)}), ${exchange.leftOut} left out that no client could tell from the truth`,
    `${total(exchange.answers)} harmed answers (${most(exchange.answers)})`,
    `counted by the client: ${most(link.streams.counts)}; ${prices} prices`,
    `${taken} candles taken, ${wrong.length} wrong; marks: ${most(link.marks.counts)}; ${link.candles.gaps} gaps, ${link.candles.doubts} doubts, ${link.streams.reconnects} connections lost`,
    `said: ${most(said)}`,
    `heap ${early.toFixed(1)} MB after a fifth, ${late.toFixed(1)} MB at the end; ${listeners} waits; ${((performance.now() - began) / 1_000).toFixed(1)} s`,
  ].join('\n'));

  expect(wrong).toEqual([]);
  expect(total(exchange.frames)).toBeGreaterThanOrEqual(FRAMES);
  expect(total(link.streams.counts)).toBe(exchange.sent);
  expect(late - early).toBeLessThan(MOST_GROWTH_MB);
  expect(listeners).toBeLessThan(50);
  expect(Object.prototype).not.toHaveProperty('polluted');
  // When it is honest again all is as if nothing had been: every series whole up to the last close.
  expect(Math.abs(link.clock.now() - exchange.now())).toBeLessThanOrEqual(BELIEVED_MS);
  expect(newest).toEqual(SYMBOLS.flatMap((symbol) => INTERVALS.map((interval) => `${symbol} ${interval} 0`)));
  // What an answer made doubtful twice, a later look has set right.
  for (const symbol of SYMBOLS) {
    for (const interval of INTERVALS) {
      const held = store.read(symbol, interval, KEPT);
      for (const mark of marks.candleMarks(symbol, interval)) {
        if (mark.kind === 'corrected' && held.some(({ openTime }) => openTime === mark.openTime)) expect(mark.now).toEqual(market.candle(symbol, interval, mark.openTime));
      }
    }
  }
  ending.abort();
  await running;
});

test(`${ANSWERS.toLocaleString('en')} answers that no exchange gives are told as errors with a code, or are right in what they say`, { timeout: 300_000 }, async () => {
  const draws = new Draws(seededRandom(SEED));
  const wall = new ReplayWall(START, SEED);
  const market = new TrueMarket(SEED);
  const ending = new AbortController();
  const [kinds, codes]: [Record<string, number>, Record<string, number>] = [{}, {}];
  let harmed: HarmedAnswer | undefined;
  let held = true;
  const { answer } = new HostileExchange({ market, wall, symbols: SYMBOLS, intervals: INTERVALS, start: START, draws, holds: () => true, couldBeTrue: () => false });
  const rest = new BinanceRest({ baseUrl: 'http://hostile', wall, signal: ending.signal, fetch: (async (url: string) => {
    harmed = harmedAnswer(answer(new URL(url)), draws);
    if (harmed.body instanceof Error) throw harmed.body;
    return new Response(harmed.status === 204 ? null : harmed.body, harmed);
  }) as unknown as typeof fetch });

  /** Time goes on while the gate is closed. */
  async function settled<T>(asking: Promise<T>): Promise<T> {
    held = true;
    void asking.catch(() => undefined).finally(() => { held = false; });
    for (await settle(); held; await settle()) if (wall.nextAt() !== undefined) wall.runNext();
    return asking;
  }

  let early = Number.NaN;
  for (let count = 0; count < ANSWERS; count++) {
    if (count === ANSWERS / 5) early = await heapMb();
    const [symbol, interval, limit] = [draws.of(SYMBOLS), draws.of(INTERVALS), draws.within(3, 60)];
    const from = intervalOpen(interval, START) - draws.within(0, 50) * intervalMs(interval);
    try {
      switch (draws.within(0, 5)) {
        case 0: expect(Math.abs((await settled(rest.time())).serverTime)).toBeLessThan(Date.UTC(2100, 0, 1)); break;
        case 1: for (const info of await settled(rest.exchangeInfo())) expect(typeof info.symbol).toBe('string'); break;
        case 2: for (const volume of (await settled(rest.quoteVolumes())).values()) expect(volume).toBeGreaterThanOrEqual(0); break;
        default: {
          const candles = await settled(rest.klines(symbol, interval, from, { limit }));
          expect(candles.length).toBeLessThanOrEqual(limit);
          candles.forEach((candle, index) => { if (!isCandle(interval, candle) || candle.openTime < from || candle.openTime <= (candles[index - 1]?.openTime ?? -1)) throw new Error(JSON.stringify(candle)); });
          // A row that contradicts itself is the next one's to doubt.
          const sound = candles.filter(agrees);
          if (!harmed?.lie) expect(sound).toEqual(sound.map(({ openTime }) => market.candle(symbol, interval, openTime)));
        }
      }
      codes['read'] = (codes['read'] ?? 0) + 1;
    } catch (error) {
      if (!(error instanceof TradeMindError)) throw error;
      codes[error.code] = (codes[error.code] ?? 0) + 1;
    }
    kinds[harmed!.kind] = (kinds[harmed!.kind] ?? 0) + 1;
  }
  const late = await heapMb();
  console.log(`fuzz seed ${SEED}: ${total(kinds)} harmed answers (${most(kinds)})
told as: ${most(codes)}
heap ${early.toFixed(1)} MB after a fifth, ${late.toFixed(1)} MB at the end; the gate was closed for ${Math.round(wall.now() / 3_600_000)} h of the client's time in all`);
  expect(Object.keys(codes).filter((code) => code !== 'read' && !code.startsWith('exchange_'))).toEqual([]);
  expect(late - early).toBeLessThan(MOST_GROWTH_MB);
  expect(getEventListeners(ending.signal, 'abort').length).toBeLessThan(10);
});

test(`after ${CONNECTIONS} connections that speak no WebSocket the client takes the first honest one`, { timeout: 180_000 }, async () => {
  const draws = new Draws(seededRandom(SEED));
  const kinds: Record<string, number> = {};
  const streams = new WebSocketServer({ noServer: true });
  const server = createServer().on('upgrade', (request, socket, head) => {
    socket.on('error', () => undefined);
    if (total(kinds) < CONNECTIONS) {
      const kind = SOCKET_HARMS[total(kinds) % SOCKET_HARMS.length]!;
      harmSocket(kind, socket, request.headers['sec-websocket-key'] ?? '', draws);
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      return;
    }
    streams.handleUpgrade(request, socket, head, (one) => one.on('message', (data) => {
      one.send(JSON.stringify({ result: null, id: (JSON.parse((data as Buffer).toString()) as { id: number }).id }));
      one.send(market.frame('BTCUSDT', '1m', open, open + 60_000, true));
    }));
  });
  const market = new TrueMarket(SEED);
  const open = intervalOpen('1m', START);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const closed = Promise.withResolvers<Candle>();
  const ended: Record<string, number> = {};
  const client = new BinanceWebSocketClient({
    // Waits are cut short, but for the life of a connection: between so many refusals the client waits long.
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, wall: { ...systemWall, after: (ms, work) => systemWall.after(ms > 0.9 * DAY_MS && ms < DAY_MS ? ms : Math.min(ms, 20), work) }, log: () => undefined, limits: { silenceMs: 200, longestLifeMs: DAY_MS },
    events: {
      onClosed: (_series, candle) => closed.resolve(candle), onForming: () => undefined, onPrice: () => undefined, onSubscribed: () => undefined,
      onState: ({ error }) => { const code = error?.code ?? 'nothing said'; ended[code] = (ended[code] ?? 0) + 1; },
    },
  });
  client.want([{ symbol: 'BTCUSDT', interval: '1m' }]);
  expect(await closed.promise).toEqual(market.candle('BTCUSDT', '1m', open));
  console.log(`fuzz seed ${SEED}: ${total(kinds)} harmed connections (${most(kinds)})
ended as: ${most(ended)}`);
  await client.stop();
  server.close();
  server.closeAllConnections();
  streams.clients.forEach((one) => one.terminate());
});

/** Whether the frame is by its form a closed candle, told at a time that may be, of a candle that the client does not hold yet, and yet not the exchange's. */
function isLikelyLie(bytes: Buffer, now: number, market: TrueMarket, holds: (symbol: string, interval: Interval, openTime: number) => boolean): boolean {
  let frame: { stream?: unknown; data?: { e?: unknown; E?: unknown; k?: Record<string, unknown> | null } | null } | null;
  try {
    frame = JSON.parse(bytes.toString('utf8')) as typeof frame;
  } catch {
    return false;
  }
  const [event, k] = [frame?.data, frame?.data?.k];
  if (event?.e !== 'kline' || typeof k !== 'object' || k === null || k['x'] !== true) return false;
  const [symbol, interval] = SYMBOLS.flatMap((one) => INTERVALS.map((by) => [one, by] as const)).find(([one, by]) => frame?.stream === `${one.toLowerCase()}@kline_${by}`) ?? [];
  if (!symbol || !interval || k['s'] !== symbol || k['i'] !== interval) return false;
  const openTime = k['t'];
  if (typeof openTime !== 'number' || intervalOpen(interval, openTime) !== openTime || k['T'] !== intervalClose(interval, openTime) - 1) return false;
  if (typeof event.E !== 'number' || event.E < intervalClose(interval, openTime) - 1 || event.E > now + BELIEVED_MS + STEP_MS || holds(symbol, interval, openTime)) return false;
  const [open, high, low, close, volume, quoteVolume, takerBuy] = ['o', 'h', 'l', 'c', 'v', 'q', 'V'].map((name) => (typeof k[name] === 'string' ? Number(k[name]) : Number.NaN)) as [number, number, number, number, number, number, number];
  const candle: Candle = { openTime, open, high, low, close, volume, quoteVolume, trades: k['n'] as number, takerBuy };
  return agrees(candle) && (intervalClose(interval, openTime) > now || !sameCandle(candle, market.candle(symbol, interval, openTime)));
}
