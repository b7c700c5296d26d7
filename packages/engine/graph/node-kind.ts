/**
 * Runs one node over `count` candles. `v` holds values slot by slot: the value of slot k at the i-th candle of the block is
 * `v[k * stride + i]`; `s` holds the state of every node. A live candle is a block of one (stride 1), a warm-up a block of many: the same
 * code runs both, so they are equal bit for bit. A step reads its inputs, writes its own slot, and allocates nothing.
 *
 * Numbers: NaN = not ready. Conditions: 1 holds, 0 does not, NaN = not ready.
 */
export type Step = (v: Float64Array, s: Float64Array, stride: number, count: number) => void;

/** Where a node's inputs, output and state lie. `inputs` and `out` are slots, `state` is an index into `s`. */
export interface Place {
  readonly inputs: readonly number[];
  readonly params: readonly number[];
  readonly out: number;
  readonly state: number;
}

/** What a node can be. A node is a kind with inputs and constant parameters; equal nodes are computed once. */
export interface NodeKind {
  readonly name: string;
  /** Doubles of state per symbol. Zero-filled before `start`. */
  stateSize(params: readonly number[]): number;
  /** Candles (of ready input) until the first value: 1 = at once. */
  first(params: readonly number[]): number;
  /** Candles (of settled input) until the effect of the start is below 1e-6. */
  settle(params: readonly number[]): number;
  /** Writes the initial state where zeros will not do. */
  start?(s: Float64Array, at: number, params: readonly number[]): void;
  bind(place: Place): Step;
}

/** A kind without memory: its value follows from this candle's inputs alone. */
export function pure(name: string, bind: (place: Place) => Step): NodeKind {
  return { name, stateSize: () => 0, first: () => 1, settle: () => 1, bind };
}

/** A pure kind of two inputs; `bind` gets their slots and its own. */
export function binary(name: string, bind: (a: number, b: number, out: number) => Step): NodeKind {
  return pure(name, ({ inputs, out }) => bind(inputs[0]!, inputs[1]!, out));
}

/** A pure kind of one input. */
export function unary(name: string, bind: (a: number, out: number) => Step): NodeKind {
  return pure(name, ({ inputs, out }) => bind(inputs[0]!, out));
}
