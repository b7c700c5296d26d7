import type { NodeKind } from './node-kind.ts';

/** The columns of a candle that expressions read; a column's index is its slot in every graph. */
export const COLUMNS = ['open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades', 'takerBuy'] as const;
export type Column = (typeof COLUMNS)[number];

/** A node of a Dag by its index; inputs always come before the nodes that read them. */
export type Ref = number;

export interface Computed {
  readonly kind: NodeKind;
  readonly inputs: readonly Ref[];
  readonly params: readonly number[];
}
export type Node = { readonly column: Column } | { readonly constant: number } | Computed;

const NO_STATE = new Float64Array(0);

/** Expressions as a graph without repetition: asking for an equal node again gives the same Ref. Columns are nodes 0 to 7. */
export class Dag {
  readonly nodes: Node[] = COLUMNS.map((column) => ({ column }));
  /** Candles until a node's first value. */
  readonly first: number[] = COLUMNS.map(() => 1);
  /** Candles until a node has settled: lengths of nested nodes add up. */
  readonly settle: number[] = COLUMNS.map(() => 1);
  readonly #known = new Map<string, Ref>();

  column(name: Column): Ref {
    return COLUMNS.indexOf(name);
  }

  constant(value: number): Ref {
    return this.findConstant(value) ?? this.#add(keyOfConstant(value), { constant: value }, 1, 1);
  }

  findConstant(value: number): Ref | undefined {
    return this.#known.get(keyOfConstant(value));
  }

  /** The value of a constant node, undefined for others. */
  constantOf(ref: Ref): number | undefined {
    const node = this.nodes[ref]!;
    return 'constant' in node ? node.constant : undefined;
  }

  /** A computed node. One without memory whose inputs are all constant becomes a constant, by the very step that would compute it. */
  node(kind: NodeKind, inputs: readonly Ref[], params: readonly number[] = []): Ref {
    const key = keyOf(kind, inputs, params);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const constants = inputs.map((input) => this.constantOf(input));
    if (kind.stateSize(params) === 0 && constants.every((value) => value !== undefined)) {
      const out = constants.length;
      const v = Float64Array.from([...constants, 0]);
      kind.bind({ inputs: constants.map((_, index) => index), params, out, state: 0 })(v, NO_STATE, 1, 1);
      return this.constant(v[out]!);
    }
    const after = (lengths: readonly number[]): number => Math.max(1, ...inputs.map((input) => lengths[input]!)) - 1;
    return this.#add(key, { kind, inputs, params }, after(this.first) + kind.first(params), after(this.settle) + kind.settle(params));
  }

  /** The Ref of an equal computed node, if there is one. */
  find(kind: NodeKind, inputs: readonly Ref[], params: readonly number[]): Ref | undefined {
    return this.#known.get(keyOf(kind, inputs, params));
  }

  /** Takes in the nodes of another graph, all or those that `roots` need; the answer gives each its Ref here (-1: not taken). */
  merge(other: Dag, roots?: Iterable<Ref>): Int32Array {
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
      else refs[index] = this.node(node.kind, node.inputs.map((input) => refs[input]!), node.params);
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
