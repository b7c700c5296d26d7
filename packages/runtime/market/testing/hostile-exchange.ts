import { intervalMs, intervalOpen, type Interval } from '@trademind/core';
import type { ReplayWall } from '../recording/replay-wall.ts';
import type { OpenStreamSocket, StreamSocket, StreamSocketEvents } from '../stream-socket.ts';
import { harmedAnswer, type RightAnswer } from './answer-harm.ts';
import { harmedFrame } from './frame-harm.ts';
import type { Draws } from './harm.ts';
import type { TrueMarket } from './true-market.ts';

const LATENCY_MS = 20;
const PING_MS = 20_000;
/** Statuses that close the gate for a minute or more come seldom, else nothing would be asked at all. */
const MILD = [400, 404, 500, 502, 503];
const REFUSALS = [403, 418, 429, 451];

export interface HostileOptions {
  market: TrueMarket;
  wall: ReplayWall;
  symbols: readonly string[];
  intervals: readonly Interval[];
  /** Market time at which it begins; it passes as fast as the wall's. */
  start: number;
  draws: Draws;
  /** Whether the client holds that candle. */
  holds(symbol: string, interval: Interval, openTime: number): boolean;
  /** Whether a client that knows nothing else could take the frame for the truth although it is not: such are not sent. */
  couldBeTrue(bytes: Buffer): boolean;
}

/**
 * An exchange that tells the truth of its market between frames and answers that no exchange gives, loses and doubles some, and ends connections.
 * All that it does follows from its draws.
 */
export class HostileExchange {
  /** Share of answers that are harmed; 0 = honest. */
  hostility = 0;
  /** What was done, by kind. */
  readonly frames: Record<string, number> = {};
  readonly answers: Record<string, number> = {};
  sent = 0;
  leftOut = 0;
  readonly #options: HostileOptions;
  readonly #sockets = new Set<HostileSocket>();
  /** By request, how it was last lied to. */
  readonly #lies = new Map<string, string>();
  #toldUntil: number;

  constructor(options: HostileOptions) {
    this.#options = options;
    this.#toldUntil = options.start;
  }

  readonly now = (): number => this.#options.start + Math.floor(this.#options.wall.now());

