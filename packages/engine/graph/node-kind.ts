/**
 * What a run works on: the values and the state of one series over a block of candles. A live candle is a block of one, a warm-up a sequence of
 * longer blocks: the same code runs both, so they are equal bit for bit.
 */
export interface Block {
  /** Values, a row per node: what it is worth on the block's i-th candle is i cells behind its row's begin. Numbers: NaN = not ready. Conditions: 1 holds, 0 does not, NaN = not ready. */
  v: Float64Array;
  /** The state of every node. */
  s: Float64Array;
  /** The program's constants that are no whole numbers. */
  k: Float64Array;
  /** Candles in the block: 1 to MAX_BLOCK. */
  count: number;
  /** Ordinal of the block's first candle in its series: rings are addressed by it. */
  t: number;
}

/** Candles that one block may have: every ring is so much longer than what is read back from it. */
export const MAX_BLOCK = 32;

/**
 * Runs all instances of one kind whose inputs are ready, one after the other, over a block. `code` has one row of cells per instance, from
 * `from` to before `to`:
 *
 *     out, state, reals, params …, inputs …
 *
 * `out` and plain inputs are where rows begin in `v`; `state` is where the instance's state begins in `s`; `reals` where its constants begin in `k`; params are whole numbers.
 * An input that is a ring node (a history, sums …) takes three cells: its row, where its ring begins in `s`, and the ring's mask. A run reads its
 * inputs, writes its own row, and allocates nothing.
 */
export type Run = (block: Block, code: Int32Array, from: number, to: number) => void;

/** Cells before the params. */
export const HEAD = 3;

/** What a node can be. A node is a kind with inputs and constant parameters; equal nodes are computed once. */
export interface NodeKind {
  readonly name: string;
  /** Doubles of state per series. Zero-filled before `start`. */
  stateSize(params: readonly number[]): number;
  /** Candles (of ready input) until the first value: 1 = at once. */
  first(params: readonly number[]): number;
  /** Candles (of settled input) until the effect of the start is below 1e-6. */
  settle(params: readonly number[]): number;
  /** Writes the initial state where zeros will not do. */
  start?(s: Float64Array, at: number, params: readonly number[]): void;
  /** Constants that a run reads from `k`. */
  reals?(params: readonly number[]): readonly number[];
  /**
   * Set for a ring node: doubles per candle. Its only param is the ring's capacity, a power of two that grows with what is asked of it, and
   * its state is `head` doubles and then the ring, in which the candle of ordinal t lies at (t & (capacity − 1)) × width.
   */
  readonly ring?: { readonly head: number; readonly width: number };
  readonly run: Run;
  /** The number in `KERNEL` of the same run compiled ahead of time, where there is one. */
  readonly kernel?: number;
  /** Computes the state anew from the rings that it follows from, the last candle being t − 1: called when rings were joined. */
  readonly recount?: Run;
}

const one = (): number => 1;

/** A kind without memory: its value follows from this candle's inputs alone. */
export const pure = (name: string, run: Run, kernel?: number): NodeKind => ({ name, stateSize: () => 0, first: one, settle: one, run, ...(kernel !== undefined && { kernel }) });
