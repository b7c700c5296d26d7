import type { CandleBook } from './aggregate.ts';
import type { Candle } from './candle.ts';
import { DAY, MINUTE, openOf } from './intervals.ts';

/** What a symbol did from `openTime` until now. Trade ids are -1 when nothing traded; `count` trades lie between them. */
export interface Ticker { symbol: string; openTime: number; closeTime: number; day: Candle; firstId: number; lastId: number }

interface Kept { minute: number; before: Candle | undefined; firstId: number }

/** Figures of a rolling window. What does not change within a minute is computed once a minute, symbol and window. */
export class Tickers {
  readonly #book: CandleBook;
  readonly #kept = new Map<string, Map<number, Kept>>();

  constructor(book: CandleBook) {
    this.#book = book;
  }

  /**
   * The last 24 hours (1,439 whole minutes and the current one), or a window of `size` ms before the current minute. Undefined when the symbol
   * has never traded up to `now`. A halted symbol keeps its last price, at no volume.
   */
  at(symbol: string, now: number, size = DAY - MINUTE): Ticker | undefined {
    return this.since(symbol, now, openOf('1m', now) - size, size);
  }

  /** Figures since `openTime`, a whole minute. `slot` names what is kept from minute to minute. */
  since(symbol: string, now: number, openTime: number, slot: number): Ticker | undefined {
    const minute = openOf('1m', now);
    let slots = this.#kept.get(symbol);
    if (!slots) this.#kept.set(symbol, slots = new Map());
    let kept = slots.get(slot);
    if (!kept || kept.minute !== minute) {
      kept = { minute, before: this.#book.fold(symbol, openTime, minute), firstId: this.#book.tradesBefore(symbol, openTime) + 1 };
      slots.set(slot, kept);
    }
    const { before, firstId } = kept;
    const day = this.#book.extend(symbol, before, now);
    if (day) return { symbol, openTime, closeTime: now, day, ...(day.trades > 0 ? { firstId, lastId: firstId + day.trades - 1 } : { firstId: -1, lastId: -1 }) };
    const last = this.#book.klines(symbol, '1m', now, { limit: 1 })[0];
    if (!last) return undefined;
    const still = { ...last, open: last.close, high: last.close, low: last.close, volume: 0n, quoteVolume: 0n, trades: 0, takerBase: 0n, takerQuote: 0n };
    return { symbol, openTime, closeTime: now, day: still, firstId: -1, lastId: -1 };
  }

  /** The last trade up to `now`: its price and quantity in 1e-8 units, and its time. */
  lastTrade(symbol: string, now: number): { price: number; quantity: bigint; time: number } | undefined {
    const minute = openOf('1m', now);
    const tape = this.#book.tape(symbol, minute);
    const done = tape?.countAt(now - minute) ?? 0;
    if (tape && done > 0) return tape.trade(done - 1);
    const before = this.#book.lastTrade(symbol, minute);
    return before?.tape.trade(before.index);
  }

  /** The close of the minute before the window: what the exchange calls the price of the trade before its first. */
  closeBefore(symbol: string, openTime: number): number | undefined {
    const before = this.#book.lastTrade(symbol, openTime);
    return before?.tape.trade(before.index).price;
  }
}
