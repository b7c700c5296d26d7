import type { Interval } from '@trademind/core';
import type { NodeKind } from './node-kind.ts';
import { fold } from './program.ts';

/** The columns of a candle; a column's index is its slot in every graph. The open time is in ms of market time. */
export const COLUMNS = ['open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades', 'takerBuy', 'openTime'] as const;
export type Column = (typeof COLUMNS)[number];

/** A node of a Dag by its index; inputs always come before the nodes that read them. */
export type Ref = number;

export interface Computed {
  readonly kind: NodeKind;
  readonly inputs: readonly Ref[];
  /** Of a ring node: its capacity, which grows with what is asked of it. */
  params: readonly number[];
}
/** A value that another graph computes: the node `ref` of the frame's Dag. Whoever runs the program writes it before each run. */
export interface External { readonly frame: string; readonly ref: Ref }
export type Node = { readonly column: Column } | { readonly constant: number } | Computed | External;

/** Where the nodes of another graph's frames lie in this graph's frames of the same name. */
export type FrameRefs = ReadonlyMap<string, Int32Array>;
const NO_FRAMES: FrameRefs = new Map();

/**
 * Expressions over the candles of one interval, as a graph without repetition: asking for an equal node again gives the same Ref. Columns come first.
 */
export class Dag {
  readonly interval: Interval;
  readonly nodes: Node[] = COLUMNS.map((column) => ({ column }));
  /** Candles until a node's first value. */
  readonly first: number[] = COLUMNS.map(() => 1);
  /** Candles until a node has settled: lengths of nested nodes add up. */
  readonly settle: number[] = COLUMNS.map(() => 1);
  readonly #known = new Map<string, Ref>();

  constructor(interval: Interval = '1m') {
    this.interval = interval;
  }

  column(name: Column): Ref {
    return COLUMNS.indexOf(name);
  }

  constant(value: number): Ref {
    return this.#known.get(keyOfConstant(value)) ?? this.#add(keyOfConstant(value), { constant: value }, 1, 1);
  }

  /** The value of a constant node, undefined for others. */
  constantOf(ref: Ref): number | undefined {
    const node = this.nodes[ref]!;
    return 'constant' in node ? node.constant : undefined;
  }

  /** A value of another frame. It counts as settled: whether it is, its own frame knows. */
  external(frame: string, ref: Ref): Ref {
    return this.#known.get(keyOfExternal(frame, ref)) ?? this.#add(keyOfExternal(frame, ref), { frame, ref }, 1, 1);
  }

  /** A node known to be computed. */
  computed(ref: Ref): Computed {
    return this.nodes[ref] as Computed;
  }

  /** A computed node. One without memory whose inputs are all constant becomes a constant, by the very run that would compute it. */
  node(kind: NodeKind, inputs: readonly Ref[], params: readonly number[] = []): Ref {
    const key = keyOf(kind, inputs, params);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (kind.stateSize(params) === 0) {
      const constants = inputs.map((input) => this.constantOf(input)).filter((value) => value !== undefined);
      if (constants.length === inputs.length) return this.constant(fold(kind, params, constants));
    }
    let [first, settle] = [1, 1];
    for (const input of inputs) {
      first = Math.max(first, this.first[input]!);
      settle = Math.max(settle, this.settle[input]!);
    }
    return this.#add(key, { kind, inputs, params }, first - 1 + kind.first(params), settle - 1 + kind.settle(params));
  }

  /** A ring node of at least this capacity (a power of two): one serves all who ask. */
  ring(kind: NodeKind, inputs: readonly Ref[], capacity: number): Ref {
    const known = this.#known.get(keyOf(kind, inputs, []));
    if (known === undefined) return this.#add(keyOf(kind, inputs, []), { kind, inputs, params: [capacity] }, this.first[inputs[0]!]!, this.settle[inputs[0]!]!);
    const node = this.computed(known);
    if (node.params[0]! < capacity) node.params = [capacity];
    return known;
  }

  /** Doubles of state that all of it takes for one series. */
  get stateSize(): number {
    return this.nodes.reduce((sum, node) => ('kind' in node ? sum + node.kind.stateSize(node.params) : sum), 0);
  }

  /** The node here that equals one of another graph whose inputs are mapped by `refs` and `frames`; -1 if there is none. */
  find(node: Node, refs: Int32Array, frames: FrameRefs = NO_FRAMES): Ref {
    if ('column' in node) return this.column(node.column);
    if ('frame' in node) return this.#known.get(keyOfExternal(node.frame, frames.get(node.frame)?.[node.ref] ?? -1)) ?? -1;
    if ('constant' in node) return this.#known.get(keyOfConstant(node.constant)) ?? -1;
    const inputs = node.inputs.map((input) => refs[input]!);
    return inputs.includes(-1) ? -1 : this.#known.get(keyOf(node.kind, inputs, node.kind.ring === undefined ? node.params : [])) ?? -1;
  }

  /** Takes in the nodes of another graph, all or those that `roots` need, whose frames were taken in before; the answer gives each its Ref here (-1: not taken). */
  merge(other: Dag, roots?: Iterable<Ref>, frames: FrameRefs = NO_FRAMES): Int32Array {
    const wanted = new Uint8Array(other.nodes.length).fill(roots === undefined ? 1 : 0);
    for (const root of roots ?? []) wanted[root] = 1;
    for (let index = other.nodes.length - 1; index >= 0; index--) {
      const node = other.nodes[index]!;
      if (wanted[index] === 1 && 'kind' in node) for (const input of node.inputs) wanted[input] = 1;
    }
    const refs = new Int32Array(other.nodes.length).fill(-1);
    for (const [index, node] of other.nodes.entries()) {
      if (wanted[index] === 0) continue;
      if ('column' in node) refs[index] = this.column(node.column);
      else if ('constant' in node) refs[index] = this.constant(node.constant);
      else if ('frame' in node) refs[index] = this.external(node.frame, frames.get(node.frame)![node.ref]!);
      else {
        const inputs = node.inputs.map((input) => refs[input]!);
        refs[index] = node.kind.ring === undefined ? this.node(node.kind, inputs, node.params) : this.ring(node.kind, inputs, node.params[0]!);
      }
    }
    return refs;
  }

  #add(key: string, node: Node, first: number, settle: number): Ref {
    const ref = this.nodes.push(node) - 1;
    this.first.push(first);
    this.settle.push(settle);
    this.#known.set(key, ref);
    return ref;
  }
}

const keyOf = (kind: NodeKind, inputs: readonly Ref[], params: readonly number[]): string => `${kind.name}(${inputs.join(',')};${params.join(',')})`;
const keyOfConstant = (value: number): string => (Object.is(value, -0) ? '-0' : String(value));
const keyOfExternal = (frame: string, ref: Ref): string => `${frame}!${ref}`;
