import type { Candle, Interval } from '@trademind/core';
import type { CandleSource } from './frame-lane.ts';
import { Lane } from './lane.ts';
import type { LaneBook } from './lane-book.ts';
import type { LaneHost } from './lane-host.ts';
import { byTime, NO_MATCHES, type Match } from './match.ts';
import { ScreeningGraph, type ActiveTrader } from './screening-graph.ts';
import type { SavedNumbers, SnapshotReader, SnapshotWriter } from './snapshot.ts';

export interface SavedLane {
  readonly symbol: string;
  readonly interval: Interval;
  /** Each with its version: what another version last said is of no use. */
  readonly traders: readonly string[];
  readonly fingerprint: string;
  readonly place: SavedNumbers;
}

/**
 * Every symbol and interval that traders screen, each a lane of its own, over candles that another part stores. Level-based: told which traders run and which symbols
 * each screens, it makes it so, touching only what differs. Traders that look at other symbols are not its business.
 */
export class LaneSet implements LaneHost {
  readonly #candles: CandleSource;
  readonly #traders = new Map<string, ActiveTrader>();
  readonly #universes = new Map<string, ReadonlySet<string>>();
  /** Lanes by symbol; null: no trader screens this series. */
  readonly #lanes = new Map<Interval, Map<string, Lane | null>>();
  #changes = 0;

  constructor(candles: CandleSource) {
    this.#candles = candles;
  }

