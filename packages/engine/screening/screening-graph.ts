import type { FrameRefs } from '../graph/dag.ts';
import type { Program } from '../graph/program.ts';
import type { CompiledTrader } from '../language/compile-trader.ts';
import { OWN, withPlaces } from '../language/frames.ts';
import type { BookedTrader } from './lane-book.ts';
import { Verdicts } from './verdicts.ts';
import { linkFrames, readsOf, type ExternalSlot, type FrameGraph } from './link-frames.ts';

/** A trader the screener runs. One object per id and version: lanes compare traders by identity. */
export interface ActiveTrader {
  readonly id: string;
  readonly version: number;
  readonly compiled: CompiledTrader;
}

/** A trader inside a graph: where its nodes lie. */
export interface LinkedTrader {
  readonly trader: ActiveTrader;
  /** Slot of each node of its own frame's graph. */
  readonly slots: Int32Array;
}

/** The graph of several traders together: what they share is there once. Symbols that are screened by the same traders share one. */
export class ScreeningGraph {
  readonly traders: readonly LinkedTrader[];
  /** Every frame after those that it reads; the traders' own is the last. */
  readonly frames: readonly FrameGraph[];
  readonly own: FrameGraph;
  readonly program: Program;
  /** What the traders' verdicts come to. */
  readonly verdicts: Verdicts;
  /** Per trader: candles it needs to settle. */
  readonly settle: Int32Array;
  /** Where every candle counts instead of edges: bit k & 31 of the word k >> 5. */
  readonly everyCandle: Int32Array;
  /** Traders, by their index, that ask for the candle under way too. */
  readonly forming: readonly number[];
  /** Per trader: the external slots of its own frame that it reads; few traders have any. */
  readonly reads: readonly (readonly ExternalSlot[])[];
  /** The traders as a book names them. */
  readonly booked: readonly BookedTrader[];
  readonly #refsIn = new WeakMap<ScreeningGraph, FrameRefs>();

  /**
   * @param whole every node is to be computed, so that all can be shown.
   * @param lasting its lanes run for long, and are told when they are no longer needed.
   */
  constructor(traders: readonly ActiveTrader[], { whole = false, lasting = false } = {}) {
    let verdicts: Verdicts | undefined;
    const { frames, refs } = linkFrames(traders.map(({ compiled }) => compiled.frames), (own, placed) => {
      verdicts = new Verdicts(own, traders.map(({ compiled }, index) => ({ compiled, slots: placed[index]!.get(OWN)! })), whole);
      return verdicts.idle;
    }, lasting);
    this.verdicts = verdicts!;
    this.frames = frames;
    this.own = frames.at(-1)!;
    this.program = this.own.program;
    this.traders = traders.map((trader, index) => ({ trader, slots: refs[index]!.get(OWN)! }));
    this.settle = Int32Array.from(traders, ({ compiled }) => compiled.settle);
    this.everyCandle = new Int32Array(Math.ceil(traders.length / 32));
    for (const [k, { compiled }] of traders.entries()) if (compiled.document.repeat === 'every-candle') this.everyCandle[k >> 5]! |= 1 << (k & 31);
    this.forming = traders.flatMap(({ compiled }, index) => (compiled.document.candles === 'forming' ? [index] : []));
    this.booked = traders.map(({ id, version, compiled }) => ({ id, version, name: compiled.document.name, settle: compiled.settle }));
    this.reads = this.traders.map(({ slots }) => readsOf(this.program.dag, slots, this.own.externals));
  }

  /** Per frame, for each node the equal node of another graph, or -1. */
  refsIn(other: ScreeningGraph): FrameRefs {
    let known = this.#refsIn.get(other);
    if (known === undefined) {
      const refs = new Map<string, Int32Array>();
      for (const { key, program } of this.frames) {
        const there = other.frames.find((frame) => frame.key === key);
        if (there !== undefined) refs.set(key, program.matchesIn(there.program, withPlaces(refs)));
      }
      this.#refsIn.set(other, (known = refs));
    }
    return known;
  }
}
