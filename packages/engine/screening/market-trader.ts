import { intervalClose, intervalMs } from '@trademind/core';
import { MARKET, RANK } from '../language/frames.ts';
import { FrameLane, type CandleSource } from './frame-lane.ts';
import { Lane } from './lane.ts';
import type { LaneBook } from './lane-book.ts';
import { screenedTo, type ScreenedTo } from './lane-watch.ts';
import { byTime, type Match } from './match.ts';
import type { ExternalSlot } from './link-frames.ts';
import { ScreeningGraph, type ActiveTrader } from './screening-graph.ts';
import type { SavedNumbers, SnapshotReader, SnapshotWriter } from './snapshot.ts';

/** What all symbols were worth at one close, by the symbol's place in `symbols`; kept for those that come late. */
interface Standing { readonly closeTime: number; readonly values: readonly Float64Array[] }

/** A lane has just screened a candle, and its program holds the values; the matches that this gave. */
export type Screened = (symbol: string, lane: Lane, matches: readonly Match[]) => void;

export interface SavedMarket {
  readonly id: string;
  readonly due: number | null;
  readonly screenedTo: number | null;
  readonly arrived: readonly string[];
  readonly fingerprint: string;
  readonly named: readonly (readonly [key: string, place: SavedNumbers])[];
  readonly lanes: readonly (readonly [symbol: string, place: SavedNumbers])[];
  readonly standings: readonly { readonly closeTime: number; readonly values: readonly SavedNumbers[] }[];
}

/** So many deadlines long candles of long ago are waited for while they come. */
const LONGEST_BACKLOG = 60;
/** Closes whose standings are kept. */
const KEPT = 3;

/**
 * A trader that looks at other symbols: `of`, `rank`, `percentile`. A close is screened once the candles of all symbols that it screens or names are there, or at its deadline: then what
 * is missing is not ready, and the matches name it. A symbol that comes later is screened alone, against what the others were worth.
 * Where candles come whose deadline has long passed (history, or what an outage has held back: one symbol after the other), the closes wait until all symbols have them, or none has come for as long.
 */
export class MarketTrader {
  readonly trader: ActiveTrader;
  readonly #graph: ScreeningGraph;
  readonly #candles: CandleSource;
  /** Market time after a close (ms) at which it is screened with what is there. */
  readonly #deadlineMs: number;
  readonly #market: number;
  /** External slots that are places, by their index in the own frame. */
  readonly #places: readonly (ExternalSlot & { at: number })[];
  readonly #named = new Map<string, FrameLane>();
  readonly #lanes = new Map<string, Lane>();
  /** Every symbol whose candles it needs. */
  readonly #needed: ReadonlySet<string>;
  /** Close time of the next close to be screened by all; candles before it are late. */
  #due = -Infinity;
  #screenedTo = -Infinity;
  readonly #standings: Standing[] = [];
  /** Symbols whose candles were screened since `takeScreened` was asked last. */
  readonly #advanced = new Set<string>();
  /** Symbols whose candle of the close under way is there. */
  readonly #arrived = new Set<string>();
  /** The latest close of which a candle has come. */
  #ahead = -Infinity;
  /** When a candle last came whose deadline had passed (ms of market time). */
  #backlogAt = -Infinity;
  #backlogSince = -Infinity;

  /** @param beside run with it over the same candles; what they find is told with its matches. */
  constructor(trader: ActiveTrader, symbols: ReadonlySet<string>, candles: CandleSource, deadlineMs: number, beside: readonly ActiveTrader[] = []) {
    this.trader = trader;
    this.#graph = new ScreeningGraph([trader, ...beside], { whole: true });
    this.#candles = candles;
    this.#deadlineMs = deadlineMs;
    this.#market = this.#graph.frames.findIndex(({ key }) => key === MARKET);
    this.#places = this.#graph.own.externals.flatMap((external, at) => (external.as === 'value' ? [] : [{ ...external, at }]));
    const shared: FrameLane[] = [];
    for (const frame of this.#graph.frames.slice(0, -1)) {
      // A frame of the symbol being screened has no lane here; nothing that is shared reads it.
      const lane = new FrameLane(frame, frame.symbol ?? '', candles, [...shared]);
      shared.push(lane);
      if (frame.symbol !== undefined) this.#named.set(frame.key, lane);
    }
    for (const symbol of symbols) this.#lanes.set(symbol, this.#newLane(symbol));
    this.#needed = new Set([...symbols, ...trader.compiled.elsewhere.flatMap(({ symbol }) => symbol ?? [])]);
  }

