import { intervalClose, type Candle, type Interval } from '@trademind/core';
import { checksumOfText } from '../checksum.ts';
import type { CandleSeries } from '../candles/candle-series.ts';
import { MAX_BLOCK } from '../graph/node-kind.ts';
import { LaneBook } from './lane-book.ts';
import { FrameLane, settledAt, type CandleSource } from './frame-lane.ts';
import { readMatch, type Match } from './match.ts';
import type { ActiveTrader, ScreeningGraph } from './screening-graph.ts';

/** One symbol and interval being screened: the running state of its graph and what each trader last said. */
export class Lane {
  readonly symbol: string;
  readonly interval: Interval;
  readonly graph: ScreeningGraph;
  #s: Float64Array;
  /** Rings begin anew when they come round: each symbol at another time, so that no candle of all symbols is the one that pays for it. */
  readonly #phase: number;
  /** Per frame of the graph but the last, which is the lane's own: what it reads elsewhere. */
  readonly #sources: readonly FrameLane[];
  /** Per external slot of its own frame that is a place among all symbols: that place now. Whoever ranks writes it. */
  readonly places: Float64Array;
  /** What the traders have seen and last said. */
  readonly book: LaneBook;
  readonly #counts: Float64Array;
  readonly #held: Int32Array;

  /**
   * @param next ordinal in its series of the first candle that the lane will take in.
   * @param sources lanes of the graph's frames that are shared with other symbols, by the frame's key.
   */
  constructor(symbol: string, interval: Interval, graph: ScreeningGraph, candles: CandleSource, next: number, shared?: ReadonlyMap<string, FrameLane>) {
    this.symbol = symbol;
    this.interval = interval;
    this.graph = graph;
    this.#s = graph.program.newState();
    const sources: FrameLane[] = [];
    for (const frame of graph.frames.slice(0, -1)) sources.push(shared?.get(frame.key) ?? new FrameLane(frame, frame.symbol ?? symbol, candles, [...sources]));
    this.#sources = sources;
    this.#phase = checksumOfText(symbol) & 0xff;
    this.places = new Float64Array(graph.own.externals.length).fill(Number.NaN);
    this.book = new LaneBook(symbol, interval, graph.booked);
    this.#counts = this.book.counts.fill(next);
    this.#held = this.book.held;
  }

  /** Ordinal of the candle that comes next. */
  get next(): number {
    return this.#counts[0]! | 0;
  }

  /** Takes in what its series has beyond what it has seen, or what comes before the ordinal `end`; the matches it gives, in the order of candles. */
  advance(series: CandleSeries, end = series.total): Match[] | undefined {
    return end - this.next === 1 ? this.#step(series) : this.warmUp(series, end);
  }

  #step(series: CandleSeries): Match[] | undefined {
    const { graph } = this;
    const { program, everyCandle, verdicts, own: { externals } } = graph;
    const counts = this.#counts;
    const held = this.#held;
    const at = counts[0]! | 0;
    const v = program.values;
    if (externals.length > 0) this.#bring(intervalClose(this.interval, series.openTimeOf(at)));
    series.fillOne(v, at);
    if (externals.length > 0) this.#readElsewhere(v, 1, 0, intervalClose(this.interval, series.openTimeOf(at)), at + 1);
    program.run(this.#s, at + this.#phase);
    counts[0] = at + 1;
    let matches: Match[] | undefined;
    const now = verdicts.now(v);
    for (let w = 0; w < now.length; w++) {
      const holding = now[w]!;
      let edges = holding & (everyCandle[w]! | ~held[w]!);
      held[w] = holding;
      for (; edges !== 0; edges &= edges - 1) {
        const k = w * 32 + lowestBit(edges);
        if (this.#settled(k, at + 1)) (matches ??= []).push(this.#match(k, v[8]!, 'closed', v, 1, 0));
      }
    }
    return matches;
  }

  /** Whether a trader had settled before the candle before the one of ordinal `next`. */
  #settled(k: number, next: number): boolean {
    return next - this.#counts[k + 1]! > this.graph.settle[k]!;
  }

