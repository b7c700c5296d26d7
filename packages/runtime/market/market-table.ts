import { intervalMs, type Interval, type MarketRow } from '@trademind/core';
import type { CandleStore } from '@trademind/engine';

const DAY_MS = 86_400_000;

interface Row { price: number; change24h: number | null; quoteVolume24h: number | null; dirty: boolean; window: Window | undefined }
/** Sum over the last 24 h of one series, kept up candle by candle. */
interface Window { interval: Interval; lastOpen: number; sum: number }

export interface MarketTableOptions {
  candles: Pick<CandleStore, 'series'>;
  /** Names of the traders that hold on the symbol. */
  matches: (symbol: string) => string[];
  halted: (symbol: string) => boolean;
}

/** Every screened symbol as the feed shows it: price now, change and volume over the last 24 h of closed candles, who matches. */
export class MarketTable {
  readonly #options: MarketTableOptions;
  readonly #rows = new Map<string, Row>();
  readonly #dayOf = new Map<string, Interval>();

  constructor(options: MarketTableOptions) {
    this.#options = options;
  }

  /** Keeps exactly these symbols; the 24 h figures come from the shortest of a symbol's series. */
  setSymbols(wanted: ReadonlyMap<string, readonly Interval[]>): void {
    for (const symbol of this.#rows.keys()) if (!wanted.has(symbol)) this.#rows.delete(symbol);
    this.#dayOf.clear();
    for (const [symbol, intervals] of wanted) {
      const shortest = intervals.toSorted((a, b) => intervalMs(a) - intervalMs(b))[0];
      if (shortest) this.#dayOf.set(symbol, shortest);
      if (!this.#rows.has(symbol)) this.#rows.set(symbol, { price: Number.NaN, change24h: null, quoteVolume24h: null, dirty: false, window: undefined });
    }
  }

  /** The price under way. */
  priced(symbol: string, price: number): void {
    const row = this.#rows.get(symbol);
    if (!row || row.price === price) return;
    row.price = price;
    row.dirty = true;
  }

  /** A candle of the symbol was taken in. */
  closed(symbol: string, interval: Interval, price: number): void {
    const row = this.#rows.get(symbol);
    if (!row) return;
    row.dirty = true;
    if (interval !== this.#dayOf.get(symbol)) return;
    row.price = price;
    this.#advance(symbol, interval, row);
  }

  /** Something else of the symbol changed: a halt, a trader. */
  touch(symbol?: string): void {
    for (const row of symbol === undefined ? this.#rows.values() : [this.#rows.get(symbol)]) if (row) row.dirty = true;
  }

  /** All rows that have a price. */
  rows(): MarketRow[] {
    return [...this.#rows].filter(([, row]) => !Number.isNaN(row.price)).map(([symbol, row]) => this.#view(symbol, row));
  }

  /** Rows that changed since the last call. */
  changed(): MarketRow[] {
    const rows: MarketRow[] = [];
    for (const [symbol, row] of this.#rows) {
      if (!row.dirty || Number.isNaN(row.price)) continue;
      row.dirty = false;
      rows.push(this.#view(symbol, row));
    }
    return rows;
  }

  #view(symbol: string, row: Row): MarketRow {
    return {
      symbol, price: row.price, change24h: row.change24h, quoteVolume24h: row.quoteVolume24h,
      matches: this.#options.matches(symbol), halted: this.#options.halted(symbol),
    };
  }

  /** Moves the 24 h window on by the newest candle; begins anew where the series did. */
  #advance(symbol: string, interval: Interval, row: Row): void {
    const series = this.#options.candles.series(symbol, interval);
    const count = Math.max(1, Math.round(DAY_MS / intervalMs(interval)));
    const newest = series?.at(series.size - 1);
    if (!series || !newest) return;
    const leaving = series.at(series.size - 1 - count);
    const before = series.openTime(series.size - 2);
    if (row.window && row.window.interval === interval && row.window.lastOpen === before) {
      row.window.sum += newest.quoteVolume - (leaving?.quoteVolume ?? 0);
      row.window.lastOpen = newest.openTime;
    } else {
      let sum = 0;
      for (let index = Math.max(0, series.size - count); index < series.size; index++) sum += series.at(index)?.quoteVolume ?? 0;
      row.window = { interval, lastOpen: newest.openTime, sum };
    }
    const whole = series.size >= count;
    row.quoteVolume24h = whole ? Math.max(0, row.window.sum) : null;
    row.change24h = leaving && leaving.close !== 0 ? (newest.close / leaving.close - 1) * 100 : null;
  }
}
