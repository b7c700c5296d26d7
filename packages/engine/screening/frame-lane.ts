import { intervalClose, intervalOpen, type Interval } from '@trademind/core';
import type { CandleSeries } from '../candles/candle-series.ts';
import type { ExternalSlot, FrameGraph } from './link-frames.ts';

/** The candles that a lane reads: the series of a symbol may be begun anew, so it is asked for each time. */
export interface CandleSource {
  series(symbol: string, interval: Interval): CandleSeries | undefined;
}

/**
 * A frame that others read, on one symbol: a higher interval, or another symbol. It follows its series as far as it is asked to, one candle at a time, and
 * keeps the last value of each of its exports.
 */
export class FrameLane {
  readonly graph: FrameGraph;
  readonly symbol: string;
  /** Last value of each export. */
  readonly out: Float64Array;
  readonly #candles: CandleSource;
  /** The lanes of the graph's frames that this one reads, by their index. */
  readonly #sources: readonly FrameLane[];
  #s: Float64Array;
  #series: CandleSeries | undefined;
  /** Ordinal in its series of the candle that comes next, and per export of the first that it took in once all it reads had settled. */
  #next = 0;
  readonly #began: Float64Array;
  /** Its values hold from the close of its last candle until before that of the candle after (ms). */
  #freshUntil = -Infinity;
  /** Nothing that closes later is taken in. */
  #hold = Infinity;
  readonly #past: PastValues | undefined;

  /** @param kept so many candles' values are kept, for whoever comes late. */
  constructor(graph: FrameGraph, symbol: string, candles: CandleSource, sources: readonly FrameLane[], kept = 0) {
    this.graph = graph;
    this.symbol = symbol;
    this.out = new Float64Array(graph.exports.length).fill(Number.NaN);
    this.#candles = candles;
    this.#sources = sources;
    this.#began = new Float64Array(graph.exports.length);
    this.#s = graph.program.newState();
    this.#past = kept === 0 ? undefined : new PastValues(kept, graph.exports.length);
  }

  /** A close is screened now. A candle that is `absent` then counts as missing, though it may be there by now: until the next close nothing that closes at that instant is taken in. */
  begin(closeTime: number, absent: boolean): void {
    const { interval } = this.graph;
    this.#hold = absent ? closeTime - 1 : Infinity;
    if (absent && intervalOpen(interval, closeTime) === closeTime) this.#past?.add(closeTime, intervalClose(interval, closeTime));
  }

