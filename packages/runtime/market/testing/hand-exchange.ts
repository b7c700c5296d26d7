import { intervalClose, intervalMs, intervalOpen, type Interval, type SymbolInfo } from '@trademind/core';
import { ReplayWall } from '../recording/replay-wall.ts';
import type { OpenStreamSocket, StreamSocketEvents } from '../stream-socket.ts';
import { TrueMarket } from './true-market.ts';

const LATENCY_MS = 20;
const PING_MS = 20_000;
/** Candles are told every second of market time, but not more often than this in wall time. */
const TELL_MS = 1_000;
const LEAST_TELL_MS = 250;

/** A connection to the exchange by hand, as a test sees it. */
export interface HandSocket { readonly events: StreamSocketEvents; readonly streams: ReadonlySet<string>; readonly openedAt: number; end(code: number): void }

/**
 * An honest exchange that moves only when a test lets time pass (`pass`): market and wall time run as one, unless a rate is given. A test changes what it lists and has, and may refuse connections.
 */
export class HandExchange {
  readonly wall: ReplayWall;
  readonly market = new TrueMarket(7);
  /** Status and rolling 24 h quote volume by symbol. */
  readonly listed = new Map<string, { status: string; volume: number }>();
  /** Paths of all requests, in order. */
  readonly asked: string[] = [];
  readonly sockets: HandSocket[] = [];
  /** Wall time of every attempt to connect. */
  readonly attempts: number[] = [];
  /** Candles that it never had. */
  lacks: (symbol: string, interval: Interval, openTime: number) => boolean = () => false;
  /** Rows of klines, as they are answered. */
  told: (rows: unknown[][], symbol: string, interval: Interval) => unknown[][] = (rows) => rows;
  /** A status with which it refuses connections, or a request. */
  refuses: (path: string) => number | undefined = () => undefined;
  /** While true it sends nothing, not even pings. */
  silent = false;
  readonly #start: number;
  readonly #rate: number;
  #toldUntil: number;

  /**
   * @param start market time and wall epoch at which it begins, ms
   * @param rate how fast market time runs
   */
  constructor(start: number, symbols: readonly string[], rate = 1) {
    this.#start = this.#toldUntil = start;
    this.#rate = rate;
    this.wall = new ReplayWall(start, 7);
    for (const [index, symbol] of symbols.entries()) this.listed.set(symbol, { status: 'TRADING', volume: 1_000_000 - index });
    this.#tick();
  }

  readonly now = (): number => this.#start + Math.floor(this.wall.now() * this.#rate);

  readonly fetch = (async (input: string) => {
    const url = new URL(input);
    this.asked.push(url.pathname + url.search);
    await new Promise<void>((resolve) => { this.wall.after(LATENCY_MS, resolve); });
    const refused = this.refuses(url.pathname + url.search);
    return refused === undefined ? new Response(JSON.stringify(this.#answer(url)), { headers: { 'x-market-clock-rate': String(this.#rate) } }) : new Response('{"code":-1,"msg":"no"}', { status: refused });
  }) as unknown as typeof fetch;

  readonly openSocket: OpenStreamSocket = (_url, events) => {
    const { wall } = this;
    this.attempts.push(wall.now());
    const streams = new Set<string>();
    let state: 'opening' | 'open' | 'closed' = 'opening';
    let callOffPing = () => undefined as void;
    const end = (code: number) => {
      if (state === 'closed') return;
      state = 'closed';
      callOffPing();
      this.sockets.splice(this.sockets.indexOf(socket), 1);
      queueMicrotask(() => events.onClose(code, ''));
    };
    const socket: HandSocket = { events, streams, openedAt: wall.now(), end };
    const ping = () => {
      callOffPing = wall.after(PING_MS, () => { ping(); if (!this.silent) events.onPing(); });
    };
    this.sockets.push(socket);
    wall.after(LATENCY_MS, () => {
      if (state !== 'opening') return;
      const refused = this.refuses('/stream');
      if (refused !== undefined) {
        events.onRefused(refused, undefined);
        end(1006);
        return;
      }
      state = 'open';
      ping();
      events.onOpen();
    });
    return {
      get isOpen() { return state === 'open'; },
      send: (text) => {
        const { id, method, params = [] } = JSON.parse(text) as { id: number; method: string; params?: string[] };
        for (const name of params) if (method === 'SUBSCRIBE') streams.add(name); else streams.delete(name);
        wall.after(LATENCY_MS, () => { if (state === 'open' && !this.silent) events.onFrame(Buffer.from(`{"result":null,"id":${id}}`), false); });
      },
      close: () => end(1000),
      terminate: () => end(1006),
    };
  };

  /** Lets so much wall time pass: everything due in it happens, in order. */
  async pass(ms: number): Promise<void> {
    const until = this.#start + this.wall.now() + ms;
    await settle();
    for (let next = this.wall.nextAt(); next !== undefined && next <= until; next = this.wall.nextAt()) {
      this.wall.runNext();
      await settle();
    }
    this.wall.moveTo(until);
  }

  /** The series as it has it, closed candles only. */
  closed(symbol: string, interval: Interval, from: number): number[] {
    const opens: number[] = [];
    for (let open = intervalOpen(interval, from); intervalClose(interval, open) <= this.now(); open = intervalClose(interval, open)) if (!this.lacks(symbol, interval, open)) opens.push(open);
    return opens;
  }

  #tick(): void {
    this.wall.after(Math.max(LEAST_TELL_MS, TELL_MS / this.#rate), () => {
      this.#tick();
      const now = this.now();
      const before = this.#toldUntil;
      this.#toldUntil = now;
      if (this.silent) return;
      for (const { streams, events } of this.sockets) {
        for (const stream of streams) {
          const [, name, interval] = /^(.+)@kline_(.+)$/.exec(stream) ?? [];
          const symbol = name?.toUpperCase() ?? '';
          if (interval === undefined || this.listed.get(symbol)?.status !== 'TRADING') continue;
          const open = intervalOpen(interval as Interval, now);
          const last = open - intervalMs(interval as Interval);
          if (open > before && !this.lacks(symbol, interval as Interval, last)) events.onFrame(Buffer.from(this.market.frame(symbol, interval as Interval, last, now, true)), false);
        }
      }
    });
  }

  #answer({ pathname, searchParams }: URL): unknown {
    switch (pathname) {
      case '/api/v3/time': return { serverTime: this.now() };
      case '/api/v3/ticker/24hr': return [...this.listed].map(([symbol, { volume }]) => ({ symbol, quoteVolume: volume.toFixed(1) }));
      case '/api/v3/exchangeInfo': return { symbols: [...this.listed].map(([symbol, { status }]) => ({ symbol, status, baseAsset: symbol.replace('USDT', ''), quoteAsset: 'USDT' } satisfies Partial<SymbolInfo>)) };
      default: {
        const number = (name: string, otherwise: number) => Number(searchParams.get(name) ?? otherwise);
        const [symbol, interval] = [searchParams.get('symbol') ?? '', searchParams.get('interval') as Interval];
        const rows = this.market.rows(symbol, interval, Math.max(number('startTime', 0), this.#start - 40 * 86_400_000), number('endTime', Infinity), this.now(), number('limit', 500));
        return this.told(rows.filter(([openTime]) => !this.lacks(symbol, interval, openTime)), symbol, interval);
      }
    }
  }
}

/** Lets go on what waits for no timer; an answer's body takes several turns. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise((resolve) => { setImmediate(resolve); });
}
