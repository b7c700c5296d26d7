import { join, type Candle } from './candle.ts';
import { DAY, HOUR, MINUTE, openOf, stepOpen, type Interval } from './intervals.ts';
import { partial } from './path.ts';
import { hash } from './random.ts';
import type { MarketSource, SymbolInfo } from './source.ts';

/** Finished hours and days that are kept, per symbol; older ones are computed again when asked for. */
const HOURS_KEPT = 96;
const DAYS_KEPT = 400;

interface Known { info: SymbolInfo; key: number; hours: Map<number, Candle | null>; days: Map<number, Candle | null> }

/**
 * Every candle of every interval, computed exactly from the market's one-minute candles. Nothing after `now` is ever
 * shown: the candle that contains `now` comes as far as it has got.
 */
export class CandleBook {
  readonly #source: MarketSource;
  readonly #known: Map<string, Known>;

  constructor(source: MarketSource) {
    this.#source = source;
    this.#known = new Map(source.symbols.map((info) => [info.symbol, { info, key: hash(info.symbol), hours: new Map(), days: new Map() }]));
  }

  info(symbol: string): SymbolInfo | undefined {
    return this.#known.get(symbol)?.info;
  }

  /** True while the market has candles for the symbol at `now`. */
  trades(symbol: string, now: number): boolean {
    const info = this.info(symbol);
    return info !== undefined && now >= info.first && now < info.end;
  }

  /** The finished minutes in [from, to) as one candle; undefined when there are none. Both must be whole minutes. */
  fold(symbol: string, from: number, to: number): Candle | undefined {
    const known = this.#known.get(symbol);
    if (!known) return undefined;
    let result: Candle | undefined;
    let at = Math.max(from, known.info.first);
    const end = Math.min(to, known.info.end);
    while (at < end) {
      const [size, candle] = this.#largestAt(known, at, end);
      if (candle) result = result ? join(result, candle) : candle;
      at += size;
    }
    return result;
  }

  #largestAt(known: Known, at: number, end: number): [number, Candle | undefined] {
    if (at % DAY === 0 && at + DAY <= end) return [DAY, this.#kept(known, known.days, at, HOUR, DAY, DAYS_KEPT)];
    if (at % HOUR === 0 && at + HOUR <= end) return [HOUR, this.#kept(known, known.hours, at, MINUTE, HOUR, HOURS_KEPT)];
    return [MINUTE, this.#source.minute(known.info.symbol, at)];
  }

  #kept(known: Known, kept: Map<number, Candle | null>, from: number, step: number, size: number, limit: number): Candle | undefined {
    const found = kept.get(from);
    if (found !== undefined) return found ?? undefined;
    let result: Candle | undefined;
    for (let at = from; at < from + size; at += step) {
      const part = step === MINUTE ? this.#source.minute(known.info.symbol, at) : this.#kept(known, known.hours, at, MINUTE, HOUR, HOURS_KEPT);
      if (part) result = result ? join(result, part) : part;
    }
    kept.set(from, result ?? null);
    if (kept.size > limit) kept.delete(kept.keys().next().value as number);
    return result;
  }

  /** [from, now] as one candle, its last minute as far as it has got. */
  upTo(symbol: string, from: number, now: number): Candle | undefined {
    const minute = openOf('1m', now);
    return this.extend(symbol, this.fold(symbol, from, minute), now);
  }

  /** Adds the minute that contains `now`, as far as it has got, to what came before it. */
  extend(symbol: string, before: Candle | undefined, now: number): Candle | undefined {
    const known = this.#known.get(symbol);
    if (!known || !this.trades(symbol, now)) return before;
    const minute = openOf('1m', now);
    const whole = this.#source.minute(symbol, minute);
    if (!whole) return before;
    const current = partial(whole, (now - minute) / MINUTE, known.info, known.key);
    return before ? join(before, current) : current;
  }

  /** The candle of `interval` that opens at `open`, as it is known at `now`; undefined when the market has nothing there. */
  candle(symbol: string, interval: Interval, open: number, now: number): Candle | undefined {
    if (open > now) return undefined;
    const next = stepOpen(interval, open);
    const found = next <= now ? this.fold(symbol, open, next) : this.upTo(symbol, open, now);
    return found && { ...found, openTime: open };
  }

  /**
   * The rows of GET /klines: ascending; with `start` the first `limit` from there on, otherwise the last `limit` up to `end`.
   */
  klines(symbol: string, interval: Interval, now: number, ask: { start?: number | undefined; end?: number | undefined; limit: number }): Candle[] {
    const info = this.info(symbol);
    const rows: Candle[] = [];
    if (!info || info.first > now) return rows;
    const last = openOf(interval, Math.min(ask.end ?? now, now, info.end - MINUTE));
    const first = openOf(interval, info.first);
    if (ask.start !== undefined) {
      let open = openOf(interval, Math.max(ask.start, first));
      if (open < ask.start) open = stepOpen(interval, open);
      for (; open <= last && rows.length < ask.limit; open = stepOpen(interval, open)) {
        const row = this.candle(symbol, interval, open, now);
        if (row) rows.push(row);
      }
      return rows;
    }
    for (let open = last; open >= first && rows.length < ask.limit; open = stepOpen(interval, open, -1)) {
      const row = this.candle(symbol, interval, open, now);
      if (row) rows.push(row);
    }
    return rows.toReversed();
  }
}
