import { intervalClose, type Interval } from '@trademind/core';
import type { CandleSeries } from '../candles/candle-series.ts';
import type { BookedTrader, LaneBook } from './lane-book.ts';
import type { LaneSet } from './lane-set.ts';

/** These traders, in these versions, have screened a symbol's candles up to a close (ms): all that they found by then was told before, or is told with it. */
export interface ScreenedTo { readonly symbol: string; readonly interval: Interval; readonly closeTime: number; readonly traders: readonly BookedTrader[] }

/** How far the traders of a lane have come; undefined where they have seen no candle that is held. */
export function screenedTo(book: LaneBook, series: CandleSeries | undefined): ScreenedTo | undefined {
  const { symbol, interval, next, traders } = book;
  return series === undefined || next <= series.oldest || next > series.total ? undefined : { symbol, interval, closeTime: intervalClose(interval, series.openTimeOf(next - 1)), traders };
}

/** Sees which lanes are new, serve other traders, or are gone. */
export class LaneWatch {
  readonly #lanes: LaneSet;
  readonly #known = new Map<string, LaneBook>();
  #changes = 0;

  constructor(lanes: LaneSet) {
    this.#lanes = lanes;
  }

  /** What has changed since this was asked last: the books of new lanes, and those that are of no lane any more. */
  take(): { books: readonly LaneBook[]; gone: readonly LaneBook[] } {
    if (this.#lanes.changes === this.#changes) return NOTHING;
    this.#changes = this.#lanes.changes;
    const books: LaneBook[] = [];
    const here = new Set<string>();
    for (const { book } of this.#lanes.lanes()) {
      const name = `${book.symbol} ${book.interval}`;
      here.add(name);
      if (this.#known.get(name) === book) continue;
      this.#known.set(name, book);
      books.push(book);
    }
    const gone: LaneBook[] = [];
    if (here.size < this.#known.size) {
      for (const [name, book] of this.#known) {
        if (here.has(name)) continue;
        this.#known.delete(name);
        gone.push(book);
      }
    }
    return { books, gone };
  }
}

const NOTHING = { books: [], gone: [] };
