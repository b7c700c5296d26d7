import { Dag } from '../graph/dag.ts';
import { Program } from '../graph/program.ts';
import type { CompiledTrader } from '../language/compile-trader.ts';

/** A trader the screener runs. One object per id and version: lanes compare traders by identity. */
export interface ActiveTrader {
  readonly id: string;
  readonly version: number;
  readonly compiled: CompiledTrader;
}

/** A trader inside a graph: where its nodes lie. */
export interface LinkedTrader {
  readonly trader: ActiveTrader;
  /** Slot of each node of its compiled graph. */
  readonly slots: Int32Array;
}

/** The graph of several traders together: what they share is there once. Symbols that are screened by the same traders share one. */
export class ScreeningGraph {
  readonly traders: readonly LinkedTrader[];
  readonly program: Program;
  /** Per trader: slot of its verdict, candles it needs to settle, 1 where every candle counts instead of edges. */
  readonly when: Int32Array;
  readonly settle: Int32Array;
  readonly everyCandle: Uint8Array;
  readonly #refsIn = new WeakMap<ScreeningGraph, Int32Array>();

  constructor(traders: readonly ActiveTrader[]) {
    const dag = new Dag();
    this.traders = traders.map((trader) => ({ trader, slots: dag.merge(trader.compiled.dag) }));
    this.program = new Program(dag);
    this.when = Int32Array.from(this.traders, ({ trader, slots }) => slots[trader.compiled.when]!);
    this.settle = Int32Array.from(traders, ({ compiled }) => compiled.settle);
    this.everyCandle = Uint8Array.from(traders, ({ compiled }) => (compiled.document.repeat === 'every-candle' ? 1 : 0));
  }

  /** For each node the equal node of another graph, or -1. */
  refsIn(other: ScreeningGraph): Int32Array {
    let refs = this.#refsIn.get(other);
    if (refs === undefined) this.#refsIn.set(other, (refs = this.program.matchesIn(other.program)));
    return refs;
  }
}
