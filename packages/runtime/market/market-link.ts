import { codeOf, intervalOpen, sentenceOf, type Candle, type Interval, type Universe as Rules } from '@trademind/core';
import type { Log } from '../log.ts';
import { Backoff, every, pause, type Wall } from '../time.ts';
import { BinanceRest } from './binance-rest.ts';
import { ALL_PRICES, BinanceWebSocketClient } from './binance-websocket-client.ts';
import { CandleAudit } from './candle-audit.ts';
import { CandleFeed } from './candle-feed.ts';
import { CandleMarks, type MarkStore } from './candle-marks.ts';
import { ClockKeeper } from './clock-keeper.ts';
import type { ExchangeAccess } from './exchange-access.ts';
import { longerHistory } from './longer-history.ts';
import { MarketClock } from './market-clock.ts';
import { StoredHistory, type StoredCandles } from './stored-history.ts';
import { Universe, type ListingStore } from './universe.ts';

const SWEEP_MS = 1_000;
const SYMBOLS_FRESH_MS = 10_000;
/** Klines come at least every 2 s while anything trades. */
const STILL_SWEEPS = 3;
/** The universe is looked at again every hour of market time, but not more often than this in wall time. */
const UNIVERSE_MARKET_MS = 3_600_000;
const UNIVERSE_WALL_MS = 60_000;
const UNIVERSE_LOOK_MS = 5_000;

export interface MarketLinkOptions {
  exchange: ExchangeAccess;
  wall: Wall;
  log: Log;
  /** Aborted when everything ends. */
  signal: AbortSignal;
  startOf(symbol: string, interval: Interval): number;
  /** Longer intervals that are made of a symbol's candles, and the open time from which their past is needed. */
  longer?(symbol: string): readonly { interval: Interval; from: number }[];
  /** Takes in the past of such an interval, as the exchange has it. */
  seed?(symbol: string, interval: Interval, candles: readonly Candle[]): void;
  take(symbol: string, interval: Interval, candle: Candle): void;
  restart(symbol: string, interval: Interval): void;
  onPrice(symbol: string, price: number): void;
  /** Connection, history or halts changed. */
  onChange(): void;
  /** The universe was read anew. */
  onUniverse(): void;
  /** The newest closed candles that are held of a series, oldest first; without it no second looks are taken. */
  held?(symbol: string, interval: Interval, limit: number): readonly Candle[];
  /** Open time of the oldest of them. */
  heldFrom?(symbol: string, interval: Interval): number | undefined;
  /** Where holes and corrections survive a restart, and where first days do. */
  marks?: MarkStore;
  listings?: ListingStore;
  /** Closed candles that lie on this computer: what history has of them is not asked of the exchange. */
  stored?: StoredCandles | undefined;
  /** Rules of traders that are known before the exchange answers. */
  rules?(): readonly Rules[];
}

/** One exchange: its clock, its symbols, its streams and its history, joined into one feed of candles. */
export class MarketLink {
  readonly clock: MarketClock;
  readonly rest: BinanceRest;
  readonly universe: Universe;
  readonly candles: CandleFeed;
  readonly streams: BinanceWebSocketClient;
  /** Holes and corrections of the series. */
  readonly marks: CandleMarks;
  readonly #options: MarketLinkOptions;
  readonly #keeper: ClockKeeper;
  readonly #audit: CandleAudit;
  readonly #stored: StoredHistory | undefined;
  #told = { stored: 0, asked: 0 };
  #universeAt = { market: 0, wall: 0 };
  #universeProblem: { code: string; message: string } | null = null;
  #swept = { seen: 0, still: 0 };
  #streamProblem: { code: string; message: string } | null = null;

