import { codeOf, sentenceOf, type Candle, type Interval } from '@trademind/core';
import type { Log } from '../log.ts';
import { Backoff, pause, type Wall } from '../time.ts';
import { BinanceRest } from './binance-rest.ts';
import { BinanceWebSocketClient } from './binance-websocket-client.ts';
import { CandleFeed } from './candle-feed.ts';
import { ClockKeeper } from './clock-keeper.ts';
import { MarketClock } from './market-clock.ts';
import { Universe } from './universe.ts';

const SWEEP_MS = 1_000;
const SYMBOLS_FRESH_MS = 10_000;
/** Klines come at least every 2 s while anything trades. */
const STILL_SWEEPS = 3;
/** The universe is looked at again every hour of market time, but not more often than this in wall time. */
const UNIVERSE_MARKET_MS = 3_600_000;
const UNIVERSE_WALL_MS = 60_000;

export interface MarketLinkOptions {
  exchange: { restUrl: string; streamUrl: string };
  wall: Wall;
  log: Log;
  /** Aborted when everything ends. */
  signal: AbortSignal;
  startOf(symbol: string, interval: Interval): number;
  take(symbol: string, interval: Interval, candle: Candle): void;
  restart(symbol: string, interval: Interval): void;
  onPrice(symbol: string, price: number): void;
  /** The candle under way, as the stream tells it. */
  onForming(symbol: string, interval: Interval, candle: Candle): void;
  /** Connection, history or halts changed. */
  onChange(): void;
  /** The universe was read anew. */
  onUniverse(): void;
}

/** One exchange: its clock, its symbols, its streams and its history, joined into one feed of candles. */
export class MarketLink {
  readonly clock: MarketClock;
  readonly rest: BinanceRest;
  readonly universe: Universe;
  readonly candles: CandleFeed;
  readonly streams: BinanceWebSocketClient;
  readonly #options: MarketLinkOptions;
  readonly #keeper: ClockKeeper;
  #universeAt = { market: 0, wall: 0 };
  #universeProblem: { code: string; message: string } | null = null;
  #symbolsAt = -Infinity;
  #swept = { seen: 0, still: 0 };
  #streamProblem: { code: string; message: string } | null = null;

  constructor(options: MarketLinkOptions) {
    this.#options = options;
    const { wall, log, signal, exchange } = options;
    this.clock = new MarketClock(wall.now);
    this.rest = new BinanceRest({ baseUrl: exchange.restUrl, wall, signal });
    this.universe = new Universe(this.rest);
    this.#keeper = new ClockKeeper({ rest: this.rest, clock: this.clock, wall, log, signal });
    this.candles = new CandleFeed({
      rest: this.rest, clock: this.clock, wall, log, signal,
      refreshClock: () => this.#keeper.refresh(),
      saysHalted: (symbol) => this.#saysHalted(symbol),
      startOf: options.startOf, take: options.take, restart: options.restart, onProgress: options.onChange,
    });
    this.streams = new BinanceWebSocketClient({
      url: exchange.streamUrl, wall, log,
      events: {
        onClosed: (series, candle, eventTime) => { this.#saw(eventTime); this.candles.onClosed(series, candle); },
        onForming: (series, candle, eventTime) => { this.#saw(eventTime); options.onPrice(series.symbol, candle.close); options.onForming(series.symbol, series.interval, candle); },
        onSubscribed: (series) => this.candles.onSubscribed(series),
        onState: ({ connected, error }) => {
          this.#streamProblem = connected ? null : { code: error?.code ?? 'stream_lost', message: error ? sentenceOf(error) : 'The exchange\'s stream is being connected again.' };
          options.onChange();
        },
      },
    });
  }

  /** Waits until the exchange has told its time and its symbols; retried without end, said once per cause. Answers false when aborted before. */
  async open(): Promise<boolean> {
    const { signal, wall, log } = this.#options;
    const backoff = new Backoff({ first: 250, most: 10_000, random: wall.random });
    while (!signal.aborted) {
      try {
        await this.#keeper.refresh();
        await this.#readUniverse();
        return true;
      } catch (error) {
        if (signal.aborted) break;
        if (this.#universeProblem?.code !== codeOf(error)) log('warn', codeOf(error), `Waiting for the exchange: ${sentenceOf(error)}`);
        this.#universeProblem = { code: codeOf(error), message: sentenceOf(error) };
        this.#options.onChange();
        await pause(codeOf(error) === 'exchange_location_refused' ? 30_000 : backoff.next(), signal);
      }
    }
    return false;
  }

  /** Follows the exchange until the signal ends it. */
  async run(): Promise<void> {
    const { signal } = this.#options;
    const sweep = setInterval(() => this.#sweep(), SWEEP_MS);
    try {
      await Promise.all([this.#keeper.run(), this.#followUniverse()]);
    } finally {
      clearInterval(sweep);
      if (signal.aborted) await Promise.all([this.streams.stop(), this.candles.stop()]);
    }
  }

  /** Streams and keeps exactly these series from now on; subscribed before history is asked for. */
  want(series: ReadonlyMap<string, readonly Interval[]>): void {
    this.candles.setSeries(series);
    this.streams.want([...series].flatMap(([symbol, intervals]) => intervals.map((interval) => ({ symbol, interval }))));
  }

  problems(): { code: string; message: string }[] {
    return [this.#keeper.problem, this.#universeProblem, this.#streamProblem, this.candles.problem].filter((problem) => problem !== null);
  }

  async #readUniverse(): Promise<void> {
    await this.universe.refresh();
    this.#universeAt = { market: this.clock.now(), wall: this.#options.wall.now() };
    this.#universeProblem = null;
  }

  async #followUniverse(): Promise<void> {
    const { signal, wall, log, onUniverse } = this.#options;
    while (await pause(5_000, signal)) {
      const due = this.clock.now() - this.#universeAt.market >= UNIVERSE_MARKET_MS && wall.now() - this.#universeAt.wall >= UNIVERSE_WALL_MS;
      if (!due) continue;
      try {
        await this.#readUniverse();
        for (const symbol of this.candles.halted()) if (this.universe.status(symbol) === 'TRADING') this.candles.revive(symbol);
        onUniverse();
      } catch (error) {
        if (signal.aborted) return;
        // What was known stays; the clock's own problem says when the exchange is away as a whole.
        this.#universeAt.wall = wall.now();
        log('warn', codeOf(error), `The list of symbols could not be read anew: ${sentenceOf(error)}`);
      }
    }
  }

  /** What the exchange says of a symbol now, read at most every 10 s for all. */
  async #saysHalted(symbol: string): Promise<boolean> {
    const { wall } = this.#options;
    if (wall.now() - this.#symbolsAt >= SYMBOLS_FRESH_MS) {
      this.#symbolsAt = wall.now();
      await this.universe.refreshSymbols();
    }
    return this.universe.status(symbol) !== 'TRADING';
  }

  /** A stream that says nothing does not set the clock either: then the exchange is asked, and the late candles with it. */
  #sweep(): void {
    const seen = this.clock.seen();
    this.#swept = { seen, still: seen === this.#swept.seen ? this.#swept.still + 1 : 0 };
    if (this.#swept.still >= STILL_SWEEPS && this.candles.progress().symbols > 0) this.#keeper.refresh().catch(() => undefined);
    this.candles.sweep();
  }

  /** An event's time sets the clock forward; one beyond belief makes us ask. */
  #saw(eventTime: number): void {
    if (!this.clock.saw(eventTime)) this.#keeper.refresh().catch(() => undefined);
  }
}
