import { checksumOfText } from '../checksum.ts';
import { layKernelCode, type Step } from '../kernels/kernel-code.ts';
import { CHECK, CHECK_WIDTH } from '../kernels/kernel-codes.ts';
import { KernelMemory } from '../kernels/kernel-memory.ts';
import type { Dag, FrameRefs, Ref } from './dag.ts';
import { MAX_BLOCK, type Block, type NodeKind, type Run } from './node-kind.ts';

/** Nodes with one run that can be worked off one after the other, as rows of the code. */
interface Batch { readonly refs: readonly Ref[]; readonly run: Run; readonly recount: Run | undefined; readonly from: number; readonly to: number }

interface Copies {
  readonly runs: readonly (readonly [at: number, goal: number, length: number])[];
  readonly rings: readonly { readonly at: number; readonly goal: number; readonly width: number; readonly here: number; readonly there: number }[];
}

/**
 * A Dag laid out to run: slot k of the values belongs to node k, every node with memory has its place in the state, and nodes of one kind that do
 * not wait for each other run in one loop.
 */
export class Program {
  readonly dag: Dag;
  readonly slots: number;
  /** Doubles of state that one series needs. */
  readonly stateSize: number;
  /** Values of one candle and of a block, constants filled in. Series have a state each but share these: they hold until the next run. */
  readonly values: Float64Array;
  readonly blockValues: Float64Array;
  /** Where the state of each node begins. */
  readonly stateAt: Int32Array;
  /** Rows of values one cell wide, and MAX_BLOCK wide. */
  readonly #live: Int32Array;
  readonly #wide: Int32Array;
  readonly #batches: readonly Batch[];
  /** Where everything lies if the kernels run what they can, and the steps of a candle and of a block. */
  readonly #memory: KernelMemory | undefined;
  readonly #liveSteps: readonly Step[];
  readonly #wideSteps: readonly Step[];
  readonly #block: Block;
  readonly #initial: Float64Array;
  #scratch: Float64Array | undefined;
  readonly #copied = new WeakMap<Int32Array, Copies>();
  #fingerprint: string | undefined;