  constructor(options: MarketLinkOptions) {
    this.#options = options;
    const { wall, log, signal, exchange } = options;
    const held = (symbol: string, interval: Interval, limit: number) => options.held?.(symbol, interval, limit) ?? [];
    this.clock = new MarketClock(wall.now);
    this.rest = new BinanceRest({ baseUrl: exchange.restUrl, wall, signal, fetch: exchange.fetch, onOffGrid: (...rows) => this.#markOffGrid(...rows) });
    this.universe = new Universe({ rest: this.rest, clock: this.clock, log, signal, listings: options.listings, rules: () => options.rules?.() ?? [], onFacts: () => options.onUniverse() });
    this.marks = new CandleMarks(options.marks);
    this.#keeper = new ClockKeeper({ rest: this.rest, clock: this.clock, wall, log, signal });
    this.#audit = new CandleAudit({ rest: this.rest, clock: this.clock, wall, log, signal, marks: this.marks, held, onChange: options.onChange });
    this.#stored = options.stored && new StoredHistory({ candles: options.stored, log });
    this.candles = new CandleFeed({
      rest: this.rest, clock: this.clock, wall, log, signal, marks: this.marks, stored: this.#stored, held, heldFrom: (symbol, interval) => options.heldFrom?.(symbol, interval),
      refreshClock: () => this.#keeper.refresh(),
      saysHalted: (symbol) => this.#saysHalted(symbol),
      startOf: options.startOf, longer: (symbol) => options.longer?.(symbol).map(({ interval }) => interval) ?? [], before: (symbol) => this.#layLonger(symbol), take: options.take, restart: options.restart, onProgress: () => { this.#tellHistory(); options.onChange(); },
      doubt: (symbol, interval) => this.#audit.soon(symbol, interval),
      onQuiet: (series) => { if (this.streams.connected) this.streams.renew(series); },
    });
    this.streams = new BinanceWebSocketClient({
      url: exchange.streamUrl, wall, log, open: exchange.openSocket, tap: exchange.tap,
      events: {
        onClosed: (series, candle, eventTime) => this.candles.onClosed(series, candle, this.#saw(eventTime)),
        onForming: (series, close, eventTime) => { this.#saw(eventTime); options.onPrice(series.symbol, close); },
        onPrice: (symbol, price, eventTime) => { this.#saw(eventTime); options.onPrice(symbol, price); },
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
        await pause(codeOf(error) === 'exchange_location_refused' ? 30_000 : backoff.next(), signal, wall);
      }
    }
    return false;
  }

  /** Follows the exchange until the signal ends it. */
  async run(): Promise<void> {
    const { signal, wall, held } = this.#options;
    const endSweeps = every(SWEEP_MS, wall, () => this.#sweep());
    try {
      await Promise.all([this.#keeper.run(), this.#followUniverse(), held ? this.#audit.run(() => this.candles.series()) : undefined]);
    } finally {
      endSweeps();
      if (signal.aborted) await Promise.all([this.streams.stop(), this.candles.stop()]);
    }
  }

  /** Streams and keeps exactly these series from now on; subscribed before history is asked for. */
  want(series: ReadonlyMap<string, readonly Interval[]>): void {
    this.candles.setSeries(series);
    this.streams.want([...series].flatMap(([symbol, intervals]) => intervals.map((interval) => ({ symbol, interval }))), series.size > 0 ? [ALL_PRICES] : []);
  }

  /** Compares all that is held with what the exchange says now; differences are marked. Rejects with the exchange's error. */
  async compareAll(): Promise<void> {
    for (const series of this.candles.series()) await this.#audit.compare(series);
  }

  problems(): { code: string; message: string }[] {
    return [this.#keeper.problem, this.rest.budget.problem, this.#universeProblem, this.#streamProblem, this.candles.problem].filter((problem) => problem !== null);
  }

  async #layLonger(symbol: string): Promise<void> {
    const { wall, signal, longer, seed } = this.#options;
    for (const { interval, from } of longer?.(symbol) ?? []) {
      seed?.(symbol, interval, await longerHistory({ rest: this.rest, clock: this.clock, wall, signal, symbol, interval, stored: this.#stored }, from));
    }
  }

  /** Once all history is there: where it came from. */
  #tellHistory(): void {
    const { done, total } = this.candles.progress();
    if (!this.#stored || done < total) return;
    const { stored, asked } = this.#stored.counts;
    const news = { stored: stored - this.#told.stored, asked: asked - this.#told.asked };
    if (news.stored + news.asked === 0) return;
    this.#told = { stored, asked };
    this.#options.log('info', 'history_loaded', `History is there: ${news.stored} candles from the archive, ${news.asked} from the exchange.`, news);
  }

  /** Rows that open where no candle can: each place is marked once. */
  #markOffGrid(symbol: string, interval: Interval, openTimes: readonly number[]): void {
    const known = new Set(this.marks.of(symbol, interval).filter(({ kind }) => kind === 'off-grid').map(({ openTime }) => openTime));
    const places = new Map(openTimes.map((opened) => [intervalOpen(interval, opened), opened]));
    const fresh = [...places].filter(([openTime]) => !known.has(openTime));
    for (const [openTime, opened] of fresh) this.marks.add({ kind: 'off-grid', symbol, interval, openTime, opened, at: this.clock.now() });
    const [first] = fresh;
    if (first !== undefined) this.#options.log('warn', 'candles_off_grid', `${fresh.length} ${interval} candles of ${symbol} open at other times than they should, the first at ${new Date(first[1]).toISOString()}: they are left out, and their places marked.`);
  }

  async #readUniverse(): Promise<void> {
    await this.universe.refresh();
    this.#universeAt = { market: this.clock.now(), wall: this.#options.wall.now() };
    this.#universeProblem = null;
  }

  async #followUniverse(): Promise<void> {
    const { signal, wall, log, onUniverse } = this.#options;
    while (await pause(UNIVERSE_LOOK_MS, signal, wall)) {
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
    await this.universe.refreshSymbols(SYMBOLS_FRESH_MS);
    return this.universe.status(symbol) !== 'TRADING';
  }

  /** A stream that says nothing does not set the clock either: then the exchange is asked, and the late candles with it. */
  #sweep(): void {
    const seen = this.clock.seen();
    this.#swept = { seen, still: seen === this.#swept.seen ? this.#swept.still + 1 : 0 };
    if (this.#swept.still >= STILL_SWEEPS && this.candles.progress().symbols > 0) this.#keeper.refresh().catch(() => undefined);
    this.candles.sweep();
  }

  /** An event's time sets the clock forward; one beyond belief (false) makes us ask. */
  #saw(eventTime: number): boolean {
    const believed = this.clock.saw(eventTime);
    if (!believed) this.#keeper.refresh().catch(() => undefined);
    return believed;
  }
}