  /**
   * Takes in stored candles block by block, up to the last or before the ordinal `end`; the matches found on the way, in the order of candles. The same edges as
   * one by one, trader by trader over each block.
   */
  warmUp(series: CandleSeries, end = series.total): Match[] {
    const { program, settle, everyCandle, verdicts, own: { externals } } = this.graph;
    const block = program.blockValues;
    const counts = this.#counts;
    const held = this.#held;
    const found: { match: Match; trader: number }[] = [];
    while (counts[0]! < end) {
      const next = counts[0]! | 0;
      const count = Math.min(MAX_BLOCK, end - next);
      const elsewhere: number[] = [];
      if (externals.length > 0) {
        // What lies elsewhere is brought candle by candle, and may run the same program: its values are kept until the block is laid out.
        for (let i = 0; i < count; i++) {
          const time = intervalClose(this.interval, series.openTimeOf(next + i));
          this.#bring(time);
          this.#readElsewhere(elsewhere, 0, i * externals.length, time, next + i + 1);
        }
      }
      series.fill(block, MAX_BLOCK, next, count);
      for (const [e, { slot }] of externals.entries()) for (let i = 0; i < count; i++) block[slot * MAX_BLOCK + i] = elsewhere[i * externals.length + e]!;
      program.runBlock(this.#s, count, next + this.#phase);
      const some = verdicts.over(program, count);
      for (let w = 0; w < some.length; w++) {
        const before = held[w]!;
        let after = 0;
        for (let left = some[w]! | before; left !== 0; left &= left - 1) {
          const bit = left & -left;
          const k = w * 32 + lowestBit(left);
          const mask = verdicts.masks[k]!;
          let edges = (everyCandle[w]! & bit) !== 0 ? mask : mask & ~((mask << 1) | Number((before & bit) !== 0));
          const first = settle[k]! - (next - counts[k + 1]!);
          if (first > 0) edges = first < MAX_BLOCK ? edges & (-1 << first) : 0;
          for (; edges !== 0; edges &= edges - 1) {
            const i = lowestBit(edges);
            found.push({ match: this.#match(k, series.openTimeOf(next + i), 'closed', block, MAX_BLOCK, i), trader: k });
          }
          if (((mask >>> (count - 1)) & 1) === 1) after |= bit;
        }
        held[w] = after;
      }
      counts[0] = next + count;
    }
    return found.sort((a, b) => a.match.openTime - b.match.openTime || a.trader - b.trader).map(({ match }) => match);
  }

  /** Lets every frame that it reads take in what has closed by `time`. */
  #bring(time: number): void {
    for (const source of this.#sources) source.advanceTo(time);
  }

  /**
   * Writes what is read elsewhere as of `time`: external slots at slot × stride + i, or one after the other from i on where the stride is 0. A trader that reads what has not settled
   * begins anew with the candle of ordinal `next`.
   */
  #readElsewhere(to: Float64Array | number[], stride: number, i: number, time: number, next: number): void {
    const { own: { externals }, reads } = this.graph;
    for (let e = 0; e < externals.length; e++) {
      const { slot, frame, index, as } = externals[e]!;
      to[stride === 0 ? i + e : slot * stride + i] = as === 'value' ? this.#sources[frame]!.valueAt(index, time) : this.places[e]!;
    }
    for (let k = 0; k < reads.length; k++) if (reads[k]!.length > 0 && !settledAt(this.#sources, reads[k]!)) this.#counts[k + 1] = next;
  }

  /** A trader matches where it holds and did not on the candle before, both after its nodes had settled: the same wherever the candles began. */
  #match(k: number, openTime: number, phase: Match['phase'], v: Float64Array, stride: number, i: number): Match {
    this.graph.verdicts.write(k, v, stride, i);
    return readMatch(this.graph.traders[k]!, this.symbol, this.interval, openTime, phase, v, stride, i);
  }

  /**
   * What the candle under way would give if it closed now, to the traders that ask for it. It leaves no trace: the run works on a copy of the state, and what lies elsewhere is that of the
   * last close. A candle that does not follow the last one screened gives nothing.
   */
  peek(candle: Candle, series: CandleSeries): Match[] {
    const { program, everyCandle, forming, verdicts, own: { externals } } = this.graph;
    const next = this.book.next;
    if (forming.length === 0 || next === 0 || next !== series.total || intervalClose(this.interval, series.openTimeOf(next - 1)) !== candle.openTime) return [];
    const v = program.values;
    if (externals.length > 0) this.#bring(candle.openTime);
    v.set([candle.open, candle.high, candle.low, candle.close, candle.volume, candle.quoteVolume, candle.trades, candle.takerBuy, candle.openTime]);
    for (let e = 0; e < externals.length; e++) v[externals[e]!.slot] = this.#sources[externals[e]!.frame]!.valueAt(externals[e]!.index, candle.openTime);
    program.run(program.scratch(this.#s), next + this.#phase);
    const matches: Match[] = [];
    const now = verdicts.now(v);
    for (const k of forming) {
      if (((now[k >> 5]! >>> (k & 31)) & 1) === 1 && (!this.book.heldBefore(k) || everyCandle[k] === 1) && this.#settled(k, next + 1)) matches.push(this.#match(k, candle.openTime, 'forming', v, 1, 0));
    }
    return matches;
  }

  indexOf(trader: ActiveTrader): number {
    return this.graph.traders.findIndex((linked) => linked.trader === trader);
  }

  /** The lane of a frame that it reads. */
  source(frame: number): FrameLane | undefined {
    return this.#sources[frame];
  }

  /** What must be kept to go on after a restart: numbers that `restore` takes. Frames that are shared with other symbols are not in it. */
  save(): Float64Array {
    const parts = [this.#counts, Float64Array.from(this.book.traders, (_, k) => Number(this.book.heldBefore(k))), this.#s, ...this.#own().map((source) => source.save())];
    const saved = new Float64Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      saved.set(part, at);
      at += part.length;
    }
    return saved;
  }

  /** Goes on where a lane of an equal graph was saved, over series restored with their ordinals. */
  restore(saved: Float64Array): void {
    let at = 0;
    const next = (length: number): Float64Array => saved.subarray(at, (at += length));
    this.#counts.set(next(this.#counts.length));
    for (const [k, held] of next(this.book.traders.length).entries()) this.book.setHeld(k, held === 1);
    this.#s.set(next(this.#s.length));
    for (const source of this.#own()) source.restore(next(source.savedLength));
  }

  /** The same for lanes whose saved numbers fit each other. */
  get fingerprint(): string {
    return this.graph.frames.map(({ key, program, exports }) => `${key} ${program.fingerprint} ${exports.map(({ slot }) => slot).join(',')}`).join('|');
  }

  /** It will not be asked to run again: gives its state back. */
  release(): void {
    this.graph.program.releaseState(this.#s);
    this.#s = GONE;
    for (const source of this.#own()) source.release();
  }

  #own(): readonly FrameLane[] {
    return this.#sources.filter(({ graph }) => graph.symbol === undefined);
  }

  /**
   * Takes over from lanes of the same series that have come as far: state and verdicts of all nodes and traders that were there. An earlier lane wins over a later
   * one, so that who was already running notices nothing of who is new.
   */
  takeOver(lanes: readonly Lane[]): void {
    const { program, frames } = this.graph;
    for (const lane of lanes.toReversed()) {
      const refs = lane.graph.refsIn(this.graph);
      for (const [index, frame] of lane.graph.frames.entries()) {
        if (frame === lane.graph.own) continue;
        this.#sources[frames.findIndex(({ key }) => key === frame.key)]?.takeOver(lane.#sources[index]!, refs.get(frame.key)!);
      }
      lane.graph.program.carry(refs.get(lane.graph.own.key)!, lane.#s, this.#s, program, this.next + this.#phase);
      for (const [index, { trader }] of lane.graph.traders.entries()) {
        const here = this.indexOf(trader);
        if (here < 0) continue;
        this.#counts[here + 1] = lane.#counts[index + 1]!;
        this.book.setHeld(here, lane.book.heldBefore(index));
      }
    }
    program.recount(this.#s, this.next + this.#phase);
  }
}

/** No state of any program: whoever runs on it is refused. */
const GONE = new Float64Array(0);

/** Which bit of a word is the lowest that is set. */
const lowestBit = (word: number): number => 31 - Math.clz32(word & -word);