  /**
   * @param idle 1: a node that is not to be computed; nothing that is reads it.
   * @param lasting it will run for long: what can be is run by the kernels, to the same last digit.
   */
  constructor(dag: Dag, idle?: Uint8Array, lasting = false) {
    this.dag = dag;
    this.#memory = lasting ? KernelMemory.ofThread() : undefined;
    this.slots = dag.nodes.length;
    this.stateAt = new Int32Array(this.slots).fill(-1);
    const live: number[] = [];
    const wide: number[] = [];
    const reals: number[] = [];
    const batches: Batch[] = [];
    const realsAt = new Int32Array(this.slots);
    const order = schedule(dag, idle);
    this.stateSize = this.#placeStates(order.flat());
    for (const refs of order) {
      const { run, recount } = dag.computed(refs[0]!).kind;
      const from = live.length;
      for (const ref of refs) {
        const { kind, inputs, params } = dag.computed(ref);
        const size = this.stateAt[ref]!;
        realsAt[ref] = reals.length;
        for (const [cells, width] of [[live, 1], [wide, MAX_BLOCK]] as const) {
          cells.push(ref * width, size, reals.length, ...params.map((param) => Math.trunc(param)), ...inputs.flatMap((input) => this.#cellsOf(input, width)));
        }
        reals.push(...(kind.reals?.(params) ?? []));
      }
      batches.push({ refs, run, recount, from, to: live.length });
    }
    this.#initial = new Float64Array(this.stateSize);
    for (const [ref, node] of dag.nodes.entries()) if ('kind' in node && this.stateAt[ref]! >= 0) node.kind.start?.(this.#initial, this.stateAt[ref]!, node.params);
    this.#live = Int32Array.from(live);
    this.#wide = Int32Array.from(wide);
    this.#batches = batches;
    this.values = this.#newValues(1);
    this.blockValues = this.#newValues(MAX_BLOCK);
    const k = this.#doubles(reals.length);
    k.set(reals);
    this.#block = { v: EMPTY, s: EMPTY, k, count: 1, t: 0 };
    const laid: (Float64Array | Int32Array)[] = [k, this.values, this.blockValues];
    const steps = (values: Float64Array, width: number): readonly Step[] => {
      if (this.#memory === undefined) return batches;
      const { code, steps } = layKernelCode(this.#memory, dag, batches, width, { values: values.byteOffset, reals: Array.from(realsAt, (at) => k.byteOffset + at * 8), stateAt: this.stateAt });
      laid.push(code);
      return steps;
    };
    this.#liveSteps = steps(this.values, 1);
    this.#wideSteps = steps(this.blockValues, MAX_BLOCK);
    this.#memory?.releaseWith(this, laid);
  }

  /**
   * Gives each of these nodes its place in the state; the doubles that takes. What is small lies together, in the order in which it runs: a symbol's state has left the processor's caches when
   * its next candle comes, and each line that is read costs.
   */
  #placeStates(refs: readonly Ref[]): number {
    let size = 0;
    for (const isSmall of [true, false]) {
      for (const ref of refs) {
        const { kind, params } = this.dag.computed(ref);
        const length = kind.stateSize(params);
        if (length <= SMALL !== isSmall) continue;
        this.stateAt[ref] = size;
        size += length;
      }
    }
    return size;
  }

  #doubles(length: number): Float64Array {
    return this.#memory?.doubles(length) ?? new Float64Array(length);
  }

  #integers(length: number): Int32Array {
    return this.#memory?.integers(length) ?? new Int32Array(length);
  }

  #cellsOf(input: Ref, width: number): number[] {
    const node = this.dag.nodes[input]!;
    return 'kind' in node && node.kind.ring !== undefined ? [input * width, this.stateAt[input]! + node.kind.ring.head, node.params[0]! - 1] : [input * width];
  }

  /** The state of a series that has seen no candle; if the program is a lasting one, `releaseState` must be told when it is no longer needed. */
  newState(): Float64Array {
    const s = this.#doubles(this.stateSize);
    s.set(this.#initial);
    return s;
  }

  /** A copy of a state, good until the next one is asked for. */
  scratch(s: Float64Array): Float64Array {
    if (this.#scratch === undefined) {
      this.#scratch = this.#doubles(this.stateSize);
      this.#memory?.releaseWith(this, [this.#scratch]);
    }
    this.#scratch.set(s);
    return this.#scratch;
  }

  releaseState(s: Float64Array): void {
    this.#memory?.release(s);
  }

  /** Row k of values of this width belongs to node k. */
  #newValues(width: number): Float64Array {
    const v = this.#doubles(this.slots * width).fill(Number.NaN);
    for (const [slot, node] of this.dag.nodes.entries()) if ('constant' in node) v.fill(node.constant, slot * width, (slot + 1) * width);
    return v;
  }

  /** Runs all nodes over one candle, the t-th of its series, whose columns are in `values`. */
  run(s: Float64Array, t: number): void {
    this.#run(this.#liveSteps, this.#live, this.values, s, 1, t);
  }

  /** Runs all nodes over `count` candles (at most MAX_BLOCK), the first being the t-th of its series, whose columns are in `blockValues`. */
  runBlock(s: Float64Array, count: number, t: number): void {
    this.#run(this.#wideSteps, this.#wide, this.blockValues, s, count, t);
  }

  /**
   * Makes checks of whole blocks ready, CHECK_WIDTH cells each. The answer, called with the last block's count of candles, gives for each check on which of them it holds: bit i for the i-th.
   * Good until it is called again.
   */
  checks(asked: Int32Array): (count: number) => Int32Array {
    const answers = this.#integers(asked.length / CHECK_WIDTH);
    const v = this.blockValues;
    if (this.#memory === undefined) {
      return (count) => {
        for (let k = 0; k < answers.length; k++) answers[k] = bitsOf(v, asked[k * CHECK_WIDTH]!, asked[k * CHECK_WIDTH + 1]! * MAX_BLOCK, asked[k * CHECK_WIDTH + 2]! * MAX_BLOCK, count);
        return answers;
      };
    }
    const code = this.#integers(asked.length);
    code.set(asked.map((cell, index) => (index % CHECK_WIDTH === 0 ? cell : v.byteOffset + cell * ROW)));
    this.#memory.releaseWith(this, [code, answers]);
    return (count) => {
      this.#memory!.kernels.check(code.byteOffset, code.byteOffset + code.byteLength, answers.byteOffset, count);
      return answers;
    };
  }

  #run(steps: readonly Step[], code: Int32Array, v: Float64Array, s: Float64Array, count: number, t: number): void {
    if (s.length !== this.stateSize) throw new Error('This state is none of this program, or was given back.');
    const block = this.#block;
    block.v = v;
    block.s = s;
    block.count = count;
    block.t = t | 0; // an ordinal comes out of a Float64Array: runs address rings by it
    for (let b = 0; b < steps.length; b++) {
      const { run, from, to } = steps[b]!;
      if (run === undefined) this.#memory!.kernels.run(from, to, s.byteOffset, count, t | 0);
      else run(block, code, from, to);
    }
  }

