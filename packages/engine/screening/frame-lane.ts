import { intervalClose, type Interval } from '@trademind/core';
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

  constructor(graph: FrameGraph, symbol: string, candles: CandleSource, sources: readonly FrameLane[]) {
    this.graph = graph;
    this.symbol = symbol;
    this.out = new Float64Array(graph.exports.length).fill(Number.NaN);
    this.#candles = candles;
    this.#sources = sources;
    this.#began = new Float64Array(graph.exports.length);
    this.#s = graph.program.newState();
  }

  /** Takes in every candle that has closed by `time` (ms). */
  advanceTo(time: number): void {
    const { interval } = this.graph;
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
    return Float64Array.from([this.#next, this.#freshUntil, ...this.#began, ...this.out, ...this.#s]);
  }

  /** Goes on where a saved lane of an equal graph stood, over a series restored with its ordinals. */
  restore(saved: Float64Array): void {
    this.#series = this.#candles.series(this.symbol, this.graph.interval);
    this.#next = saved[0]!;
    this.#freshUntil = saved[1]!;
    const exports = this.out.length;
    this.#began.set(saved.subarray(2, 2 + exports));
    this.out.set(saved.subarray(2 + exports, 2 + 2 * exports));
    this.#s.set(saved.subarray(2 + 2 * exports));
  }

  get savedLength(): number {
    return 2 + 2 * this.out.length + this.#s.length;
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
  }
}

/** No state of any program: whoever runs on it is refused. */
const GONE = new Float64Array(0);

/** Whether all that is read elsewhere has settled there. */
export function settledAt(sources: readonly FrameLane[], reads: readonly ExternalSlot[]): boolean {
  for (const { frame, index } of reads) if (!sources[frame]!.settled(index)) return false;
  return true;
}
