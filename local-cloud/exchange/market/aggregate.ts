import { join, type Candle } from './candle.ts';
import { DAY, HOUR, MINUTE, openOf, SECOND, stepOpen, type Interval } from './intervals.ts';
import { Tapes } from './tapes.ts';
import type { MarketSource, SymbolInfo } from './source.ts';
import type { Tape } from './tape.ts';

/** Finished hours and days that are kept, per symbol; older ones are computed again when asked for. */
const HOURS_KEPT = 96;
const DAYS_KEPT = 400;
const STRETCHES_KEPT = 4;

interface Known {
  info: SymbolInfo;
  hours: Map<number, Candle | null>;
  days: Map<number, Candle | null>;
  /** Runs of whole hours, by where they begin and how many they are. */
  stretches: Map<number, Candle | null>;
  /** The forming minute as it was last asked for, by how many of its trades had happened. */
  forming: { minute: number; done: number; candle: Candle } | undefined;
  /** Where the last trade before `number` more was found. */
  last: { number: number; minute: number } | undefined;
}

/**
 * Every candle of every interval, computed exactly from the market's one-minute candles and, for the minute that forms and for seconds,
 * from its trades. Nothing after `now` is ever shown: the candle that contains `now` comes as far as its trades have got.
 */
export class CandleBook {
  readonly #source: MarketSource;
  readonly #tapes: Tapes;
  readonly #known: Map<string, Known>;

  constructor(source: MarketSource) {
    this.#source = source;
    this.#tapes = new Tapes(source);
    this.#known = new Map(source.symbols.map((info) => [info.symbol, { info, hours: new Map(), days: new Map(), stretches: new Map(), forming: undefined, last: undefined }]));
  }

  info(symbol: string): SymbolInfo | undefined {
    return this.#known.get(symbol)?.info;
  }

  /** TRADING while the market has candles for the symbol at `now`; HALT while it was made to stand still; BREAK before its first candle and after its last. */
  status(symbol: string, now: number): 'TRADING' | 'HALT' | 'BREAK' {
    const info = this.info(symbol);
    if (!info || now < info.first || now >= info.end) return 'BREAK';
    return this.#source.haltAt?.(symbol, now) ? 'HALT' : 'TRADING';
  }

  trades(symbol: string, now: number): boolean {
    return this.status(symbol, now) === 'TRADING';
  }

  /** The last moment up to `now` at which the symbol's market was open: while it is not, its book stands still. */
  lastOpen(symbol: string, now: number): number {
    const info = this.info(symbol);
    if (info && now >= info.end) return info.end - 1;
    const halt = this.#source.haltAt?.(symbol, now);
    return halt ? halt.from - 1 : now;
  }

  /** The finished minutes in [from, to) as one candle; undefined when there are none. Both must be whole minutes. */
  fold(symbol: string, from: number, to: number): Candle | undefined {
    const known = this.#known.get(symbol);
    if (!known) return undefined;
    let at = Math.max(from, known.info.first);
    const end = Math.min(to, known.info.end);
    // Whole hours between two broken ones are the same for an hour: a rolling window asks for them every minute.
    const [hour, lastHour] = [Math.ceil(at / HOUR) * HOUR, openOf('1h', end)];
    if (lastHour - hour > HOUR && (hour > at || lastHour < end)) {
      const whole = kept(known.stretches, hour * 1_000 + (lastHour - hour) / HOUR, STRETCHES_KEPT, () => this.fold(symbol, hour, lastHour));
      return joined(joined(this.fold(symbol, at, hour), whole), this.fold(symbol, lastHour, end));
    }
    let result: Candle | undefined;
    while (at < end) {
      const [size, candle] = this.#largestAt(known, at, end);
      result = joined(result, candle);
      at += size;
    }
    return result;
  }

