import type { CandleBook } from './aggregate.ts';
import { formatUnits, UNITS, type Candle } from './candle.ts';
import { DAY, MINUTE, openOf } from './intervals.ts';

/** The last 24 hours of a symbol: 1,439 whole minutes and the current one. */
export interface Ticker { symbol: string; openTime: number; closeTime: number; day: Candle }

interface Kept { minute: number; before: Candle | undefined }

/** Rolling 24-hour figures. What does not change within a minute is computed once a minute and symbol. */
export class Tickers {
  readonly #book: CandleBook;
  readonly #kept = new Map<string, Kept>();

  constructor(book: CandleBook) {
    this.#book = book;
  }

  /** Undefined when the symbol has never traded up to `now`. A halted symbol keeps its last price, at no volume. */
  at(symbol: string, now: number): Ticker | undefined {
    const minute = openOf('1m', now);
    const openTime = minute - DAY + MINUTE;
    let kept = this.#kept.get(symbol);
    if (!kept || kept.minute !== minute) this.#kept.set(symbol, kept = { minute, before: this.#book.fold(symbol, openTime, minute) });
    const day = this.#book.extend(symbol, kept.before, now);
    if (day) return { symbol, openTime, closeTime: now, day };
    const last = this.#book.klines(symbol, '1m', now, { limit: 1 })[0];
    if (!last) return undefined;
    const still = { ...last, open: last.close, high: last.close, low: last.close, volume: 0n, quoteVolume: 0n, trades: 0, takerBase: 0n, takerQuote: 0n };
    return { symbol, openTime, closeTime: now, day: still };
  }
}

/** A row of GET /ticker/24hr. Trades are counted but have no ids, so firstId and lastId are -1, as on Binance without trades. */
export function tickerRow(ticker: Ticker, tick: number, step: number, full: boolean): Record<string, unknown> {
  const { day } = ticker;
  const change = day.close - day.open;
  const mini = {
    symbol: ticker.symbol, openPrice: formatUnits(day.open), highPrice: formatUnits(day.high), lowPrice: formatUnits(day.low),
    lastPrice: formatUnits(day.close), volume: formatUnits(day.volume), quoteVolume: formatUnits(day.quoteVolume),
    openTime: ticker.openTime, closeTime: ticker.closeTime, firstId: -1, lastId: -1, count: day.trades,
  };
  if (!full) return mini;
  return {
    ...mini,
    priceChange: formatUnits(change),
    priceChangePercent: ((change / day.open) * 100).toFixed(3),
    weightedAvgPrice: day.volume > 0n ? formatUnits((day.quoteVolume * BigInt(UNITS)) / day.volume) : '0.00000000',
    prevClosePrice: formatUnits(day.open),
    lastQty: formatUnits(step),
    // One tick around the last price: the thinnest book that does not cross.
    bidPrice: formatUnits(Math.max(tick, day.close - tick)), bidQty: formatUnits(step * 100),
    askPrice: formatUnits(day.close + tick), askQty: formatUnits(step * 100),
  };
}

/** The event of `<symbol>@miniTicker`. */
export function miniTickerEvent(ticker: Ticker, eventTime: number): Record<string, unknown> {
  const { day } = ticker;
  return {
    e: '24hrMiniTicker', E: eventTime, s: ticker.symbol, c: formatUnits(day.close), o: formatUnits(day.open),
    h: formatUnits(day.high), l: formatUnits(day.low), v: formatUnits(day.volume), q: formatUnits(day.quoteVolume),
  };
}
