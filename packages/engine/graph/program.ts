import type { Dag, Ref } from './dag.ts';
import type { Step } from './node-kind.ts';

/** A Dag laid out to run: slot k of the values belongs to node k; every node with memory has its place in the state. */
export class Program {
  readonly dag: Dag;
  readonly steps: readonly Step[];
  /** Doubles of values and of state that one series needs. */
  readonly slots: number;
  readonly stateSize: number;
  /** Where the state of each node begins; -1 for columns and constants. */
  readonly stateAt: Int32Array;

  constructor(dag: Dag) {
    this.dag = dag;
    this.slots = dag.nodes.length;
    this.stateAt = new Int32Array(this.slots).fill(-1);
    const steps: Step[] = [];
    let size = 0;
    for (const [out, node] of dag.nodes.entries()) {
      if (!('kind' in node)) continue;
      this.stateAt[out] = size;
      steps.push(node.kind.bind({ inputs: node.inputs, params: node.params, out, state: size }));
      size += node.kind.stateSize(node.params);
    }
    this.steps = steps;
    this.stateSize = size;
  }

  /** The state of a series that has seen no candle. */
  newState(): Float64Array {
    const s = new Float64Array(this.stateSize);
    for (const [out, node] of this.dag.nodes.entries()) if ('kind' in node) node.kind.start?.(s, this.stateAt[out]!, node.params);
    return s;
  }

  /** Values for blocks of `stride` candles, constants filled in. */
  newValues(stride: number): Float64Array {
    const v = new Float64Array(this.slots * stride).fill(Number.NaN);
    for (const [slot, node] of this.dag.nodes.entries()) if ('constant' in node) v.fill(node.constant, slot * stride, (slot + 1) * stride);
    return v;
  }

  /** Runs all nodes over the first `count` candles of the block in `v`. */
  run(v: Float64Array, s: Float64Array, stride: number, count: number): void {
    const steps = this.steps;
    for (let k = 0; k < steps.length; k++) steps[k]!(v, s, stride, count);
  }

  /** For each node the equal node of another program, or -1: what state can be carried over when a graph changes. */
  matchesIn(other: Program): Int32Array {
    const refs = new Int32Array(this.slots).fill(-1);
    for (const [index, node] of this.dag.nodes.entries()) {
      if ('column' in node) refs[index] = other.dag.column(node.column);
      else if ('constant' in node) refs[index] = other.dag.findConstant(node.constant) ?? -1;
      else if (node.inputs.every((input) => refs[input]! >= 0)) refs[index] = other.dag.find(node.kind, node.inputs.map((input) => refs[input]!), node.params) ?? -1;
    }
    return refs;
  }

  /** Copies state and last values (stride 1) of the nodes that `refs` maps from this program into `to`. */
  carry(refs: Int32Array, from: { v: Float64Array; s: Float64Array }, to: { v: Float64Array; s: Float64Array; program: Program }): void {
    for (const [ref, node] of this.dag.nodes.entries()) {
      const target: Ref = refs[ref]!;
      if (target < 0 || !('kind' in node)) continue;
      const at = this.stateAt[ref]!;
      to.s.set(from.s.subarray(at, at + node.kind.stateSize(node.params)), to.program.stateAt[target]!);
      to.v[target] = from.v[ref]!;
    }
  }
}
