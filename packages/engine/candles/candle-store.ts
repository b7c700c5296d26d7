import { intervalClose, TradeMindError, type Candle, type Interval } from '@trademind/core';
import { unknownCandle } from './candle-fold.ts';
import { CandleSeries } from './candle-series.ts';

/** Closed candles per symbol and interval: strictly in order, without a hole, the newest `capacity(interval)` of them. */
export class CandleStore {
  readonly #capacity: (interval: Interval) => number;
  readonly #series = new Map<Interval, Map<string, CandleSeries>>();

  constructor(options: { capacity: (interval: Interval) => number }) {
    this.#capacity = options.capacity;
  }

  /**
   * Takes a closed candle in. One that is already there, or older than the newest, changes nothing and answers 'duplicate'.
   * Throws `candle_gap` where the candle before it is missing (nothing changes: forget the series and fetch it anew, or bring the
   * missing candles first), `bad_candle` where the open time is no whole number.
   */
  append(symbol: string, interval: Interval, candle: Candle): 'appended' | 'duplicate' {
    let series = this.series(symbol, interval);
    if (series === undefined || series.total === 0) {
      if (!Number.isSafeInteger(candle.openTime)) {
        throw new TradeMindError({ code: 'bad_candle', message: `${symbol} ${interval}: a candle's open time must be ms since the epoch.`, field: 'openTime' });
      }
    } else {
      const last = series.openTimeOf(series.total - 1);
      if (candle.openTime <= last) return 'duplicate';
      const expected = intervalClose(interval, last);
      if (candle.openTime !== expected) throw gapError(symbol, interval, expected, candle.openTime);
    }
    series ??= this.#create(symbol, interval);
    series.push(candle);
    return 'appended';
  }

  /**
   * Takes in a candle that was made of shorter ones. Unlike what the exchange sends it may come after a hole, which is filled with unknown candles (all numbers NaN);
   * where the hole is longer than the ring the series begins anew.
   */
  appendMade(symbol: string, interval: Interval, candle: Candle): void {
    const last = this.lastCloseTime(symbol, interval);
    if (last === undefined || candle.openTime <= last) {
      if (last === undefined || candle.openTime === last) this.append(symbol, interval, candle);
      return;
    }
    let missing = 0;
    for (let open = last; open < candle.openTime && missing <= this.#capacity(interval); open = intervalClose(interval, open)) missing++;
    if (missing > this.#capacity(interval)) this.forget(symbol, interval);
    else for (let open = last; open < candle.openTime; open = intervalClose(interval, open)) this.append(symbol, interval, unknownCandle(open));
    this.append(symbol, interval, candle);
  }

  /** The newest `limit` candles, oldest first. */
  read(symbol: string, interval: Interval, limit = Infinity): Candle[] {
    const series = this.series(symbol, interval);
    if (series === undefined) return [];
    const candles: Candle[] = [];
    for (let index = Math.max(0, series.size - Math.max(0, limit)); index < series.size; index++) candles.push(series.at(index)!);
    return candles;
  }

  last(symbol: string, interval: Interval): Candle | undefined {
    const series = this.series(symbol, interval);
    return series?.at(series.size - 1);
  }

  /** Close time (ms, the next candle's open time) of the newest candle. */
  lastCloseTime(symbol: string, interval: Interval): number | undefined {
    const series = this.series(symbol, interval);
    const open = series?.openTime(series.size - 1);
    return open === undefined ? undefined : intervalClose(interval, open);
  }

  /** Candles held of one series. */
  size(symbol: string, interval: Interval): number {
    return this.series(symbol, interval)?.size ?? 0;
  }

  /** Symbols with candles of this interval. */
  symbols(interval: Interval): string[] {
    return [...(this.#series.get(interval)?.keys() ?? [])];
  }

  /** The series itself, for whoever runs over its columns; undefined where no candle has come yet. */
  series(symbol: string, interval: Interval): CandleSeries | undefined {
    return this.#series.get(interval)?.get(symbol);
  }

  /** Intervals of which there are candles. */
  intervals(): Interval[] {
    return [...this.#series.keys()];
  }

  /** Every series, by symbol and interval. */
  *all(): Generator<{ symbol: string; interval: Interval; series: CandleSeries }> {
    for (const [interval, bySymbol] of this.#series) for (const [symbol, series] of bySymbol) yield { symbol, interval, series };
  }

  /** Takes in a whole series, such as one of a snapshot. */
  adopt(symbol: string, interval: Interval, series: CandleSeries): void {
    let bySymbol = this.#series.get(interval);
    if (bySymbol === undefined) this.#series.set(interval, (bySymbol = new Map()));
    bySymbol.set(symbol, series);
  }

  /** Drops one series, before it is fetched anew. */
  forget(symbol: string, interval: Interval): void {
    this.#series.get(interval)?.delete(symbol);
  }

  #create(symbol: string, interval: Interval): CandleSeries {
    const capacity = this.#capacity(interval);
    if (!Number.isSafeInteger(capacity) || capacity < 1) {
      throw new TradeMindError({ code: 'bad_capacity', message: `The number of ${interval} candles to keep must be a whole number above 0, not ${capacity}.`, field: 'capacity' });
    }
    const series = new CandleSeries(capacity);
    this.adopt(symbol, interval, series);
    return series;
  }
}

const iso = (ms: number): string => (Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? new Date(ms).toISOString() : String(ms));

function gapError(symbol: string, interval: Interval, expected: number, got: number): TradeMindError {
  return new TradeMindError({
    code: 'candle_gap',
    message: `${symbol} ${interval}: the candle that opens at ${iso(expected)} is missing before the one at ${iso(got)}.`,
    field: 'openTime',
    nextStep: 'Fetch the missing candles, or forget the series and fetch it anew.',
  });
}