  /** Takes in every candle that has closed by `time` (ms). */
  advanceTo(asked: number): void {
    const { interval } = this.graph;
    const time = Math.min(asked, this.#hold);
    const series = this.#candles.series(this.symbol, interval);
    if (series === undefined) return;
    if (series !== this.#series || this.#next < series.oldest) this.#begin(series);
    while (this.#next < series.total) {
      const close = intervalClose(interval, series.openTimeOf(this.#next));
      if (close > time) return;
      this.#step(series, close);
    }
  }

  /** The value of an export as of `time`: not ready where the candle that should have closed by then is missing. */
  valueAt(index: number, time: number): number {
    if (this.#past !== undefined) return this.#past.at(time, index);
    return time < this.#freshUntil ? this.out[index]! : Number.NaN;
  }

  /** Candles that an export has seen since all that it reads had settled. */
  seen(index: number): number {
    return Math.max(0, this.#next - this.#began[index]!);
  }

  /** Whether an export has settled. */
  settled(index: number): boolean {
    return this.seen(index) >= this.graph.exports[index]!.settle;
  }

  /** Goes on where an equal lane of another graph stands; `refs` says which nodes are the same. */
  takeOver(lane: FrameLane, refs: Int32Array): void {
    this.#series = lane.#series;
    this.#next = lane.#next;
    this.#freshUntil = lane.#freshUntil;
    lane.graph.program.carry(refs, lane.#s, this.#s, this.graph.program, this.#next);
    this.graph.program.recount(this.#s, this.#next);
    for (const [index, { slot }] of lane.graph.exports.entries()) {
      const here = this.graph.exports.findIndex((one) => one.slot === refs[slot]!);
      if (here < 0) continue;
      this.out[here] = lane.out[index]!;
      this.#began[here] = lane.#began[index]!;
    }
  }

  /** What must be kept to go on after a restart: numbers that `restore` takes. */
  save(): Float64Array {
    return Float64Array.from([this.#next, this.#freshUntil, this.#hold, ...this.#began, ...this.out, ...this.#s, ...this.#past?.cells ?? []]);
  }

  /** Goes on where a saved lane of an equal graph stood, over a series restored with its ordinals. */
  restore(saved: Float64Array): void {
    this.#series = this.#candles.series(this.symbol, this.graph.interval);
    let at = 3;
    const next = (length: number): Float64Array => saved.subarray(at, (at += length));
    [this.#next, this.#freshUntil, this.#hold] = saved as unknown as [number, number, number];
    this.#began.set(next(this.#began.length));
    this.out.set(next(this.out.length));
    this.#s.set(next(this.#s.length));
    this.#past?.cells.set(next(this.#past.cells.length));
  }

  get savedLength(): number {
    return 3 + 2 * this.out.length + this.#s.length + (this.#past?.cells.length ?? 0);
  }

  #begin(series: CandleSeries): void {
    this.#series = series;
    this.#next = series.oldest;
    this.#began.fill(series.oldest);
    this.#freshUntil = -Infinity;
    this.graph.program.releaseState(this.#s);
    this.#s = this.graph.program.newState();
    this.out.fill(Number.NaN);
  }

  /** It will not be asked to run again: gives its state back. */
  release(): void {
    this.graph.program.releaseState(this.#s);
    this.#s = GONE;
  }

  #step(series: CandleSeries, close: number): void {
    const { program, exports, externals, interval } = this.graph;
    // Whatever it reads runs first: programs share their values with other lanes, and another lane may have the same one.
    for (const { frame } of externals) this.#sources[frame]!.advanceTo(close);
    const v = program.values;
    series.fillOne(v, this.#next);
    for (const { slot, frame, index } of externals) v[slot] = this.#sources[frame]!.valueAt(index, close);
    program.run(this.#s, this.#next);
    this.#next++;
    for (let index = 0; index < exports.length; index++) {
      const { slot, reads } = exports[index]!;
      this.out[index] = v[slot]!;
      if (!settledAt(this.#sources, reads)) this.#began[index] = this.#next;
    }
    this.#freshUntil = intervalClose(interval, close);
    this.#past?.add(close, this.#freshUntil, this.out);
  }
}

/** The values that a lane had on its last candles. One that was missing when its close was screened has none for good: whoever screens that close later sees what was seen then. */
class PastValues {
  /** How many there were, then in turns: from when and until before when they hold (ms), the values. */
  readonly cells: Float64Array;
  readonly #rows: number;
  readonly #width: number;

  constructor(rows: number, values: number) {
    this.#rows = rows;
    this.#width = 2 + values;
    this.cells = new Float64Array(1 + rows * this.#width).fill(Number.NaN);
    this.cells[0] = 0;
  }

  add(from: number, until: number, values?: Float64Array): void {
    const known = this.#find(from);
    if (known >= 0 && this.cells[known] === from) return;
    const at = 1 + (this.cells[0]! % this.#rows) * this.#width;
    this.cells[0]!++;
    this.cells.fill(Number.NaN, at, at + this.#width);
    this.cells[at] = from;
    this.cells[at + 1] = until;
    if (values !== undefined) this.cells.set(values, at + 2);
  }

  at(time: number, index: number): number {
    const row = this.#find(time);
    return row < 0 ? Number.NaN : this.cells[row + 2 + index]!;
  }

  /** Where the row lies that holds at a time; -1: there is none (any more). */
  #find(time: number): number {
    const count = this.cells[0]!;
    for (let back = 1; back <= Math.min(count, this.#rows); back++) {
      const at = 1 + ((count - back) % this.#rows) * this.#width;
      if (this.cells[at]! <= time && time < this.cells[at + 1]!) return at;
    }
    return -1;
  }
}

/** No state of any program: whoever runs on it is refused. */
const GONE = new Float64Array(0);

/** Whether all that is read elsewhere has settled there. */
export function settledAt(sources: readonly FrameLane[], reads: readonly ExternalSlot[]): boolean {
  for (const { frame, index } of reads) if (!sources[frame]!.settled(index)) return false;
  return true;
}
