import { intervalClose, TradeMindError, type Candle, type Explanation, type Interval, type TraderDocument } from '@trademind/core';
import { CandleSeries } from '../candles/candle-series.ts';
import { CandleStore } from '../candles/candle-store.ts';
import { HigherCandles, type SavedFold } from '../candles/higher-candles.ts';
import { compileTrader } from '../language/compile-trader.ts';
import { LanguageError } from '../language/language-error.ts';
import { explain } from './explain.ts';
import { funnel, type Funnel } from './funnel.ts';
import type { LaneBook } from './lane-book.ts';
import type { LaneHost } from './lane-host.ts';
import type { ScreenedTo } from './lane-watch.ts';
import { LaneSet, type SavedLane } from './lane-set.ts';
import { MarketTrader, type Absent, type SavedMarket } from './market-trader.ts';
import { byTime, NO_MATCHES, type Match } from './match.ts';
import { Membership, type SavedMembership } from './membership.ts';
import { neededSeries, settleOf, type NeededSeries } from './needed-series.ts';
import type { ActiveTrader } from './screening-graph.ts';
import { SnapshotReader, SnapshotWriter, type SavedNumbers } from './snapshot.ts';

export interface RunningTrader { id: string; version: number; document: TraderDocument }

export interface ScreenerOptions {
  /** The interval of traders that name none. */
  defaultInterval: Interval;
  /** Candles kept per series: at least what settling needs plus the history to search, else new traders find less. */
  capacity: (interval: Interval) => number;
  /** Who screens for the traders that look at one symbol at a time; unless given, this thread does. */
  lanes?: (candles: CandleStore) => LaneHost;
  /** Market time now (ms); unless given, the close of the newest candle. */
  marketNow?: () => number;
  /** Market time (ms) that a trader which looks at other symbols waits for their candles after a close. */
  deadlineMs?: number;
}

/** A trader that is not screened now, with its symbols, to be explained all the same. */
export interface IdleTrader { readonly trader: RunningTrader; readonly universe: Membership }

/** What a snapshot says in words; its numbers lie behind. */
interface SnapshotHeader {
  readonly traders: readonly RunningTrader[];
  readonly universes: readonly (readonly [id: string, membership: SavedMembership])[];
  readonly series: readonly { readonly symbol: string; readonly interval: Interval; readonly capacity: number; readonly place: SavedNumbers }[];
  readonly folds: readonly SavedFold<SavedNumbers>[];
  readonly lanes: readonly SavedLane[];
  readonly market: readonly SavedMarket[];
}

const DEADLINE_MS = 5_000;
const NOBODY = new Membership([]);

/**
 * Screens closed candles for a set of traders. Level-based: it is told which traders run and which symbols each screens, and makes it so,
 * touching only what differs. A trader screens no symbol until `setUniverse` has named some; before or after `setTraders` is all the same.
 */
export class Screener {
  readonly candles: CandleStore;
  readonly #options: ScreenerOptions;
  readonly #traders = new Map<string, ActiveTrader>();
  readonly #universes = new Map<string, Membership>();
  readonly #lanes: LaneHost;
  /** Those that look at other symbols. */
  readonly #market = new Map<string, MarketTrader>();
  readonly #higher: HigherCandles;