  /** The largest piece that begins at `at`: a day, an hour, or what of an hour lies before `end`. */
  #largestAt(known: Known, at: number, end: number): [number, Candle | undefined] {
    if (at % DAY === 0 && at + DAY <= end) return [DAY, this.#keptDay(known, at)];
    if (at % HOUR === 0 && at + HOUR <= end) return [HOUR, this.#keptHour(known, at)];
    const to = Math.min(end, openOf('1h', at) + HOUR);
    return [to - at, this.#source.fold(known.info.symbol, at, to)];
  }

  #keptHour({ info, hours }: Known, from: number): Candle | undefined {
    return kept(hours, from, HOURS_KEPT, () => this.#source.fold(info.symbol, from, from + HOUR));
  }

  #keptDay(known: Known, from: number): Candle | undefined {
    return kept(known.days, from, DAYS_KEPT, () => {
      let day: Candle | undefined;
      for (let at = from; at < from + DAY; at += HOUR) {
        day = joined(day, this.#keptHour(known, at));
      }
      return day;
    });
  }

  /** [from, now] as one candle, its last minute as far as it has got. */
  upTo(symbol: string, from: number, now: number): Candle | undefined {
    const minute = openOf('1m', now);
    return this.extend(symbol, this.fold(symbol, from, minute), now);
  }

  /** Adds the minute that contains `now`, as far as its trades have got, to what came before it. */
  extend(symbol: string, before: Candle | undefined, now: number): Candle | undefined {
    const known = this.#known.get(symbol);
    if (!known || !this.trades(symbol, now)) return before;
    const minute = openOf('1m', now);
    const tape = this.#tapes.at(symbol, minute);
    if (!tape) return before;
    const done = tape.countAt(now - minute);
    if (done === 0) return before ?? this.#still(symbol, minute);
    if (known.forming?.minute !== minute || known.forming.done !== done) known.forming = { minute, done, candle: tape.fold(0, done) as Candle };
    return before ? join(before, known.forming.candle) : known.forming.candle;
  }

  /** The trades of a minute; undefined where the market has no such minute. */
  tape(symbol: string, minute: number): Tape | undefined {
    return this.#tapes.at(symbol, minute);
  }

  tradesBefore(symbol: string, minute: number): number {
    return this.#source.tradesBefore(symbol, minute);
  }

  /** The last trade before that minute; undefined when there was none. */
  lastTrade(symbol: string, minute: number): { tape: Tape; index: number } | undefined {
    const known = this.#known.get(symbol);
    const number = known ? this.#source.tradesBefore(symbol, minute) : 0;
    if (!known || number === 0) return undefined;
    if (known.last?.number !== number) known.last = { number, minute: this.minuteOfTrade(symbol, number, minute) };
    const tape = this.#tapes.at(symbol, known.last.minute);
    return tape && { tape, index: tape.count - 1 };
  }

  /** The minute, before `end`, of the symbol's trade of that number, counted from 1. */
  minuteOfTrade(symbol: string, number: number, end: number): number {
    const first = this.info(symbol)?.first ?? 0;
    const within = (from: number, steps: number, size: number) => {
      let [low, high] = [0, steps];
      while (low < high) {
        const middle = (low + high + 1) >> 1;
        if (this.#source.tradesBefore(symbol, from + middle * size) < number) low = middle;
        else high = middle - 1;
      }
      return from + low * size;
    };
    // Days first: what came before a day costs nothing to know.
    const day = within(openOf('1d', first), Math.floor((end - openOf('1d', first)) / DAY), DAY);
    return within(day, DAY / MINUTE - 1, MINUTE);
  }

  /** A minute or second in which nothing has traded: it stands at the price before it. */
  #still(symbol: string, openTime: number): Candle | undefined {
    const last = this.lastTrade(symbol, openOf('1m', openTime));
    const price = last?.tape.trade(last.index).price ?? this.#source.minute(symbol, openOf('1m', openTime))?.open;
    return price === undefined ? undefined : { openTime, open: price, high: price, low: price, close: price, volume: 0n, quoteVolume: 0n, trades: 0, takerBase: 0n, takerQuote: 0n };
  }

  #second(symbol: string, open: number, now: number): Candle | undefined {
    const minute = openOf('1m', open);
    const tape = this.trades(symbol, open) ? this.#tapes.at(symbol, minute) : undefined;
    if (!tape) return undefined;
    const [from, to] = [tape.countAt(open - 1 - minute), tape.countAt(Math.min(open + SECOND - 1, now) - minute)];
    const found = tape.fold(from, to);
    if (found) return { ...found, openTime: open };
    const price = from > 0 ? tape.trade(from - 1).price : undefined;
    const still = price === undefined ? this.#still(symbol, minute) : { openTime: open, open: price, high: price, low: price, close: price, volume: 0n, quoteVolume: 0n, trades: 0, takerBase: 0n, takerQuote: 0n };
    return still && { ...still, openTime: open };
  }

  /** The candle of `interval` that opens at `open`, as it is known at `now`; undefined when the market has nothing there. */
  candle(symbol: string, interval: Interval, open: number, now: number): Candle | undefined {
    if (open > now) return undefined;
    if (interval === '1s') return this.#second(symbol, open, now);
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
    const last = openOf(interval, Math.min(ask.end ?? now, now, info.end - 1));
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

/** Two candles of which either may be missing. */
function joined(earlier: Candle | undefined, later: Candle | undefined): Candle | undefined {
  return earlier && later ? join(earlier, later) : earlier ?? later;
}

/** What is kept under `from`, made when it is first asked for; the oldest gives way. */
function kept(store: Map<number, Candle | null>, from: number, limit: number, make: () => Candle | undefined): Candle | undefined {
  const found = store.get(from);
  if (found !== undefined) return found ?? undefined;
  const made = make();
  store.set(from, made ?? null);
  if (store.size > limit) store.delete(store.keys().next().value as number);
  return made;
}