  readonly openSocket: OpenStreamSocket = (_url, events) => new HostileSocket(this, this.#options.wall, this.#options.draws, events, this.#sockets);

  readonly fetch = (async (input: string) => {
    const { wall, draws } = this.#options;
    await new Promise<void>((resolve) => { wall.after(LATENCY_MS, resolve); });
    const right = this.answer(new URL(input));
    if (!draws.chance(this.hostility)) return respond(right);
    let harmed = harmedAnswer(right, draws, draws.chance(0.02) ? REFUSALS : MILD);
    while (harmed.lie && !this.#mayLie(harmed.kind, input)) harmed = harmedAnswer(right, draws, MILD);
    this.#lies.set(input, harmed.lie ? harmed.kind : '');
    this.answers[harmed.kind] = (this.answers[harmed.kind] ?? 0) + 1;
    return respond(harmed);
  }) as unknown as typeof fetch;

  /** Tells what has happened since the last time, not all of it and some twice, and `harmed` frames between. */
  tell(harmed: number): void {
    const { market, symbols, intervals, draws } = this.#options;
    const now = this.now();
    const frames: { bytes: Buffer; isBinary: boolean }[] = [];
    const add = (text: string) => frames.push({ bytes: Buffer.from(text), isBinary: false });
    for (const symbol of symbols) {
      for (const interval of intervals) {
        const open = intervalOpen(interval, now);
        if (open > this.#toldUntil && !draws.chance(this.hostility / 5)) for (let times = draws.within(1, 2); times > 0; times--) add(market.frame(symbol, interval, open - intervalMs(interval), now, true));
      }
    }
    add(market.frame(draws.of(symbols), draws.of(intervals), intervalOpen(intervals[0]!, now), now, false).replace('"x":true', '"x":false'));
    this.#toldUntil = now;
    while (harmed > 0) {
      const { kind, bytes, isBinary = false } = harmedFrame({ market, symbols, intervals, now, draws });
      if (!isBinary && this.#options.couldBeTrue(bytes)) {
        this.leftOut++;
        continue;
      }
      this.frames[kind] = (this.frames[kind] ?? 0) + 1;
      frames.splice(draws.within(0, frames.length), 0, { bytes, isBinary });
      harmed--;
    }
    for (const { bytes, isBinary } of frames) this.#deliver(bytes, isBinary);
    if (draws.chance(this.hostility / 100)) for (const socket of this.#sockets) socket.break();
  }

  #deliver(bytes: Buffer, isBinary: boolean): void {
    for (const socket of this.#sockets) {
      if (!socket.isOpen) continue;
      this.sent++;
      socket.events.onFrame(bytes, isBinary);
    }
  }

  /** What nothing could contradict but another answer, or what is told twice alike, is the exchange's word: no client can tell it from the truth. */
  #mayLie(kind: string, path: string): boolean {
    if (kind === 'damaged' || kind === 'stranger' || kind === 'impossible' || this.#lies.get(path) === kind) return false;
    const { symbol, interval, from } = seriesOf(new URL(path));
    return kind !== 'other symbol' || this.#options.holds(symbol, interval, from);
  }

  /** The right answer to a request. */
  readonly answer = (url: URL): RightAnswer => {
    const { market, symbols, intervals } = this.#options;
    const now = this.now();
    const headers = { 'content-type': 'application/json', 'x-mbx-used-weight-1m': '10', date: new Date(now).toUTCString() };
    switch (url.pathname) {
      case '/api/v3/time': return { body: JSON.stringify({ serverTime: now }), headers };
      case '/api/v3/ticker/24hr': return { body: JSON.stringify(symbols.map((symbol) => ({ symbol, quoteVolume: '1000.0' }))), headers };
      case '/api/v3/exchangeInfo': return { body: JSON.stringify({
        serverTime: now, rateLimits: [{ rateLimitType: 'REQUEST_WEIGHT', interval: 'MINUTE', intervalNum: 1, limit: 6_000 }],
        symbols: symbols.map((symbol) => ({ symbol, status: 'TRADING', baseAsset: symbol.replace('USDT', ''), quoteAsset: 'USDT', isSpotTradingAllowed: true, permissions: [], permissionSets: [['SPOT']] })),
      }), headers };
      default: {
        const { symbol, interval, from, until, limit } = seriesOf(url);
        const rows = (of: string, by: Interval) => market.rows(of, by, from, until, now, limit);
        const told = rows(symbol, interval);
        return { body: JSON.stringify(told), headers, rows: told, others: {
          symbol: () => rows(symbols.find((one) => one !== symbol)!, interval), interval: () => rows(symbol, intervals.find((one) => one !== interval)!),
        } };
      }
    }
  };
}

function seriesOf(url: URL): { symbol: string; interval: Interval; from: number; until: number; limit: number } {
  const number = (name: string, otherwise: number) => Number(url.searchParams.get(name) ?? otherwise);
  return { symbol: url.searchParams.get('symbol') ?? '', interval: url.searchParams.get('interval') as Interval, from: number('startTime', 0), until: number('endTime', Infinity), limit: number('limit', 500) };
}

function respond({ status = 200, headers, body }: { status?: number; headers: Record<string, string>; body: string | ReadableStream<Uint8Array> | Error }): Response {
  if (body instanceof Error) throw body;
  return new Response(status === 204 ? null : body, { status, headers });
}

/** A connection that answers subscriptions and pings, mostly. */
class HostileSocket implements StreamSocket {
  readonly events: StreamSocketEvents;
  readonly #exchange: HostileExchange;
  readonly #wall: ReplayWall;
  readonly #draws: Draws;
  readonly #sockets: Set<HostileSocket>;
  #state: 'opening' | 'open' | 'closed' = 'opening';
  #cancelPing: (() => void) | undefined;

  constructor(exchange: HostileExchange, wall: ReplayWall, draws: Draws, events: StreamSocketEvents, sockets: Set<HostileSocket>) {
    [this.#exchange, this.#wall, this.#draws, this.events, this.#sockets] = [exchange, wall, draws, events, sockets];
    sockets.add(this);
    wall.after(LATENCY_MS, () => {
      if (this.#state !== 'opening') return;
      if (draws.chance(exchange.hostility / 10)) {
        // Retry-After as the transport hands it on: any number that a header may hold.
        events.onRefused(draws.of([...MILD, 429]), draws.of([undefined, -1, 0, 1, 2.5, 3]));
        this.#end(1006, '');
        return;
      }
      this.#state = 'open';
      this.#ping();
      events.onOpen();
    });
  }

  get isOpen(): boolean {
    return this.#state === 'open';
  }

  send(text: string): void {
    const { id } = JSON.parse(text) as { id: number };
    if (this.#draws.chance(this.#exchange.hostility / 50)) return;
    const answer = this.#draws.chance(this.#exchange.hostility / 20) ? `{"error":{"code":2,"msg":"Invalid request"},"id":${id}}` : `{"result":null,"id":${id}}`;
    this.#wall.after(LATENCY_MS, () => {
      if (!this.isOpen) return;
      this.#exchange.sent++;
      this.events.onFrame(Buffer.from(answer), false);
    });
  }

  /** Ends, in one of the ways in which connections end. */
  break(): void {
    if (this.#draws.chance(0.5)) this.events.onError(Object.assign(new Error('reset'), { code: 'ECONNRESET' }));
    this.#end(this.#draws.of([1006, 1001, 1008, 4999]), this.#draws.of(['', 'bye', '\u0000\u001b[2J', 'x'.repeat(120)]));
  }

  close(): void {
    this.#end(1000, '');
  }

  terminate(): void {
    this.#end(1006, '');
  }

  #end(code: number, reason: string): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#sockets.delete(this);
    this.#cancelPing?.();
    queueMicrotask(() => this.events.onClose(code, reason));
  }

  #ping(): void {
    this.#cancelPing = this.#wall.after(PING_MS, () => { this.#ping(); this.events.onPing(); });
  }
}
