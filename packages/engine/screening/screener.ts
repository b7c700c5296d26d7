import { intervalClose, TradeMindError, type Candle, type Interval, type TraderDocument } from '@trademind/core';
import { CandleStore } from '../candles/candle-store.ts';
import { compileTrader } from '../language/compile-trader.ts';
import { LanguageError } from '../language/language-error.ts';
import { explain, type Explanation } from './explain.ts';
import { Lane } from './lane.ts';
import type { Match } from './match.ts';
import { ScreeningGraph, type ActiveTrader } from './screening-graph.ts';

export interface RunningTrader { id: string; version: number; document: TraderDocument }

/**
 * Screens closed candles for a set of traders. Level-based: it is told which traders run and which symbols each screens, and makes it so,
 * touching only what differs. A trader screens no symbol until `setUniverse` has named some; before or after `setTraders` is all the same.
 */
export class Screener {
  readonly candles: CandleStore;
  readonly #defaultInterval: Interval;
  readonly #traders = new Map<string, ActiveTrader>();
  readonly #universes = new Map<string, ReadonlySet<string>>();
  /** null: no trader screens this series. */
  readonly #lanes = new Map<Interval, Map<string, Lane | null>>();

  /**
   * @param options.defaultInterval the interval of traders that name none.
   * @param options.capacity candles kept per series: at least what settling needs plus the history to search, else new traders find less.
   */
  constructor(options: { defaultInterval: Interval; capacity: (interval: Interval) => number }) {
    this.#defaultInterval = options.defaultInterval;
    this.candles = new CandleStore({ capacity: options.capacity });
  }

