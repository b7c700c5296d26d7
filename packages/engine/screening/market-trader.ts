import { intervalClose, intervalMs } from '@trademind/core';
import { MARKET } from '../language/frames.ts';
import { FrameLane, type CandleSource } from './frame-lane.ts';
import { Lane } from './lane.ts';
import type { LaneBook } from './lane-book.ts';
import { screenedTo, type ScreenedTo } from './lane-watch.ts';
import { byTime, NO_MATCHES, type Match } from './match.ts';
import type { Membership } from './membership.ts';
import type { ExternalSlot } from './link-frames.ts';
import { placeAmong, sorted, type Standing } from './places.ts';
import { ScreeningGraph, type ActiveTrader } from './screening-graph.ts';
import type { SavedNumbers, SnapshotReader, SnapshotWriter } from './snapshot.ts';
import { WaitingCloses } from './waiting-closes.ts';

/** A lane has just screened a candle, and its program holds the values; the matches that this gave. */
export type Screened = (symbol: string, lane: Lane, matches: readonly Match[]) => void;

/** These symbols were missing when a trader screened a close (ms). */
export interface Absent { readonly traderId: string; readonly version: number; readonly closeTime: number; readonly symbols: readonly string[] }

export interface SavedMarket {
  readonly id: string;
  readonly closes: ReturnType<WaitingCloses['save']>;
  readonly fingerprint: string;
  readonly named: readonly (readonly [key: string, place: SavedNumbers])[];
  readonly lanes: readonly (readonly [symbol: string, place: SavedNumbers])[];
  readonly standings: readonly { readonly closeTime: number; readonly missing: readonly string[]; readonly values: readonly SavedNumbers[] }[];
}

/** Closes whose standings are kept for those that come late: some, and as many as the trader looks back on, within reason. */
const KEPT = 60;
const MOST_KEPT = 300;

/**
 * A trader that looks at other symbols: `of`, `rank`, `percentile`. A close is screened once the candles of all symbols that it screens or names are there, or at its deadline: then what
 * is missing is not ready, and the matches name it. A symbol that comes later is screened alone, against what those that were there were worth. What it finds follows from the candles and the
 * membership alone: who was in at each close, and who was missing when it was screened. A symbol that was not in yet is placed as if it had come alone, and gives no matches.
 */
export class MarketTrader {
  readonly trader: ActiveTrader;
  readonly #graph: ScreeningGraph;
  readonly #candles: CandleSource;
  readonly #market: number;
  /** External slots that are places, by their index in the own frame. */
  readonly #places: readonly (ExternalSlot & { at: number })[];
  readonly #named = new Map<string, FrameLane>();
  readonly #lanes = new Map<string, Lane>();
  readonly #membership: Membership;
  readonly #closes: WaitingCloses;
  readonly #kept: number;
  readonly #standings: Standing[] = [];
  /** Symbols whose candles were screened since `takeScreened` was asked last, and who was missing since `takeAbsent` was. */
  readonly #advanced = new Set<string>();
  #absent: Absent[] = [];

