import type { Candle, Interval } from '@trademind/core';

interface Of { symbol: string; interval: Interval; /** When it was noted: market time, ms. */ at: number }

/**
 * What is to be known of a series beyond its candles; the candles themselves never change.
 * `hole`: the exchange has no candles from the one that opens at `openTime` to the one at `until`.
 * `corrected`: the exchange now says `now` of a candle that was taken as `was`.
 * `late`: the exchange now has a candle where it had none.
 * `withdrawn`: the exchange no longer has a candle that was taken as `was`.
 * `off-grid`: where a candle should open at `openTime`, the exchange has one that opens at `opened`: it is left out.
 */
export type CandleMark = Of & ({ kind: 'hole'; openTime: number; until: number } | { kind: 'corrected'; openTime: number; was: Candle; now: Candle }
  | { kind: 'late'; openTime: number; now: Candle } | { kind: 'withdrawn'; openTime: number; was: Candle } | { kind: 'off-grid'; openTime: number; opened: number });

/** Where marks survive a restart. A mark replaces one of the same kind, series and open time. */
export interface MarkStore {
  addCandleMark(mark: CandleMark): void;
  candleMarks(symbol: string, interval: Interval): CandleMark[];
}

/** Marks of this process alone. */
export function marksInMemory(): MarkStore {
  const marks = new Map<string, CandleMark>();
  return {
    addCandleMark: (mark) => marks.set(`${mark.symbol} ${mark.interval} ${mark.openTime} ${mark.kind}`, mark),
    candleMarks: (symbol, interval) => [...marks.values()].filter((mark) => mark.symbol === symbol && mark.interval === interval),
  };
}

/** Counts marks as they are made, since the start. */
export class CandleMarks {
  readonly counts: Record<CandleMark['kind'], number> = { hole: 0, corrected: 0, late: 0, withdrawn: 0, 'off-grid': 0 };
  readonly #store: MarkStore;

  constructor(store: MarkStore = marksInMemory()) {
    this.#store = store;
  }

  add(mark: CandleMark): void {
    this.counts[mark.kind] += 1;
    this.#store.addCandleMark(mark);
  }

  of(symbol: string, interval: Interval): CandleMark[] {
    return this.#store.candleMarks(symbol, interval);
  }
}