  /**
   * Makes the running set equal the given one (key: id and version). New traders warm up from the stored candles at once; `matches` are those
   * found in that, oldest first. Traders that stay notice nothing. One that does not compile is reported and does not run.
   */
  setTraders(traders: readonly RunningTrader[]): { added: string[]; removed: string[]; invalid: { id: string; error: LanguageError }[]; matches: Match[] } {
    const wanted = new Map(traders.map((trader) => [trader.id, trader]));
    const removed: string[] = [];
    const added: string[] = [];
    const invalid: { id: string; error: LanguageError }[] = [];
    for (const [id, { version }] of this.#traders) {
      if (wanted.get(id)?.version === version) continue;
      this.#traders.delete(id);
      removed.push(id);
      if (!wanted.has(id)) this.#universes.delete(id);
    }
    for (const { id, version, document } of wanted.values()) {
      if (this.#traders.has(id)) continue;
      try {
        this.#traders.set(id, { id, version, compiled: compileTrader(document, this.#defaultInterval) });
        added.push(id);
      } catch (error) {
        if (!(error instanceof LanguageError)) throw error;
        invalid.push({ id, error });
      }
    }
    return { added, removed, invalid, matches: added.length + removed.length === 0 ? [] : this.#relane() };
  }

  /** Which symbols a trader screens; the same set again changes nothing. Newly included symbols warm up; the matches found, oldest first. */
  setUniverse(traderId: string, symbols: ReadonlySet<string>): Match[] {
    const before = this.#universes.get(traderId) ?? new Set<string>();
    const changed = new Set([...[...before].filter((symbol) => !symbols.has(symbol)), ...[...symbols].filter((symbol) => !before.has(symbol))]);
    this.#universes.set(traderId, new Set(symbols));
    const trader = this.#traders.get(traderId);
    return trader === undefined || changed.size === 0 ? [] : this.#relane({ interval: trader.compiled.interval, symbols: changed });
  }

  /** Intervals of candles that the running traders need. */
  intervals(): Interval[] {
    return [...new Set([...this.#traders.values()].map(({ compiled }) => compiled.interval))];
  }

  /** Candles until every node on this interval has settled; the next one is the first that can give a signal. 0 where no trader runs. */
  settleCandles(interval: Interval): number {
    return Math.max(0, ...[...this.#traders.values()].filter(({ compiled }) => compiled.interval === interval).map(({ compiled }) => compiled.settle));
  }

  /** Takes a closed candle in and screens it. A duplicate or an older one gives []; a gap throws `candle_gap` and changes nothing. */
  onCandle(symbol: string, interval: Interval, candle: Candle): Match[] {
    if (this.candles.append(symbol, interval, candle) === 'duplicate') return [];
    let lane = this.#lane(symbol, interval);
    if (lane === undefined) {
      // The series is new (or was forgotten): its lane begins with this candle.
      const traders = this.#tradersOf(symbol, interval);
      lane = traders.length === 0 ? null : new Lane(symbol, interval, this.#graph(interval, traders), this.candles.series(symbol, interval)!.total - 1);
      this.#setLane(symbol, interval, lane);
    }
    return lane?.push(candle) ?? [];
  }

  /** Drops a series and all that was computed from it, before it is fetched anew. */
  forget(symbol: string, interval: Interval): void {
    this.candles.forget(symbol, interval);
    this.#lanes.get(interval)?.delete(symbol);
  }

  /**
   * Why a trader holds on a symbol's closed candle, or why not, or what is missing: on the last one, or on the stored one that closed at `closeTime`
   * (ms). Throws `unknown_trader`, `unknown_candle`.
   */
  explain(traderId: string, symbol: string, closeTime?: number): Explanation {
    const trader = this.#traders.get(traderId);
    if (trader === undefined) throw new TradeMindError({ code: 'unknown_trader', message: `No trader with the id ${traderId} is running.`, field: 'traderId' });
    const { interval } = trader.compiled;
    const series = this.candles.series(symbol, interval);
    const index = series === undefined ? -1 : closeTime === undefined ? series.size - 1 : series.find((openTime) => intervalClose(interval, openTime) >= closeTime);
    if (closeTime !== undefined && (series?.openTime(index) === undefined || intervalClose(interval, series.openTime(index)!) !== closeTime)) {
      throw new TradeMindError({ code: 'unknown_candle', message: `No stored ${interval} candle of ${symbol} closed at ${new Date(closeTime).toISOString()}.`, field: 'closeTime' });
    }
    return explain(trader, symbol, { included: this.#universes.get(traderId)?.has(symbol) ?? false, series, index });
  }

  /** Symbols in a trader's universe, those on which it has settled, those on which it holds now. */
  counts(traderId: string): { symbols: number; ready: number; matching: number } {
    const counts = { symbols: this.#universes.get(traderId)?.size ?? 0, ready: 0, matching: 0 };
    const trader = this.#traders.get(traderId);
    if (trader === undefined) return counts;
    for (const lane of this.#lanes.get(trader.compiled.interval)?.values() ?? []) {
      const index = lane?.indexOf(trader) ?? -1;
      if (lane === null || index < 0) continue;
      if (lane.ready(index)) counts.ready++;
      if (lane.holds(index)) counts.matching++;
    }
    return counts;
  }

  /** Names of the traders that hold on the symbol's last closed candle, each on its own interval. */
  matching(symbol: string): string[] {
    const names: string[] = [];
    for (const lanes of this.#lanes.values()) {
      const lane = lanes.get(symbol);
      if (lane == null) continue;
      for (const [index, { trader }] of lane.graph.traders.entries()) if (lane.holds(index)) names.push(trader.compiled.document.name);
    }
    return names;
  }

  #lane(symbol: string, interval: Interval): Lane | null | undefined {
    return this.#lanes.get(interval)?.get(symbol);
  }

  #setLane(symbol: string, interval: Interval, lane: Lane | null): void {
    let lanes = this.#lanes.get(interval);
    if (lanes === undefined) this.#lanes.set(interval, (lanes = new Map()));
    lanes.set(symbol, lane);
  }

  #tradersOf(symbol: string, interval: Interval): ActiveTrader[] {
    return [...this.#traders.values()].filter(({ id, compiled }) => compiled.interval === interval && this.#universes.get(id)?.has(symbol) === true);
  }

  /** The graph of these traders: that of another symbol with the same ones, or a new one. */
  #graph(interval: Interval, traders: readonly ActiveTrader[]): ScreeningGraph {
    for (const lane of this.#lanes.get(interval)?.values() ?? []) if (lane !== null && sameTraders(lane.graph, traders)) return lane.graph;
    return new ScreeningGraph(traders);
  }

  /** Makes every lane (or those named) serve exactly the traders that screen it. */
  #relane(only?: { interval: Interval; symbols: ReadonlySet<string> }): Match[] {
    const matches: Match[] = [];
    for (const [interval, lanes] of this.#lanes) {
      if (only !== undefined && only.interval !== interval) continue;
      const graphs: ScreeningGraph[] = [];
      const graphOf = (traders: readonly ActiveTrader[]): ScreeningGraph => {
        let graph = graphs.find((known) => sameTraders(known, traders));
        if (graph === undefined) graphs.push((graph = this.#graph(interval, traders)));
        return graph;
      };
      for (const [symbol, lane] of lanes) {
        if (only !== undefined && !only.symbols.has(symbol)) continue;
        const traders = this.#tradersOf(symbol, interval);
        if (lane === null ? traders.length === 0 : sameTraders(lane.graph, traders)) continue;
        const staying = lane?.graph.traders.map(({ trader }) => trader).filter((trader) => traders.includes(trader)) ?? [];
        const fresh = traders.filter((trader) => !staying.includes(trader));
        let warm: Lane | undefined;
        if (fresh.length > 0) {
          const series = this.candles.series(symbol, interval)!;
          warm = new Lane(symbol, interval, graphOf(fresh), series.total - series.size);
          matches.push(...warm.warmUp(series));
        }
        if (staying.length === 0) lanes.set(symbol, warm ?? null);
        else {
          const next = new Lane(symbol, interval, graphOf(traders), lane!.next);
          next.takeOver(warm === undefined ? [lane!] : [lane!, warm]);
          lanes.set(symbol, next);
        }
      }
    }
    return matches.sort((a, b) => a.closeTime - b.closeTime || compare(a.symbol, b.symbol) || compare(a.traderName, b.traderName));
  }
}

const sameTraders = (graph: ScreeningGraph, traders: readonly ActiveTrader[]): boolean =>
  graph.traders.length === traders.length && graph.traders.every(({ trader }, index) => trader === traders[index]);

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
