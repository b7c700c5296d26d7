import type { Candle, Interval } from '@trademind/core';
import { CandleFold } from './candle-fold.ts';
import type { CandleStore } from './candle-store.ts';

/** A fold as it was saved. */
export interface SavedFold<Place> { readonly symbol: string; readonly base: Interval; readonly interval: Interval; readonly place: Place }

/** Makes candles of longer intervals that nobody streams, of shorter ones, and stores them beside these. */
export class HigherCandles {
  readonly #candles: CandleStore;
  /** By symbol and interval: what longer candles are made of its candles. */
  readonly #folds = new Map<string, Map<Interval, CandleFold[]>>();

  constructor(candles: CandleStore) {
    this.#candles = candles;
  }

  /** From now on these longer candles are made of a symbol's, beginning with the stored ones. */
  want(symbol: string, base: Interval, interval: Interval): void {
    if (this.#folds.get(symbol)?.get(base)?.some((fold) => fold.interval === interval) !== true) this.#refold(symbol, base, interval);
  }

  /** A closed candle was stored: the longer ones that are over with it are stored too. */
  push(symbol: string, base: Interval, candle: Candle): void {
    if (this.#folds.size === 0) return;
    const folds = this.#folds.get(symbol)?.get(base);
    if (folds === undefined) return;
    for (const fold of folds) for (const longer of fold.push(candle)) this.#candles.appendMade(symbol, fold.interval, longer);
  }

  /** Puts the past of a longer interval, as the exchange has it, in place of what was made; what the stored shorter candles make of it follows. */
  seed(symbol: string, interval: Interval, candles: readonly Candle[]): void {
    this.#candles.forget(symbol, interval);
    for (const candle of candles) this.#candles.append(symbol, interval, candle);
    for (const [base, folds] of this.#folds.get(symbol) ?? []) if (folds.some((fold) => fold.interval === interval)) this.#refold(symbol, base, interval);
  }

  /** The shorter series begins anew. What was made of it stays true; what comes will be made of what comes. */
  restart(symbol: string, base: Interval): void {
    const folds = this.#folds.get(symbol);
    const known = folds?.get(base);
    if (known !== undefined) folds!.set(base, known.map((fold) => new CandleFold(base, fold.interval)));
  }

  /** Every fold as it stands; `keep` says where its numbers went. */
  save<Place>(keep: (numbers: Float64Array) => Place): SavedFold<Place>[] {
    return [...this.#folds].flatMap(([symbol, byBase]) => [...byBase].flatMap(([base, folds]) => folds.map((fold) => ({ symbol, base, interval: fold.interval, place: keep(fold.save()) }))));
  }

  restore<Place>(saved: readonly SavedFold<Place>[], numbersAt: (place: Place) => Float64Array): void {
    for (const { symbol, base, interval, place } of saved) this.#add(symbol, base, CandleFold.restored(base, interval, numbersAt(place)));
  }

  #refold(symbol: string, base: Interval, interval: Interval): void {
    const fold = new CandleFold(base, interval);
    this.#add(symbol, base, fold);
    for (const candle of this.#candles.read(symbol, base)) for (const made of fold.push(candle)) this.#candles.appendMade(symbol, interval, made);
  }

  #add(symbol: string, base: Interval, fold: CandleFold): void {
    let byBase = this.#folds.get(symbol);
    if (byBase === undefined) this.#folds.set(symbol, (byBase = new Map()));
    byBase.set(base, [...(byBase.get(base) ?? []).filter(({ interval }) => interval !== fold.interval), fold]);
  }
}