  /** The same for programs that compute the same nodes in the same order with the same layout of state. */
  get fingerprint(): string {
    return this.#fingerprint ??= checksumOfText(this.dag.nodes.map((node, ref) => ('kind' in node ? `${node.kind.name}(${node.inputs.join(',')};${node.params.join(',')})@${this.stateAt[ref]}` : JSON.stringify(node))).join('\n')).toString(16);
  }

  /** For each node the equal node of another program, or -1: what state can be carried over when a graph changes. */
  matchesIn(other: Program, frames?: FrameRefs): Int32Array {
    const refs = new Int32Array(this.slots).fill(-1);
    for (const [ref, node] of this.dag.nodes.entries()) refs[ref] = other.dag.find(node, refs, frames);
    return refs;
  }

  /** Copies the state of the nodes that `refs` maps from this program to another's. Of a ring as much as both have: the candles before `t`. */
  carry(refs: Int32Array, from: Float64Array, to: Float64Array, program: Program, t: number): void {
    const { runs, rings } = this.#copies(refs, program);
    for (const [at, goal, length] of runs) to.set(from.subarray(at, at + length), goal);
    for (const { at, goal, width, here, there } of rings) {
      for (let back = 1; back <= Math.min(here, there); back++) {
        for (let k = 0; k < width; k++) to[goal + ((t - back) & (there - 1)) * width + k] = from[at + ((t - back) & (here - 1)) * width + k]!;
      }
    }
  }

