import type { Interval } from '@trademind/core';
import type { CandleSeries } from '@trademind/engine';
import type { SharedSeries } from './worker-messages.ts';

/** The series that worker threads read, each under a number. One that is begun anew gets another number, so that what its forerunner gave is known to be void. */
export class SeriesNumbers {
  readonly #byName = new Map<string, SharedSeries>();
  readonly #byKey = new Map<number, SharedSeries>();
  #next = 0;

  /** The number of a series; `fresh` where nobody has heard of it yet. */
  of(symbol: string, interval: Interval, { capacity, memory }: CandleSeries): { series: SharedSeries; fresh: boolean } {
    const known = this.find(symbol, interval);
    if (known?.memory === memory) return { series: known, fresh: false };
    if (known !== undefined) this.#byKey.delete(known.key);
    const series: SharedSeries = { key: this.#next++, symbol, interval, capacity, memory };
    this.#byName.set(`${symbol} ${interval}`, series);
    this.#byKey.set(series.key, series);
    return { series, fresh: true };
  }

  find(symbol: string, interval: Interval): SharedSeries | undefined {
    return this.#byName.get(`${symbol} ${interval}`);
  }

  byKey(key: number): SharedSeries | undefined {
    return this.#byKey.get(key);
  }

  all(): Iterable<SharedSeries> {
    return this.#byKey.values();
  }

  /** Takes the number back; answers what it stood for. */
  forget(symbol: string, interval: Interval): SharedSeries | undefined {
    const known = this.find(symbol, interval);
    if (known === undefined) return undefined;
    this.#byName.delete(`${symbol} ${interval}`);
    this.#byKey.delete(known.key);
    return known;
  }

  /** Takes all numbers back; they are not given again. */
  clear(): void {
    this.#byName.clear();
    this.#byKey.clear();
  }
}