  get symbols(): ReadonlySet<string> {
    return new Set(this.#lanes.keys());
  }

  lane(symbol: string): Lane | undefined {
    return this.#lanes.get(symbol);
  }

  books(): LaneBook[] {
    return [...this.#lanes.values()].map(({ book }) => book);
  }

  /** Screens the stored candles close by close, all or those up to `until`; the matches, oldest first. `screened` hears of each candle of each symbol. */
  warmUp(until = Infinity, screened?: Screened): Match[] {
    const { interval } = this.trader.compiled;
    const closes = new Set<number>();
    for (const symbol of this.#needed) {
      const series = this.#candles.series(symbol, interval);
      for (let index = 0; index < (series?.size ?? 0); index++) closes.add(intervalClose(interval, series!.openTime(index)!));
    }
    return [...closes].filter((close) => close <= until).sort((a, b) => a - b).flatMap((close) => this.#screen(close, screened));
  }

  /** The candle of a symbol that closed at `closeTime` is stored, at a market time (ms); the matches that this gives. */
  arrived(symbol: string, closeTime: number, time = closeTime): Match[] {
    const needed = this.#needed;
    if (!needed.has(symbol)) return [];
    if (this.#due === -Infinity) this.#due = closeTime;
    if (closeTime < this.#due) return this.#late(symbol, closeTime);
    if (time > closeTime + this.#deadlineMs) {
      if (this.#isQuiet(time)) this.#backlogSince = time;
      this.#backlogAt = time;
    }
    this.#ahead = Math.max(this.#ahead, closeTime);
    const matches: Match[] = [];
    if (closeTime > this.#due && this.#isQuiet(time)) {
      // Whatever of the closes before is not there comes late: their deadlines have passed, or the interval is shorter than they are.
      matches.push(...this.#screenUntil(closeTime));
      this.#due = closeTime;
    }
    if (closeTime === this.#due) this.#arrived.add(symbol);
    while (this.#arrived.size === needed.size) matches.push(...this.#screen(this.#due));
    return matches;
  }

  /** The market's time is now `time` (ms): closes whose deadline has passed are screened with what is there. */
  advanceTime(time: number): Match[] {
    if (this.#ahead < this.#due || !this.#isQuiet(time)) return [];
    return this.#screenUntil(Math.min(this.#ahead + 1, time - this.#deadlineMs + 1));
  }

  /** Whether nothing of long ago comes any more, or has come for so long that whoever is missing is not waited for. */
  #isQuiet(time: number): boolean {
    return time >= this.#backlogAt + this.#deadlineMs || time >= this.#backlogSince + LONGEST_BACKLOG * this.#deadlineMs;
  }

  /** Screens the closes before this instant of which a candle has come. */
  #screenUntil(end: number): Match[] {
    const matches: Match[] = [];
    while (this.#due < end && this.#ahead >= this.#due) {
      if (this.#arrived.size > 0) matches.push(...this.#screen(this.#due));
      else this.#begin(intervalClose(this.trader.compiled.interval, this.#due));
    }
    return matches;
  }

  /** The close under way is this one: some symbols may have its candle already. */
  #begin(closeTime: number): void {
    this.#due = closeTime;
    this.#arrived.clear();
    if (this.#ahead < closeTime) return;
    for (const symbol of this.#needed) if (this.#has(symbol, closeTime)) this.#arrived.add(symbol);
  }

  /** The symbol's candles begin anew, and so does what was computed from them. */
  forget(symbol: string): void {
    this.#advanced.delete(symbol);
    if (this.#lanes.has(symbol)) this.#lanes.set(symbol, this.#newLane(symbol));
  }

  /** How far it has come, on the symbols whose candles were screened since this was asked last. */
  takeScreened(): ScreenedTo[] {
    const { interval } = this.trader.compiled;
    const screened = [...this.#advanced].flatMap((symbol) => screenedTo(this.#lanes.get(symbol)!.book, this.#candles.series(symbol, interval)) ?? []);
    this.#advanced.clear();
    return screened;
  }

  /** All of it as it stands, for `restore`. */
  save(writer: SnapshotWriter): SavedMarket {
    return {
      id: this.trader.id, due: finite(this.#due), screenedTo: finite(this.#screenedTo), arrived: [...this.#arrived], fingerprint: this.#fingerprint(),
      named: [...this.#named].map(([key, lane]) => [key, writer.add(lane.save())]),
      lanes: [...this.#lanes].map(([symbol, lane]) => [symbol, writer.add(lane.save())]),
      standings: this.#standings.map(({ closeTime, values }) => ({ closeTime, values: values.map((one) => writer.add(one)) })),
    };
  }

  /** Goes on where an equal one was saved, over candles restored before; answers false, and has changed nothing, where it no longer fits. */
  restore(saved: SavedMarket, reader: SnapshotReader): boolean {
    if (saved.fingerprint !== this.#fingerprint() || saved.lanes.map(([symbol]) => symbol).join() !== [...this.#lanes.keys()].join()) return false;
    this.#due = saved.due ?? -Infinity;
    this.#screenedTo = saved.screenedTo ?? -Infinity;
    for (const symbol of this.#needed) this.#ahead = Math.max(this.#ahead, this.#newestClose(symbol));
    for (const symbol of saved.arrived) this.#arrived.add(symbol);
    for (const [key, place] of saved.named) this.#named.get(key)!.restore(reader.at(place));
    for (const [symbol, place] of saved.lanes) this.#lanes.get(symbol)!.restore(reader.at(place));
    for (const { closeTime, values } of saved.standings) this.#standings.push({ closeTime, values: values.map((place) => reader.at(place).slice()) });
    return true;
  }

  #fingerprint(): string {
    return this.#graph.frames.map(({ key, program }) => `${key} ${program.fingerprint}`).join('|');
  }

  #newLane(symbol: string): Lane {
    const { interval } = this.trader.compiled;
    return new Lane(symbol, interval, this.#graph, this.#candles, this.#candles.series(symbol, interval)?.oldest ?? 0, this.#named);
  }

  #screen(closeTime: number, screened?: Screened): Match[] {
    const { interval } = this.trader.compiled;
    this.#screenedTo = closeTime;
    this.#begin(intervalClose(interval, closeTime));
    const standing: Standing = { closeTime, values: this.#places.map(() => new Float64Array(this.#lanes.size)) };
    const missing: string[] = [];
    for (const symbol of this.#needed) if (!this.#has(symbol, closeTime)) missing.push(symbol);
    let at = 0;
    for (const lane of this.#lanes.values()) {
      const source = this.#market < 0 ? undefined : lane.source(this.#market)!;
      source?.advanceTo(closeTime);
      for (const [index, place] of this.#places.entries()) standing.values[index]![at] = source!.settled(place.index) ? source!.valueAt(place.index, closeTime) : Number.NaN;
      at++;
    }
    if (this.#market >= 0) {
      this.#standings.push(standing);
      if (this.#standings.length > KEPT) this.#standings.shift();
    }
    const places = this.#places.map(({ as }, index) => placesOf(standing.values[index]!, as));
    const matches: Match[] = [];
    at = 0;
    for (const [symbol, lane] of this.#lanes) {
      for (const [index, { at: slot }] of this.#places.entries()) lane.places[slot] = places[index]![at]!;
      const { next } = lane;
      const found = this.#step(symbol, lane, closeTime);
      matches.push(...found);
      if (lane.next > next) screened?.(symbol, lane, found);
      at++;
    }
    return missing.length === 0 ? matches.sort(byTime) : matches.map((match) => ({ ...match, missing })).sort(byTime);
  }

  /** A symbol's candle that came after its close was screened: its own verdict, against what the others were worth. */
  #late(symbol: string, closeTime: number): Match[] {
    const lane = this.#lanes.get(symbol);
    if (lane === undefined) return [];
    const standing = this.#standings.find((one) => one.closeTime === closeTime);
    const at = [...this.#lanes.keys()].indexOf(symbol);
    const source = this.#market < 0 ? undefined : lane.source(this.#market)!;
    source?.advanceTo(closeTime);
    for (const [index, place] of this.#places.entries()) {
      const values = standing?.values[index];
      if (values !== undefined) values[at] = source!.settled(place.index) ? source!.valueAt(place.index, closeTime) : Number.NaN;
      lane.places[place.at] = values === undefined ? Number.NaN : placesOf(values, place.as)[at]!;
    }
    return this.#step(symbol, lane, closeTime);
  }

  /** Screens a symbol's candle of this close, if it is there. */
  #step(symbol: string, lane: Lane, closeTime: number): Match[] {
    const { interval } = this.trader.compiled;
    const series = this.#candles.series(symbol, interval);
    if (series === undefined || lane.next >= series.total) return [];
    const next = Math.max(lane.next, series.oldest);
    if (intervalClose(interval, series.openTimeOf(next)) !== closeTime) return [];
    this.#advanced.add(symbol);
    return lane.advance(series, next + 1) ?? [];
  }

  #newestClose(symbol: string): number {
    const { interval } = this.trader.compiled;
    const series = this.#candles.series(symbol, interval);
    return series === undefined || series.size === 0 ? -Infinity : intervalClose(interval, series.openTime(series.size - 1)!);
  }

  #has(symbol: string, closeTime: number): boolean {
    const { interval } = this.trader.compiled;
    const series = this.#candles.series(symbol, interval);
    if (series === undefined || series.size === 0) return false;
    const newest = intervalClose(interval, series.openTime(series.size - 1)!);
    return newest >= closeTime && intervalClose(interval, series.openTime(0)!) <= closeTime && (newest - closeTime) / intervalMs(interval) < series.size;
  }
}

/** JSON knows no infinity. */
const finite = (time: number): number | null => (time === -Infinity ? null : time);

/**
 * The place of each value among all that are ready: 1 = the largest; equal ones share the better place. In per cent: how many of them are not above it. Not ready where the value is not.
 */
function placesOf(values: Float64Array, as: ExternalSlot['as']): Float64Array {
  const sorted = values.slice().sort(); // what is not ready comes last
  let ready = sorted.length;
  while (ready > 0 && Number.isNaN(sorted[ready - 1]!)) ready--;
  return values.map((value) => {
    if (Number.isNaN(value)) return Number.NaN;
    let notAbove = 0;
    for (let end = ready; notAbove < end;) {
      const middle = (notAbove + end) >> 1;
      if (sorted[middle]! <= value) notAbove = middle + 1;
      else end = middle;
    }
    return as === RANK ? ready - notAbove + 1 : (100 * notAbove) / ready;
  });
}