  /** @param beside run with it over the same candles; what they find is told with its matches. */
  constructor(trader: ActiveTrader, membership: Membership, candles: CandleSource, deadlineMs: number, beside: readonly ActiveTrader[] = []) {
    this.trader = trader;
    this.#membership = membership;
    this.#kept = Math.min(MOST_KEPT, KEPT + trader.compiled.settle);
    this.#graph = new ScreeningGraph([trader, ...beside], { whole: true });
    this.#candles = candles;
    const { interval } = trader.compiled;
    this.#closes = new WaitingCloses({
      interval, deadlineMs, membership, named: this.#namedSymbols(), has: (symbol, closeTime) => this.#has(symbol, closeTime), screen: (closeTime) => this.#screen(closeTime, { live: true }),
    });
    this.#market = this.#graph.frames.findIndex(({ key }) => key === MARKET);
    this.#places = this.#graph.own.externals.flatMap((external, at) => (external.as === 'value' ? [] : [{ ...external, at }]));
    const shared: FrameLane[] = [];
    for (const frame of this.#graph.frames.slice(0, -1)) {
      // A frame of the symbol being screened has no lane here; nothing that is shared reads it.
      const lane = new FrameLane(frame, frame.symbol ?? '', candles, [...shared], frame.symbol === undefined ? 0 : this.#kept);
      shared.push(lane);
      if (frame.symbol !== undefined) this.#named.set(frame.key, lane);
    }
    for (const symbol of membership.symbols) this.#lanes.set(symbol, this.#newLane(symbol));
  }

  lane(symbol: string): Lane | undefined {
    return this.#lanes.get(symbol);
  }

  /** Those of the symbols that it screens now. */
  books(): LaneBook[] {
    return [...this.#membership.now].map((symbol) => this.#lanes.get(symbol)!.book);
  }

  /**
   * Begins over the stored candles; the matches, oldest first. Closes whose deadline has passed are screened with what is there, those after them as their candles come.
   * @param before the one that it replaces: what that one waits for, this one waits for.
   */
  start(time: number | undefined, before: MarketTrader | undefined): Match[] {
    const stored = this.#storedCloses();
    const over = this.#closes.start(stored, time, before && before.#closes);
    const matches = this.warmUp(over);
    return [...matches, ...this.#closes.resume(stored, over)];
  }

  /** Screens the stored candles close by close, all or those up to `until`; the matches, oldest first. `screened` hears of each candle of each symbol. */
  warmUp(until = Infinity, screened?: Screened): Match[] {
    return this.#storedCloses().filter((close) => close <= until).flatMap((close) => this.#screen(close, { screened }));
  }

  /** The closes of which a candle is stored that they need, oldest first. */
  #storedCloses(): number[] {
    const { interval } = this.trader.compiled;
    const closes = new Set<number>();
    for (const symbol of [...this.#membership.symbols, ...this.#namedSymbols()]) {
      const series = this.#candles.series(symbol, interval);
      for (let index = 0; index < (series?.size ?? 0); index++) {
        const close = intervalClose(interval, series!.openTime(index)!);
        if (this.#closes.needed(close).has(symbol)) closes.add(close);
      }
    }
    return [...closes].sort((a, b) => a - b);
  }

  /** The candle of a symbol that closed at `closeTime` is stored, at a market time (ms); the matches that this gives. */
  arrived(symbol: string, closeTime: number, time = closeTime): readonly Match[] {
    if (!this.#closes.needed(closeTime).has(symbol)) return NO_MATCHES;
    return this.#closes.isOver(closeTime) ? this.#late(symbol, closeTime) : this.#closes.arrived(symbol, closeTime, time);
  }

  /** The market's time is now `time` (ms): closes whose deadline has passed are screened with what is there. */
  advanceTime(time: number): Match[] {
    return this.#closes.advanceTime(time);
  }

  #namedSymbols(): string[] {
    return this.trader.compiled.elsewhere.flatMap(({ symbol }) => symbol ?? []);
  }

  /** The symbol's candles begin anew, and so does what was computed from them. Answers whether those of all symbols do. */
  forget(symbol: string): boolean {
    const { interval } = this.trader.compiled;
    this.#advanced.delete(symbol);
    if (this.#lanes.has(symbol)) this.#lanes.set(symbol, this.#newLane(symbol));
    return [...this.#lanes.keys()].every((one) => this.#candles.series(one, interval) === undefined);
  }

  /** How far it has come, on the symbols whose candles were screened since this was asked last. */
  takeScreened(): ScreenedTo[] {
    const { interval } = this.trader.compiled;
    const screened = [...this.#advanced].flatMap((symbol) => screenedTo(this.#lanes.get(symbol)!.book, this.#candles.series(symbol, interval)) ?? []);
    this.#advanced.clear();
    return screened;
  }

  /** Who was missing, close by close, since this was asked last: of closes that were screened as they came. */
  takeAbsent(): Absent[] {
    const absent = this.#absent;
    if (absent.length > 0) this.#absent = [];
    return absent;
  }

  /** All of it as it stands, for `restore`. */
  save(writer: SnapshotWriter): SavedMarket {
    return {
      id: this.trader.id, closes: this.#closes.save(), fingerprint: this.#fingerprint(),
      named: [...this.#named].map(([key, lane]) => [key, writer.add(lane.save())]),
      lanes: [...this.#lanes].map(([symbol, lane]) => [symbol, writer.add(lane.save())]),
      standings: this.#standings.map(({ closeTime, missing, values }) => ({ closeTime, missing, values: values.map((one) => writer.add(one)) })),
    };
  }

  /** Goes on where an equal one was saved, over candles restored before; answers false, and has changed nothing, where it no longer fits. */
  restore(saved: SavedMarket, reader: SnapshotReader): boolean {
    if (saved.fingerprint !== this.#fingerprint() || saved.lanes.map(([symbol]) => symbol).join() !== [...this.#lanes.keys()].join()) return false;
    this.#closes.restore(saved.closes);
    for (const [key, place] of saved.named) this.#named.get(key)!.restore(reader.at(place));
    for (const [symbol, place] of saved.lanes) this.#lanes.get(symbol)!.restore(reader.at(place));
    for (const { closeTime, missing, values } of saved.standings) this.#standings.push({ closeTime, missing, members: this.#membership.at(closeTime), values: values.map((place) => reader.at(place).slice()) });
    return true;
  }

  #fingerprint(): string {
    return this.#graph.frames.map(({ key, program }) => `${key} ${program.fingerprint}`).join('|');
  }

  #newLane(symbol: string): Lane {
    const { interval } = this.trader.compiled;
    return new Lane(symbol, interval, this.#graph, this.#candles, this.#candles.series(symbol, interval)?.oldest ?? 0, this.#named);
  }

  /** @param how.live it is screened as its candles come: who is missing now is noted. */
  #screen(closeTime: number, { live = false, screened }: { live?: boolean; screened?: Screened | undefined } = {}): Match[] {
    const { interval } = this.trader.compiled;
    const members = this.#membership.at(closeTime);
    const noted = new Set(this.#membership.absentAt(closeTime));
    const missing = [...new Set([...members, ...this.#namedSymbols()])].filter((symbol) => noted.has(symbol) || !this.#has(symbol, closeTime)).sort();
    if (live && noted.size === 0 && missing.length > 0) this.#note(closeTime, missing);
    this.#closes.begin(intervalClose(interval, closeTime));
    const absent = new Set(missing);
    for (const lane of this.#named.values()) lane.begin(closeTime, absent.has(lane.symbol));
    // Longer intervals are brought by the shorter ones that read them, candle by candle.
    for (const lane of [...this.#named.values()].toReversed()) lane.advanceTo(closeTime);
    const lanes = [...this.#closes.needed(closeTime)].flatMap((symbol) => (absent.has(symbol) ? [] : this.#lanes.get(symbol) ?? []));
    const worth = this.#worth(lanes, closeTime);
    const standing = this.#stand(closeTime, missing, worth.map((values) => values.map((value, at) => (members.has(lanes[at]!.symbol) ? value : Number.NaN))));
    const matches: Match[] = [];
    for (const [at, lane] of lanes.entries()) {
      const { next } = lane;
      const found = this.#place(lane, closeTime, standing, worth, at);
      if (found.length > 0) matches.push(...found);
      if (lane.next > next) screened?.(lane.symbol, lane, found);
    }
    // Who was missing then, and is there now, came late.
    for (const symbol of missing) if (this.#has(symbol, closeTime)) matches.push(...this.#late(symbol, closeTime, screened));
    return matches.sort(byTime);
  }

  #note(closeTime: number, symbols: readonly string[]): void {
    this.#membership.noteAbsent(closeTime, this.trader.compiled.interval, symbols);
    this.#absent.push({ traderId: this.trader.id, version: this.trader.version, closeTime, symbols });
  }

  /** Keeps what those that were there were worth at a close. */
  #stand(closeTime: number, missing: readonly string[], worth: readonly Float64Array[]): Standing {
    const standing: Standing = { closeTime, members: this.#membership.at(closeTime), missing, values: worth.map(sorted) };
    this.#standings.push(standing);
    if (this.#standings.length > this.#kept) this.#standings.shift();
    return standing;
  }

  /** What each of these lanes is worth at a close, by place; not a number where it has not settled. */
  #worth(lanes: readonly Lane[], closeTime: number): Float64Array[] {
    const worth = this.#places.map(() => new Float64Array(lanes.length));
    if (this.#market < 0) return worth;
    for (let at = 0; at < lanes.length; at++) {
      const source = lanes[at]!.source(this.#market)!;
      source.advanceTo(closeTime);
      for (let place = 0; place < worth.length; place++) {
        const { index } = this.#places[place]!;
        worth[place]![at] = source.settled(index) ? source.valueAt(index, closeTime) : Number.NaN;
      }
    }
    return worth;
  }

  /** A symbol's candle that came after its close was screened: its own verdict, against what those that were there were worth. */
  #late(symbol: string, closeTime: number, screened?: Screened): readonly Match[] {
    const lane = this.#lanes.get(symbol);
    if (lane === undefined) return NO_MATCHES;
    const { next } = lane;
    const found = this.#place(lane, closeTime, this.#standings.findLast((one) => one.closeTime === closeTime), this.#worth([lane], closeTime), 0);
    if (lane.next > next) screened?.(symbol, lane, found);
    return found;
  }

  /** Screens a symbol's candle, worth so much at `at`, against a standing; without one it has no place. Who is no member then gives no matches. */
  #place(lane: Lane, closeTime: number, standing: Standing | undefined, worth: readonly Float64Array[], at: number): readonly Match[] {
    const { symbol } = lane;
    const isMember = (standing?.members ?? this.#membership.at(closeTime)).has(symbol);
    const missing = standing?.missing ?? [];
    const counted = isMember && !missing.includes(symbol);
    for (let place = 0; place < worth.length; place++) {
      const { at: slot, as } = this.#places[place]!;
      lane.places[slot] = standing === undefined ? Number.NaN : placeAmong(standing.values[place]!, worth[place]![at]!, counted, as);
    }
    const found = this.#step(lane, closeTime);
    if (!isMember) return NO_MATCHES;
    if (missing.length === 0 || found.length === 0) return found;
    const others = missing.filter((one) => one !== symbol);
    return others.length === 0 ? found : found.map((match) => ({ ...match, missing: others }));
  }

  /** Screens a symbol's candle of this close, if it is there. */
  #step(lane: Lane, closeTime: number): readonly Match[] {
    const { interval } = this.trader.compiled;
    const series = this.#candles.series(lane.symbol, interval);
    if (series === undefined || lane.next >= series.total) return NO_MATCHES;
    const next = Math.max(lane.next, series.oldest);
    if (intervalClose(interval, series.openTimeOf(next)) !== closeTime) return NO_MATCHES;
    this.#advanced.add(lane.symbol);
    return lane.advance(series, next + 1) ?? NO_MATCHES;
  }

  #has(symbol: string, closeTime: number): boolean {
    const { interval } = this.trader.compiled;
    const series = this.#candles.series(symbol, interval);
    if (series === undefined || series.size === 0) return false;
    const newest = intervalClose(interval, series.openTime(series.size - 1)!);
    return newest >= closeTime && intervalClose(interval, series.openTime(0)!) <= closeTime && (newest - closeTime) / intervalMs(interval) < series.size;
  }
}
