import { codeOf, intervalClose, sentenceOf, type Candle, type Interval } from '@trademind/core';
import type { Log } from '../log.ts';
import { Backoff, type Wall } from '../time.ts';
import { layHistory } from './backfill.ts';
import type { BinanceRest } from './binance-rest.ts';
import type { Series } from './binance-websocket-client.ts';
import { CandleMerge } from './candle-merge.ts';
import type { MarketClock } from './market-clock.ts';

/** Symbols whose history is fetched at the same time. */
const CONCURRENCY = 6;
/** A candle is late when so much market time, and so much wall time, has passed since its end. */
const LATE_MARKET_MS = 10_000;
const LATE_WALL_MS = 1_000;
/** Without a stream for so long, history is fetched all the same. */
const STREAM_WAIT_MS = 3_000;
/** So many answers without a new candle, one after the other, make a halt. */
const EMPTY_ANSWERS = 3;
const RETRY = { first: 500, most: 60_000 };
const ROUNDS = 4;

interface SymbolFeed {
  symbol: string;
  merge: CandleMerge;
  addedAt: number;
  /** Its history was fetched once (or is not to be had). */
  filled: boolean;
  running: boolean;
  /** Where each series began: the open time that was asked for. */
  begun: Map<Interval, number>;
  /** Grows when the series are begun anew: what was fetched for an older one is dropped. */
  generation: number;
  emptyAnswers: number;
  notBefore: number;
  retry: Backoff;
}

export interface CandleFeedOptions {
  rest: Pick<BinanceRest, 'klines'>;
  clock: MarketClock;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  /** Makes sure that the clock was set a moment ago. */
  refreshClock(): Promise<void>;
  /** Whether the exchange itself says that the symbol does not trade now. */
  saysHalted(symbol: string): Promise<boolean>;
  /** Open time of the first candle that a series needs. */
  startOf(symbol: string, interval: Interval): number;
  /** A closed candle, in order, exactly once. */
  take(symbol: string, interval: Interval, candle: Candle): void;
  /** The series begins anew (a hole that the exchange never filled, or a longer history): what is known of it must be forgotten. */
  restart(symbol: string, interval: Interval): void;
  /** Something worth showing changed: history fetched, a halt, an end of one. */
  onProgress(): void;
}

/**
 * Every closed candle of every wanted series, in order, exactly once, wherever it comes from: the stream, or REST after a (re)connect, a gap,
 * a late candle or a restart. Stream candles wait in the symbol's queue while its history is fetched. What the exchange does not have is a halt:
 * said once, and not asked for again until the stream or `revive` brings it back.
 */
export class CandleFeed {
  readonly #options: CandleFeedOptions;
  readonly #feeds = new Map<string, SymbolFeed>();
  readonly #queue = new Set<SymbolFeed>();
  readonly #running = new Set<Promise<void>>();
  #paused = false;
  #gaps = 0;
  #lastError: { code: string; message: string } | null = null;

  constructor(options: CandleFeedOptions) {
    this.#options = options;
  }

  /** Keeps exactly these series. New ones are filled once the stream has them. */
  setSeries(wanted: ReadonlyMap<string, readonly Interval[]>): void {
    for (const [symbol, feed] of this.#feeds) {
      if (wanted.has(symbol)) continue;
      this.#feeds.delete(symbol);
      this.#queue.delete(feed);
      feed.generation += 1;
      for (const interval of feed.merge.intervals()) this.#options.restart(symbol, interval);
    }
    for (const [symbol, intervals] of wanted) {
      const feed = this.#feeds.get(symbol) ?? this.#add(symbol);
      const before = feed.merge.intervals();
      for (const interval of before) if (!intervals.includes(interval)) this.#options.restart(symbol, interval);
      feed.merge.setIntervals(intervals);
      if (feed.filled && intervals.some((interval) => !before.includes(interval))) this.refill(symbol);
    }
  }