  /** What `carry` copies: runs of doubles as they lie, and rings whose capacity differs. */
  #copies(refs: Int32Array, program: Program): Copies {
    const known = this.#copied.get(refs);
    if (known !== undefined) return known;
    const runs: [at: number, goal: number, length: number][] = [];
    const rings: Copies['rings'][number][] = [];
    const order = [...this.dag.nodes.keys()].filter((ref) => refs[ref]! >= 0 && this.stateAt[ref]! >= 0 && program.stateAt[refs[ref]!]! >= 0).sort((a, b) => this.stateAt[a]! - this.stateAt[b]!);
    for (const ref of order) {
      const { kind, params } = this.dag.computed(ref);
      const at = this.stateAt[ref]!;
      const goal = program.stateAt[refs[ref]!]!;
      const here = params[0]!;
      const there = program.dag.computed(refs[ref]!).params[0]!;
      const whole = kind.ring === undefined || here === there;
      const length = whole ? kind.stateSize(params) : kind.ring!.head;
      if (!whole) rings.push({ at: at + length, goal: goal + length, width: kind.ring!.width, here, there });
      const last = runs.at(-1);
      if (last !== undefined && last[0] + last[2] === at && last[1] + last[2] === goal) last[2] += length;
      else if (length > 0) runs.push([at, goal, length]);
    }
    const copies = { runs, rings };
    this.#copied.set(refs, copies);
    return copies;
  }

  /** Brings what follows from rings into line with them, after `carry`. */
  recount(s: Float64Array, t: number): void {
    const block: Block = { ...this.#block, v: this.values, s, count: 1, t };
    for (const { recount, from, to } of this.#batches) recount?.(block, this.#live, from, to);
  }
}

const EMPTY = new Float64Array(0);
/** Doubles of a state that is small: a line of the processor's cache. */
const SMALL = 8;
/** Bytes of a row of a block's values. */
const ROW = MAX_BLOCK * 8;

/** A check on rows that begin at a and b. */
function bitsOf(v: Float64Array, asked: number, a: number, b: number, count: number): number {
  let bits = 0;
  for (let i = 0; i < count; i++) bits |= Number(asked === CHECK.holds ? v[a + i] === 1 : asked === CHECK.greater ? v[a + i]! > v[b + i]! : v[a + i]! >= v[b + i]!) << i;
  return bits;
}

/** Runs a kind without memory on constants. */
export function fold(kind: NodeKind, params: readonly number[], inputs: readonly number[]): number {
  const out = inputs.length;
  const v = Float64Array.from([...inputs, Number.NaN]);
  const code = Int32Array.from([out, 0, 0, ...params.map((param) => Math.trunc(param)), ...inputs.map((_, slot) => slot)]);
  kind.run({ v, s: EMPTY, k: Float64Array.from(kind.reals?.(params) ?? []), count: 1, t: 0 }, code, 0, code.length);
  return v[out]!;
}

/**
 * The nodes in batches: each has one run, and comes after all that it reads. Few batches cost little, so a run waits as long as more nodes of it will
 * come and something else can be done; what stands at the beginning of the longest way goes first.
 */
function schedule(dag: Dag, idle?: Uint8Array): Ref[][] {
  const waitsFor = new Int32Array(dag.nodes.length);
  const readers: Ref[][] = dag.nodes.map(() => []);
  const height = new Int32Array(dag.nodes.length);
  const left = new Map<Run, number>();
  const ready = new Map<Run, Ref[]>();
  const release = (ref: Ref): void => {
    const { run } = dag.computed(ref).kind;
    const refs = ready.get(run);
    if (refs === undefined) ready.set(run, [ref]);
    else refs.push(ref);
  };
  for (const [ref, node] of dag.nodes.entries()) {
    if (!('kind' in node) || idle?.[ref] === 1) continue;
    left.set(node.kind.run, (left.get(node.kind.run) ?? 0) + 1);
    for (const input of node.inputs) {
      if (!('kind' in dag.nodes[input]!)) continue;
      waitsFor[ref]!++;
      readers[input]!.push(ref);
    }
    if (waitsFor[ref] === 0) release(ref);
  }
  for (let ref = dag.nodes.length - 1; ref >= 0; ref--) height[ref] = Math.max(0, ...readers[ref]!.map((reader) => height[reader]! + 1));

  const batches: Ref[][] = [];
  while (ready.size > 0) {
    let run: Run | undefined;
    let highest = -1;
    for (const [candidate, refs] of ready) {
      const reach = refs.length === left.get(candidate) ? Infinity : Math.max(...refs.map((ref) => height[ref]!));
      if (reach > highest) [run, highest] = [candidate, reach];
    }
    const refs = ready.get(run!)!;
    ready.delete(run!);
    left.set(run!, left.get(run!)! - refs.length);
    batches.push(refs);
    for (const ref of refs) for (const reader of readers[ref]!) if (--waitsFor[reader]! === 0) release(reader);
  }
  return batches;
}