  setTraders(traders: readonly ActiveTrader[]): Match[] {
    const wanted = new Set(traders);
    let changed = traders.length !== this.#traders.size;
    for (const trader of this.#traders.values()) changed ||= !wanted.has(trader);
    if (!changed) return [];
    this.#traders.clear();
    for (const trader of traders) this.#traders.set(trader.id, trader);
    return this.#relane();
  }

  setUniverse(traderId: string, symbols: ReadonlySet<string> | undefined): Match[] {
    const before = this.#universes.get(traderId) ?? new Set<string>();
    const now = symbols ?? new Set<string>();
    const changed = new Set([...[...before].filter((symbol) => !now.has(symbol)), ...[...now].filter((symbol) => !before.has(symbol))]);
    if (symbols === undefined) this.#universes.delete(traderId);
    else this.#universes.set(traderId, symbols);
    const trader = this.#traders.get(traderId);
    return trader === undefined || changed.size === 0 ? [] : this.#relane({ interval: trader.compiled.interval, symbols: changed });
  }

  advance(symbol: string, interval: Interval): readonly Match[] {
    const series = this.#candles.series(symbol, interval);
    if (series === undefined) return NO_MATCHES;
    let lane = this.#lanes.get(interval)?.get(symbol);
    if (lane === undefined || (lane !== null && lane.book.next < series.oldest)) {
      // The series is new, was forgotten, or has run away: its lane begins with its oldest candle.
      const traders = this.#tradersOf(symbol, interval);
      lane = traders.length === 0 ? null : this.#newLane(symbol, interval, this.#graph(interval, traders), series.oldest);
      this.#setLane(symbol, interval, lane);
    }
    return lane?.advance(series) ?? NO_MATCHES;
  }

  peek(symbol: string, interval: Interval, candle: Candle): Match[] {
    const lane = this.#lanes.get(interval)?.get(symbol);
    const series = lane == null ? undefined : this.#candles.series(symbol, interval);
    return series === undefined ? [] : lane!.peek(candle, series);
  }

  forget(symbol: string, interval: Interval): void {
    const lanes = this.#lanes.get(interval);
    lanes?.get(symbol)?.release();
    lanes?.delete(symbol);
    this.#changes++;
  }

  /** Grows whenever a lane is new, another, or gone. */
  get changes(): number {
    return this.#changes;
  }

  book(symbol: string, interval: Interval): LaneBook | undefined {
    return this.#lanes.get(interval)?.get(symbol)?.book;
  }

  *books(interval: Interval): Generator<LaneBook> {
    for (const lane of this.#lanes.get(interval)?.values() ?? []) if (lane !== null) yield lane.book;
  }

  /** Every lane there is. */
  *lanes(): Generator<Lane> {
    for (const lanes of this.#lanes.values()) for (const lane of lanes.values()) if (lane !== null) yield lane;
  }

  save(writer: SnapshotWriter): SavedLane[] {
    return [...this.lanes()].map((lane) => ({
      symbol: lane.symbol, interval: lane.interval, traders: lane.graph.traders.map(({ trader }) => versionOf(trader)), fingerprint: lane.fingerprint, place: writer.add(lane.save()),
    }));
  }

  restore(saved: readonly SavedLane[], reader: SnapshotReader): void {
    for (const { symbol, interval, traders: ids, fingerprint, place } of saved) {
      const screening = this.#tradersOf(symbol, interval);
      if (screening.length !== ids.length || !screening.every((trader, index) => versionOf(trader) === ids[index])) continue;
      const lane = this.#newLane(symbol, interval, this.#graph(interval, screening), 0);
      if (lane.fingerprint !== fingerprint) {
        lane.release();
        continue;
      }
      lane.restore(reader.at(place));
      this.#setLane(symbol, interval, lane);
    }
  }

  #newLane(symbol: string, interval: Interval, graph: ScreeningGraph, next: number): Lane {
    return new Lane(symbol, interval, graph, this.#candles, next);
  }

  #setLane(symbol: string, interval: Interval, lane: Lane | null): void {
    let lanes = this.#lanes.get(interval);
    if (lanes === undefined) this.#lanes.set(interval, (lanes = new Map()));
    lanes.get(symbol)?.release();
    lanes.set(symbol, lane);
    this.#changes++;
  }

  #tradersOf(symbol: string, interval: Interval): ActiveTrader[] {
    return [...this.#traders.values()].filter(({ id, compiled }) => compiled.interval === interval && this.#universes.get(id)?.has(symbol) === true);
  }

  /** The graph of these traders: that of another symbol with the same ones, or a new one. */
  #graph(interval: Interval, traders: readonly ActiveTrader[]): ScreeningGraph {
    for (const lane of this.#lanes.get(interval)?.values() ?? []) if (lane !== null && sameTraders(lane.graph, traders)) return lane.graph;
    return new ScreeningGraph(traders, { lasting: true });
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
        this.#changes++;
        lanes.set(symbol, this.#serve(symbol, interval, lane, traders, graphOf, matches));
      }
    }
    return matches.sort(byTime);
  }

  /** A lane for these traders in place of another: those that stay go on, those that are new warm up from the stored candles. */
  #serve(symbol: string, interval: Interval, lane: Lane | null, traders: readonly ActiveTrader[], graphOf: (traders: readonly ActiveTrader[]) => ScreeningGraph, matches: Match[]): Lane | null {
    const staying = lane?.graph.traders.map(({ trader }) => trader).filter((trader) => traders.includes(trader)) ?? [];
    const fresh = traders.filter((trader) => !staying.includes(trader));
    const series = this.#candles.series(symbol, interval);
    let warm: Lane | undefined;
    if (fresh.length > 0 && series !== undefined) {
      warm = this.#newLane(symbol, interval, graphOf(fresh), series.oldest);
      matches.push(...warm.warmUp(series, lane?.next));
    }
    if (staying.length === 0) {
      lane?.release();
      return warm ?? null;
    }
    const next = this.#newLane(symbol, interval, graphOf(traders), lane!.next);
    next.takeOver(warm === undefined ? [lane!] : [lane!, warm]);
    lane!.release();
    warm?.release();
    return next;
  }
}

const versionOf = ({ id, version }: ActiveTrader): string => `${id} ${version}`;
const sameTraders = (graph: ScreeningGraph, traders: readonly ActiveTrader[]): boolean =>
  graph.traders.length === traders.length && graph.traders.every(({ trader }, index) => trader === traders[index]);
