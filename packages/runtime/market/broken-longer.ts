import { intervalClose, intervalOpen, type Interval } from '@trademind/core';

/**
 * Candles of longer intervals that cannot be made of a symbol's shorter ones, though the exchange has them: a hole has broken them, or they began before the shorter ones that are
 * there. Each is due once it has closed; what closes no earlier waits until it was fetched. Pure.
 */
export class BrokenLonger {
  /** Close times, in no order. */
  #closes: number[] = [];
  #fetchedTo = -Infinity;

  /** The shorter series has none from the candle that opens at `from` to the one at `until`. Of a hole that covers several longer candles the last is due when it closes, the others before anything goes on. */
  hole(longer: readonly Interval[], from: number, until: number): void {
    for (const interval of longer) {
      for (const inside of [from, until - 1]) {
        const close = intervalClose(interval, intervalOpen(interval, inside));
        if (close > this.#fetchedTo) this.#closes.push(close);
      }
    }
  }

  /** The shorter series begins at `openTime`: of the longer candle under way then some is lacking, unless it begins there too. */
  before(longer: readonly Interval[], openTime: number): void {
    this.hole(longer, openTime - 1, openTime);
  }

  /** Longer candles that close by `closeTime` are as the exchange has them. */
  fetched(closeTime: number): void {
    this.#fetchedTo = Math.max(this.#fetchedTo, closeTime);
    this.#closes = this.#closes.filter((close) => close > this.#fetchedTo);
  }

  /** Close time of the first that is lacking; Infinity when none is. */
  get next(): number {
    return Math.min(Infinity, ...this.#closes);
  }

  /** All begins anew. */
  clear(): void {
    this.#closes = [];
    this.#fetchedTo = -Infinity;
  }
}