  constructor(options: ScreenerOptions) {
    this.#options = options;
    this.candles = new CandleStore({ capacity: options.capacity });
    this.#higher = new HigherCandles(this.candles);
    this.#lanes = options.lanes?.(this.candles) ?? new LaneSet(this.candles);
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
      this.#market.delete(id);
      removed.push(id);
      // Who was missing is another version's business.
      if (wanted.has(id)) this.#universes.set(id, this.#universe(id).complete());
      else this.#universes.delete(id);
    }
    for (const { id, version, document } of wanted.values()) {
      if (this.#traders.has(id)) continue;
      try {
        this.#traders.set(id, { id, version, compiled: compileTrader(document, this.#options.defaultInterval) });
        added.push(id);
      } catch (error) {
        if (!(error instanceof LanguageError)) throw error;
        invalid.push({ id, error });
      }
    }
    if (added.length + removed.length === 0) return { added, removed, invalid, matches: [] };
    for (const id of removed) if (!this.#traders.has(id)) this.#lanes.setUniverse(id, undefined);
    const active = [...this.#traders.values()];
    this.#makeHigher(active.filter(({ id }) => added.includes(id)));
    for (const { id, compiled } of active) if (!compiled.waits) this.#lanes.setUniverse(id, this.#universes.get(id)?.symbols);
    const matches = this.#lanes.setTraders(active.filter(({ compiled }) => !compiled.waits));
    for (const trader of active) if (trader.compiled.waits && added.includes(trader.id)) matches.push(...this.#startMarket(trader));
    return { added, removed, invalid, matches: matches.sort(byTime) };
  }

  /**
   * Which symbols a trader screens, and since when; a set: as if it had always been these. The same again changes nothing. Newly included symbols warm up; the matches found, oldest first.
   * A trader that looks at one symbol at a time screens all of them on every close: whoever takes its matches leaves out those of symbols that were not in.
   */
  setUniverse(traderId: string, universe: Membership | ReadonlySet<string>): Match[] {
    const membership = universe instanceof Membership ? universe : Membership.always(universe);
    const before = this.#universes.get(traderId);
    if (before?.equals(membership)) {
      before.carry(membership);
      return [];
    }
    if (before !== undefined) membership.carry(before);
    this.#universes.set(traderId, membership);
    const trader = this.#traders.get(traderId);
    if (trader === undefined) return [];
    this.#makeHigher([trader]);
    return trader.compiled.waits ? this.#startMarket(trader) : this.#lanes.setUniverse(traderId, membership.symbols);
  }

  /** A running trader: its interval, the candles until it has settled, its universe, and whether it waits for the candles of others. */
  trader(traderId: string): { interval: Interval; settle: number; universe: Membership; waits: boolean } | undefined {
    const trader = this.#traders.get(traderId);
    return trader && { interval: trader.compiled.interval, settle: trader.compiled.settle, universe: this.#universe(traderId), waits: trader.compiled.waits };
  }

  /** How far traders that look at several symbols have come since this was asked last. */
  takeScreened(): ScreenedTo[] {
    return this.#market.size === 0 ? [] : [...this.#market.values()].flatMap((market) => market.takeScreened());
  }

  /** Who was missing when such traders screened a close, since this was asked last. */
  takeAbsent(): Absent[] {
    return this.#market.size === 0 ? [] : [...this.#market.values()].flatMap((market) => market.takeAbsent());
  }

  /** Intervals on which traders run. */
  intervals(): Interval[] {
    return [...new Set([...this.#traders.values()].map(({ compiled }) => compiled.interval))];
  }

  /** Every series that the running traders read, of their symbols and of those that they name. */
  needs(): NeededSeries[] {
    return neededSeries(this.#traders.values(), (id) => this.#universe(id).symbols);
  }

  /** Candles until every node on this interval has settled; the next one is the first that can give a signal. 0 where no trader reads it. */
  settleCandles(interval: Interval): number {
    return settleOf(this.#traders.values(), interval);
  }

  /**
   * Gives the past of a series that is made of shorter candles, as the exchange has it, oldest first: so that what looks at it settles at once. What the stored
   * candles make of it follows. Traders begin to look at it with the next candle of their own.
   */
  seed(symbol: string, interval: Interval, candles: readonly Candle[]): void {
    this.#higher.seed(symbol, interval, candles);
  }

  /** Takes a closed candle in and screens it. A duplicate or an older one gives []; a gap throws `candle_gap` and changes nothing. */
  onCandle(symbol: string, interval: Interval, candle: Candle): readonly Match[] {
    if (this.candles.append(symbol, interval, candle) === 'duplicate') return NO_MATCHES;
    this.#higher.push(symbol, interval, candle);
    const found = this.#lanes.advance(symbol, interval);
    if (this.#market.size === 0) return found;
    const matches = [...found];
    const closeTime = intervalClose(interval, candle.openTime);
    return [...matches, ...[...this.#market.values()].flatMap((market) => (market.trader.compiled.interval === interval ? market.arrived(symbol, closeTime, this.#options.marketNow?.()) : []))];
  }

  /** Running traders that ask for the candle under way: the intervals and symbols whose candles they want to see. */
  forming(): { interval: Interval; symbols: ReadonlySet<string> }[] {
    return [...this.#traders.values()].filter(({ compiled }) => compiled.document.candles === 'forming')
      .map(({ id, compiled }) => ({ interval: compiled.interval, symbols: this.#universe(id).now }));
  }

  /** What the candle under way would give if it closed now: marked `forming`, without a trace in what is running. */
  peek(symbol: string, interval: Interval, candle: Candle): Match[] {
    return this.#lanes.peek(symbol, interval, candle);
  }

  /** The market's time is now `time` (ms): what waits for candles of other symbols past its deadline is screened without them. */
  advanceTime(time: number): Match[] {
    return [...this.#market.values()].flatMap((market) => market.advanceTime(time));
  }

  /** Drops a series and all that was computed from it, before it is fetched anew. */
  forget(symbol: string, interval: Interval): void {
    this.candles.forget(symbol, interval);
    this.#lanes.forget(symbol, interval);
    this.#higher.restart(symbol, interval);
    // Where all begin anew, so does the trader: what comes then is no latecomer.
    for (const market of this.#market.values()) if (market.trader.compiled.interval === interval && market.forget(symbol)) this.#newMarket(market.trader);
  }

  /**
   * Why a trader holds on a symbol's closed candle, or why not, or what is missing: on the last one, or on the stored one that closed at `closeTime`
   * (ms). Throws `unknown_trader`, `unknown_candle`.
   */
  explain(who: string | IdleTrader, symbol: string, closeTime?: number): Explanation {
    const { trader, universe } = this.#compiled(who);
    const { interval } = trader.compiled;
    const series = this.candles.series(symbol, interval);
    const index = series === undefined ? -1 : closeTime === undefined ? series.size - 1 : series.find((openTime) => intervalClose(interval, openTime) >= closeTime);
    if (closeTime !== undefined && (series?.openTime(index) === undefined || intervalClose(interval, series.openTime(index)!) !== closeTime)) {
      throw new TradeMindError({ code: 'unknown_candle', message: `No stored ${interval} candle of ${symbol} closed at ${new Date(closeTime).toISOString()}.`, field: 'closeTime' });
    }
    return explain(trader, symbol, { candles: this.candles, universe, series, index, members: closeTime === undefined ? universe.now : universe.at(closeTime) });
  }

  /** How many of a trader's symbols are ready, on how many each condition holds, and on which all of it does, on their last closed candles: computed anew from the stored ones. Throws `unknown_trader`. */
  funnel(who: string | IdleTrader): Funnel {
    const { trader, universe } = this.#compiled(who);
    return funnel(trader, { candles: this.candles, universe });
  }

  #compiled(who: string | IdleTrader): { trader: ActiveTrader; universe: Membership } {
    if (typeof who !== 'string') {
      const { id, version, document } = who.trader;
      return { trader: { id, version, compiled: compileTrader(document, this.#options.defaultInterval) }, universe: who.universe };
    }
    const trader = this.#traders.get(who);
    if (trader === undefined) throw new TradeMindError({ code: 'unknown_trader', message: `No trader with the id ${who} is running.`, field: 'traderId' });
    return { trader, universe: this.#universe(who) };
  }

  /** Symbols in a trader's universe, those on which it has settled, those on which it holds now. */
  counts(traderId: string): { symbols: number; ready: number; matching: number } {
    const { now } = this.#universe(traderId);
    const counts = { symbols: now.size, ready: 0, matching: 0 };
    const trader = this.#traders.get(traderId);
    if (trader === undefined) return counts;
    for (const book of this.#market.get(traderId)?.books() ?? this.#lanes.books(trader.compiled.interval)) {
      const index = book.traders.findIndex(({ id }) => id === traderId);
      if (index < 0 || !now.has(book.symbol)) continue;
      if (book.ready(index)) counts.ready++;
      if (book.holds(index)) counts.matching++;
    }
    return counts;
  }

  /** Names of the traders that hold on the symbol's last closed candle, each on its own interval. */
  matching(symbol: string): string[] {
    const names: string[] = [];
    const read = (book: LaneBook | undefined): void => {
      for (const [index, { id, name }] of book?.traders.entries() ?? []) if (book!.holds(index) && this.#universe(id).now.has(symbol)) names.push(name);
    };
    for (const interval of this.intervals()) read(this.#lanes.book(symbol, interval));
    for (const market of this.#market.values()) read(market.lane(symbol)?.book);
    return names;
  }

  /**
   * All that it knows, candles included, as bytes with a checksum: `restore` of a new screener goes on as if nothing had happened. In parts, to be laid end to end: it may be a good
   * part of all the memory there is. They are copies, so that screening may go on.
   */
  snapshot(): Uint8Array[] {
    const writer = new SnapshotWriter();
    const header: SnapshotHeader = {
      traders: [...this.#traders.values()].map(({ id, version, compiled }) => ({ id, version, document: compiled.document })),
      universes: [...this.#universes].map(([id, membership]) => [id, membership.save()]),
      series: [...this.candles.all()].map(({ symbol, interval, series }) => ({ symbol, interval, capacity: series.capacity, place: writer.add(series.save()) })),
      folds: this.#higher.save((numbers) => writer.add(numbers)),
      lanes: this.#lanes.save(writer),
      market: [...this.#market.values()].map((market) => market.save(writer)),
    };
    return writer.parts(header);
  }

  /**
   * Takes in a snapshot; for a screener that knows nothing yet. `setTraders` and `setUniverse` then say what has changed meanwhile. Throws `snapshot_unreadable` and stays as new for
   * bytes that are torn or of another version; what an engine of today computes otherwise is computed again from the candles.
   */
  restore(bytes: Uint8Array): void {
    const reader = new SnapshotReader(bytes);
    const header = reader.header as SnapshotHeader;
    for (const { symbol, interval, capacity, place } of header.series) this.candles.adopt(symbol, interval, CandleSeries.restored(capacity, reader.at(place)));
    this.#higher.restore(header.folds, (place) => reader.at(place));
    for (const { id, version, document } of header.traders) {
      try {
        this.#traders.set(id, { id, version, compiled: compileTrader(document, this.#options.defaultInterval) });
      } catch (error) {
        // What today's language refuses, `setTraders` will report.
        if (!(error instanceof LanguageError)) throw error;
      }
    }
    for (const [id, saved] of header.universes) this.#universes.set(id, Membership.restored(saved));
    const local = [...this.#traders.values()].filter(({ compiled }) => !compiled.waits);
    for (const { id } of local) this.#lanes.setUniverse(id, this.#universes.get(id)?.symbols);
    this.#lanes.setTraders(local);
    this.#lanes.restore(header.lanes, reader);
    for (const trader of this.#traders.values()) {
      if (!trader.compiled.waits) continue;
      const saved = header.market.find(({ id }) => id === trader.id);
      if (saved !== undefined && this.#newMarket(trader).restore(saved, reader)) continue;
      // Whoever sets the traders next begins with it anew, and is told what it finds.
      this.#market.delete(trader.id);
      this.#traders.delete(trader.id);
    }
  }

  /** A trader's universe; nobody while none was named. */
  #universe(traderId: string): Membership {
    return this.#universes.get(traderId) ?? NOBODY;
  }

  #newMarket(trader: ActiveTrader): MarketTrader {
    const market = new MarketTrader(trader, this.#universe(trader.id), this.candles, this.#options.deadlineMs ?? DEADLINE_MS);
    this.#market.set(trader.id, market);
    return market;
  }

  #startMarket(trader: ActiveTrader): Match[] {
    const before = this.#market.get(trader.id);
    return this.#newMarket(trader).start(this.#options.marketNow?.(), before);
  }

  /** Sees to it that the longer candles which these traders look at are made, from the stored ones on. */
  #makeHigher(traders: readonly ActiveTrader[]): void {
    for (const { id, compiled } of traders) {
      const { interval, elsewhere } = compiled;
      for (const { symbol, interval: longer } of elsewhere) {
        if (longer === interval) continue;
        for (const one of symbol === undefined ? this.#universe(id).symbols : [symbol]) this.#higher.want(one, interval, longer);
      }
    }
  }
}