  /** Series that flow from now on: what closed meanwhile is fetched. */
  onSubscribed(series: readonly Series[]): void {
    for (const symbol of new Set(series.map((one) => one.symbol))) {
      const feed = this.#feeds.get(symbol);
      if (feed && (!feed.filled || this.#dueAt(feed) <= this.#options.clock.now())) this.#schedule(feed, 0);
    }
  }

  onClosed({ symbol, interval }: Series, candle: Candle): void {
    const feed = this.#feeds.get(symbol);
    if (!feed || this.#paused || !feed.merge.offer(interval, candle) || feed.running || !feed.filled) return;
    this.#drain(feed);
    if (feed.merge.blocked()?.hole) {
      this.#gaps += 1;
      this.#schedule(feed, 0);
    }
  }

  /** Looks, every second or so, for what is late and asks the exchange for it. */
  sweep(): void {
    if (this.#paused) return;
    const { clock, wall } = this.#options;
    // By what the exchange has said: while it is away its market may stand still, and nothing is late.
    const late = clock.seen() - Math.max(LATE_MARKET_MS, LATE_WALL_MS * clock.rate);
    for (const feed of this.#feeds.values()) {
      if (feed.filled ? this.#dueAt(feed) <= late : wall.now() - feed.addedAt >= STREAM_WAIT_MS) this.#schedule(feed);
    }
  }

  /** Fetches a symbol's history anew, from where `startOf` says now. */
  refill(symbol: string): void {
    const feed = this.#feeds.get(symbol);
    if (!feed) return;
    feed.generation += 1;
    feed.filled = false;
    feed.begun.clear();
    for (const interval of feed.merge.intervals()) {
      feed.merge.unstart(interval);
      this.#options.restart(symbol, interval);
    }
    this.#schedule(feed, 0);
  }

  /**
   * Whether what is held of a series (or is being fetched) reaches back to `from`. A series shorter than its ring has never dropped a
   * candle: then it reaches as far as was asked.
   */
  covers(symbol: string, interval: Interval, from: number, held: { size: number; capacity: number; openTime(index: number): number | undefined } | undefined): boolean {
    const feed = this.#feeds.get(symbol);
    if (!feed || !feed.merge.intervals().includes(interval)) return false;
    const begun = feed.begun.get(interval);
    if (begun === undefined) return !feed.filled;
    return begun <= from && (held === undefined || held.size < held.capacity || (held.openTime(0) ?? Infinity) <= from);
  }

  /** A symbol may trade again: it is asked for once more. */
  revive(symbol: string): void {
    const feed = this.#feeds.get(symbol);
    if (!feed) return;
    for (const interval of feed.merge.intervals()) feed.merge.setHalted(interval, false);
    feed.emptyAnswers = 0;
    feed.notBefore = 0;
  }

  /** No new candle goes on from here (a drain), or goes on again. */
  setPaused(paused: boolean): void {
    this.#paused = paused;
    if (!paused) this.#pump();
  }

  /** Series whose history has been fetched, and all. */
  progress(): { done: number; total: number; symbols: number; symbolsDone: number } {
    const progress = { done: 0, total: 0, symbols: this.#feeds.size, symbolsDone: 0 };
    for (const feed of this.#feeds.values()) {
      const count = feed.merge.intervals().length;
      progress.total += count;
      if (!feed.filled) continue;
      progress.done += count;
      progress.symbolsDone += 1;
    }
    return progress;
  }

  isHalted(symbol: string): boolean {
    const merge = this.#feeds.get(symbol)?.merge;
    return merge !== undefined && merge.intervals().length > 0 && merge.intervals().every((interval) => merge.isHalted(interval));
  }

  halted(): string[] {
    return [...this.#feeds.keys()].filter((symbol) => this.isHalted(symbol)).toSorted();
  }

  /** Gaps met in the stream since the start. */
  get gaps(): number {
    return this.#gaps;
  }

  /** Why history cannot be fetched now; null when it can. */
  get problem(): { code: string; message: string } | null {
    return this.#lastError;
  }

  /** Waits for what is under way; the caller has aborted the signal. */
  async stop(): Promise<void> {
    this.#paused = true;
    await Promise.all(this.#running);
  }

  #add(symbol: string): SymbolFeed {
    const { wall } = this.#options;
    const feed: SymbolFeed = {
      symbol, merge: new CandleMerge(), addedAt: wall.now(), filled: false, running: false, begun: new Map(), generation: 0, emptyAnswers: 0, notBefore: 0,
      retry: new Backoff({ ...RETRY, random: wall.random }),
    };
    this.#feeds.set(symbol, feed);
    return feed;
  }

  /** Market time at which the next candle of any of its series is over; Infinity when all have halted. */
  #dueAt(feed: SymbolFeed): number {
    let due = Infinity;
    for (const interval of feed.merge.intervals()) {
      const next = feed.merge.nextOpen(interval);
      if (!feed.merge.isHalted(interval)) due = Math.min(due, next === undefined ? 0 : intervalClose(interval, next));
    }
    return due;
  }

  #schedule(feed: SymbolFeed, notBefore = feed.notBefore): void {
    feed.notBefore = notBefore;
    if (feed.running || feed.notBefore > this.#options.wall.now()) return;
    this.#queue.add(feed);
    this.#pump();
  }

  #pump(): void {
    for (const feed of this.#queue) {
      if (this.#running.size >= CONCURRENCY || this.#paused || this.#options.signal.aborted) return;
      this.#queue.delete(feed);
      feed.running = true;
      const run = this.#fill(feed).finally(() => {
        feed.running = false;
        this.#running.delete(run);
        this.#options.onProgress();
        this.#pump();
      });
      this.#running.add(run);
    }
  }

  /** Fetches what a symbol lacks, lays it in order, and lets it go on. Never rejects. */
  async #fill(feed: SymbolFeed): Promise<void> {
    const { wall, log, signal } = this.#options;
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const { generation } = feed;
        await this.#options.refreshClock();
        const brought = await this.#fetch(feed, generation);
        if (this.#feeds.get(feed.symbol) !== feed || this.#paused) return;
        if (feed.generation !== generation) continue;
        feed.filled = true;
        feed.retry.reset();
        this.#lastError = null;
        this.#drain(feed);
        await this.#judge(feed, brought);
        if (!feed.merge.blocked()?.hole) return;
      }
      feed.notBefore = wall.now() + feed.retry.next();
    } catch (error) {
      if (signal.aborted) return;
      const code = codeOf(error);
      if (code === 'exchange_refused' && feed.merge.intervals().length > 0) this.#noCandles(feed, `: ${sentenceOf(error)}`);
      this.#lastError = { code, message: sentenceOf(error) };
      feed.notBefore = wall.now() + feed.retry.next();
      if (feed.retry.failures === 1) log('warn', code, `The history of ${feed.symbol} could not be fetched: ${sentenceOf(error)} It is tried again.`);
    }
  }

  /** Lays all closed candles that the exchange has beyond what was taken into the queue; answers whether there was any. */
  async #fetch(feed: SymbolFeed, generation: number): Promise<boolean> {
    const { rest, clock } = this.#options;
    const { symbol, merge } = feed;
    let brought = false;
    for (const interval of merge.intervals()) {
      const next = merge.nextOpen(interval);
      const from = next ?? this.#options.startOf(symbol, interval);
      if (feed.filled && intervalClose(interval, from) > clock.seen()) continue;
      if (next === undefined) feed.begun.set(interval, from);
      const stillWanted = () => feed.generation === generation && merge.intervals().includes(interval);
      if (await layHistory({ rest, clock, symbol, interval, from, merge, stillWanted })) brought = true;
      if (!stillWanted()) return brought;
    }
    return brought;
  }

  /** After an answer: a symbol that is due but got nothing has halted, if the exchange says so, or if it happens several times. */
  async #judge(feed: SymbolFeed, brought: boolean): Promise<void> {
    const { clock, wall } = this.#options;
    if (brought) {
      this.#lives(feed);
      return;
    }
    // By the exchange's own clock, not by our estimate: a row that it was too early for is no sign of a halt.
    if (this.#dueAt(feed) + LATE_MARKET_MS > clock.seen()) return;
    feed.emptyAnswers += 1;
    feed.notBefore = wall.now() + 1_000 * 2 ** feed.emptyAnswers;
    if (feed.emptyAnswers >= EMPTY_ANSWERS || await this.#options.saysHalted(feed.symbol)) this.#noCandles(feed, '');
  }

  #noCandles(feed: SymbolFeed, why: string): void {
    const { log, clock, onProgress } = this.#options;
    const wasHalted = this.isHalted(feed.symbol);
    for (const interval of feed.merge.intervals()) {
      const next = feed.merge.nextOpen(interval);
      if (next === undefined) feed.merge.startAt(interval, this.#options.startOf(feed.symbol, interval));
      feed.merge.setHalted(interval, true);
    }
    feed.filled = true;
    if (wasHalted) return;
    log('warn', 'symbol_halted', `${feed.symbol} has halted: the exchange has no further candles of it at ${iso(clock.now())}${why}. It goes on when the exchange does.`);
    onProgress();
  }

  #lives(feed: SymbolFeed): void {
    feed.emptyAnswers = 0;
    if (!feed.merge.intervals().some((interval) => feed.merge.isHalted(interval))) return;
    for (const interval of feed.merge.intervals()) feed.merge.setHalted(interval, false);
    this.#options.log('info', 'symbol_trades', `${feed.symbol} trades again.`);
    this.#options.onProgress();
  }

  /** Lets all candles go on that are next in order. */
  #drain(feed: SymbolFeed): void {
    const { take, restart, log } = this.#options;
    for (let next = feed.merge.take(); next; next = feed.merge.take()) {
      const { interval } = next;
      if ('hole' in next) {
        log('warn', 'candles_missing', `The exchange has no ${interval} candles of ${feed.symbol} from ${iso(next.hole.from)} to ${iso(next.hole.to)}; its series begins anew after them.`);
        restart(feed.symbol, interval);
        continue;
      }
      if (feed.emptyAnswers > 0) this.#lives(feed);
      try {
        take(feed.symbol, interval, next.candle);
      } catch (error) {
        // Must not happen; if it does, one symbol begins anew instead of all standing still.
        log('error', codeOf(error), `${feed.symbol} ${interval} at ${iso(next.candle.openTime)}: ${sentenceOf(error)} Its history is fetched anew.`);
        this.refill(feed.symbol);
        return;
      }
    }
  }
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
