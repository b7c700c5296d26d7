import { codeOf, sentenceOf, type Candle, type Interval } from '@trademind/core';
import type { Series } from './binance-websocket-client.ts';
import type { FeedContext } from './feed-context.ts';
import { SymbolFeed } from './symbol-feed.ts';

/** Symbols whose history is fetched at the same time; what is missing live does not wait for those. */
const BACKFILLS = 8;
const REPAIRS = 6;
/** Without a stream for so long, history is fetched all the same. */
const STREAM_WAIT_MS = 3_000;

export interface CandleFeedOptions extends FeedContext {
  /** The streams of these series have gone quiet although their symbols trade. */
  onQuiet(series: readonly Series[]): void;
}

/**
 * Every closed candle of every wanted series, in order, exactly once, wherever it comes from: the stream, or REST after a (re)connect, a gap,
 * a late candle or a restart.
 */
export class CandleFeed {
  readonly #options: CandleFeedOptions;
  readonly #feeds = new Map<string, SymbolFeed>();
  readonly #queue = new Set<SymbolFeed>();
  readonly #running = new Map<SymbolFeed, Promise<void>>();
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
      feed.drop();
    }
    for (const [symbol, intervals] of wanted) {
      let feed = this.#feeds.get(symbol);
      if (!feed) this.#feeds.set(symbol, feed = new SymbolFeed(symbol, this.#options));
      if (feed.setIntervals(intervals)) this.refill(symbol);
    }
  }

  /** All wanted series. */
  series(): Series[] {
    return [...this.#feeds.values()].flatMap((feed) => feed.intervals.map((interval) => ({ symbol: feed.symbol, interval })));
  }

  /** Series that flow from now on: what closed meanwhile is fetched. */
  onSubscribed(series: readonly Series[]): void {
    for (const symbol of new Set(series.map((one) => one.symbol))) {
      const feed = this.#feeds.get(symbol);
      feed?.subscribed();
      if (feed && (!feed.filled || feed.dueAt() <= this.#options.clock.now())) this.#schedule(feed, 0);
    }
  }

  /** A candle that a stream brought; not `believed` when the time with which it came cannot be. */
  onClosed({ symbol, interval }: Series, candle: Candle, believed = true): void {
    const feed = this.#feeds.get(symbol);
    if (!feed || this.#paused || !feed.offer(interval, candle, believed)) return;
    this.#gaps += 1;
    this.#schedule(feed, 0);
  }

  /** Looks, every second or so, for what is late and asks the exchange for it. */
  sweep(): void {
    if (this.#paused) return;
    const { wall, onQuiet } = this.#options;
    const quiet: Series[] = [];
    for (const feed of this.#feeds.values()) {
      if (feed.filled ? feed.isLate() || feed.lacksLonger() : wall.now() - feed.addedAt >= STREAM_WAIT_MS) this.#schedule(feed);
      for (const interval of feed.takeQuiet()) quiet.push({ symbol: feed.symbol, interval });
    }
    if (quiet.length > 0) onQuiet(quiet);
  }

  /** Fetches a symbol's history anew, from where `startOf` says now. */
  refill(symbol: string): void {
    const feed = this.#feeds.get(symbol);
    if (!feed) return;
    feed.beginAnew();
    this.#schedule(feed, 0);
  }

  /**
   * Whether what is held of a series (or is being fetched) reaches back to `from`. A series shorter than its ring has never dropped a
   * candle: then it reaches as far as was asked.
   */
  covers(symbol: string, interval: Interval, from: number, held: { size: number; capacity: number; openTime(index: number): number | undefined } | undefined): boolean {
    return this.#feeds.get(symbol)?.reachesBack(interval, from, held) ?? false;
  }

  /** A symbol may trade again: it is asked for once more. */
  revive(symbol: string): void {
    this.#feeds.get(symbol)?.revive();
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
      const count = feed.intervals.length;
      progress.total += count;
      if (!feed.filled) continue;
      progress.done += count;
      progress.symbolsDone += 1;
    }
    return progress;
  }

  isHalted(symbol: string): boolean {
    return this.#feeds.get(symbol)?.isHalted() ?? false;
  }

  halted(): string[] {
    return [...this.#feeds.values()].filter((feed) => feed.isHalted()).map((feed) => feed.symbol).toSorted();
  }

  /** Gaps met in the stream since the start. */
  get gaps(): number {
    return this.#gaps;
  }

  /** Stream candles that contradicted themselves or the clock, of the symbols kept now: they were asked for instead. */
  get doubts(): number {
    return [...this.#feeds.values()].reduce((sum, feed) => sum + feed.doubts, 0);
  }

  /** Why history cannot be fetched now; null when it can. */
  get problem(): { code: string; message: string } | null {
    return this.#lastError;
  }

  /** Waits for what is under way; the caller has aborted the signal. */
  async stop(): Promise<void> {
    this.#paused = true;
    await Promise.all(this.#running.values());
  }

  #schedule(feed: SymbolFeed, notBefore = feed.notBefore): void {
    feed.notBefore = notBefore;
    if (this.#running.has(feed) || feed.notBefore > this.#options.wall.now()) return;
    this.#queue.add(feed);
    this.#pump();
  }

  /** What is missing live goes first, and does not wait for histories under way. */
  #pump(): void {
    if (this.#paused || this.#options.signal.aborted) return;
    for (const feed of this.#queue) if (feed.filled) this.#run(feed, BACKFILLS + REPAIRS);
    for (const feed of this.#queue) this.#run(feed, BACKFILLS);
  }

  #run(feed: SymbolFeed, most: number): void {
    if (this.#running.size >= most) return;
    this.#queue.delete(feed);
    const run = feed.fill(() => this.#paused || this.#feeds.get(feed.symbol) !== feed).then((error) => {
      this.#running.delete(feed);
      if (this.#options.signal.aborted) return;
      this.#lastError = error === null ? null : { code: codeOf(error), message: sentenceOf(error) };
      this.#options.onProgress();
      this.#pump();
    });
    this.#running.set(feed, run);
  }
}
