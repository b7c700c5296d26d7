import type { Candle, Interval } from '@trademind/core';
import { Screener, type Explanation, type Match, type RunningTrader } from '@trademind/engine';

/** A step of screening: what one closed candle gave, or what stored candles gave for a trader that just joined. */
export interface ScreenedCandle { symbol: string; interval: Interval; closeTime: number; matches: readonly Match[] }

export interface ParallelScreenerOptions {
  defaultInterval: Interval;
  /** Candles to keep of a series. */
  capacity: (interval: Interval) => number;
  /** Called for each candle in the order of its symbol. With workers it comes later than `push`; nobody may rely on it being at once. */
  onScreened: (step: ScreenedCandle) => void;
}

/**
 * Owns the screening. Candles go in by `push`, results come out by `onScreened`: today on this thread, with the surface that
 * shards on worker threads will need.
 */
export class ParallelScreener {
  readonly #screener: Screener;
  readonly #onScreened: ParallelScreenerOptions['onScreened'];
  #screened = 0;
  #busyMs = 0;
  #lastCloseAt: number | null = null;

  constructor(options: ParallelScreenerOptions) {
    this.#screener = new Screener({ defaultInterval: options.defaultInterval, capacity: options.capacity });
    this.#onScreened = options.onScreened;
  }

  get candles(): Screener['candles'] {
    return this.#screener.candles;
  }

  /** Candles screened since the start, the time it took, and the close time (ms, market time) of the latest. */
  get work(): { candles: number; busyMs: number; lastCloseAt: number | null } {
    return { candles: this.#screened, busyMs: this.#busyMs, lastCloseAt: this.#lastCloseAt };
  }

  /** Throws TradeMindError `candle_gap` when the candle is not the next of its series. */
  push(symbol: string, interval: Interval, candle: Candle): void {
    const began = performance.now();
    const matches = this.#screener.onCandle(symbol, interval, candle);
    this.#busyMs += performance.now() - began;
    this.#screened += 1;
    const closeTime = this.#screener.candles.lastCloseTime(symbol, interval);
    if (closeTime === undefined) return;
    this.#lastCloseAt = Math.max(this.#lastCloseAt ?? 0, closeTime);
    this.#onScreened({ symbol, interval, closeTime, matches });
  }

  setTraders(traders: readonly RunningTrader[]): ReturnType<Screener['setTraders']> {
    return this.#screener.setTraders(traders);
  }

  setUniverse(traderId: string, symbols: ReadonlySet<string>): Match[] {
    return this.#screener.setUniverse(traderId, symbols);
  }

  settleCandles(interval: Interval): number {
    return this.#screener.settleCandles(interval);
  }

  forget(symbol: string, interval: Interval): void {
    this.#screener.forget(symbol, interval);
  }

  explain(traderId: string, symbol: string): Explanation {
    return this.#screener.explain(traderId, symbol);
  }

  counts(traderId: string): ReturnType<Screener['counts']> {
    return this.#screener.counts(traderId);
  }

  /** Names of the traders that hold on the symbol's last closed candle. */
  matching(symbol: string): string[] {
    return this.#screener.matching(symbol);
  }
}
