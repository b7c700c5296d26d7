import type { Dag, Ref } from '../graph/dag.ts';
import { and, greater, greaterOrEqual } from '../graph/logic.ts';
import type { Program } from '../graph/program.ts';
import { CHECK, CHECK_WIDTH } from '../kernels/kernel-codes.ts';
import type { CompiledTrader } from '../language/compile-trader.ts';

/** Here, for each candle asks them of memory that has left the processor's caches. */
const { holds: HOLDS, greater: GREATER } = CHECK;
const WIDTH = CHECK_WIDTH;

/**
 * The verdicts of traders. Most are conjunctions that fail at once, so they are no nodes of the program: the parts of one are checked one after the other until one fails, and a comparison that
 * nobody else reads is made only then. Traders whose first check is the same are a group: where it fails, none of them is looked at.
 */
export class Verdicts {
  /** 1: this node is only looked at here; the program leaves it out. */
  readonly idle: Uint8Array;
  /** Every distinct check, CHECK_WIDTH cells each: whether a condition that the program has computed holds, or a comparison that it has not. And per group the number of its first one. */
  readonly #checks: Int32Array;
  readonly #firsts: Int32Array;
  /** Per group where its traders begin among the members, group after group; one more for the end. */
  readonly #groups: Int32Array;
  readonly #members: Int32Array;
  /** Per trader where its checks begin in `parts`, which says their numbers; one more for the end. */
  readonly #starts: Int32Array;
  readonly #parts: Int32Array;
  /** Per trader: the idle nodes among its conditions, which hold where it matches. */
  readonly #implied: readonly Int32Array[];
  /** What `now` and `over` answer, and what `over` writes. */
  readonly #words: Int32Array;
  readonly masks: Int32Array;
  /** Answers all checks on the program's last block. */
  #ask: ((count: number) => Int32Array) | undefined;

  /**
   * @param traders each with the slot of each node of its compiled graph.
   * @param whole no node is to be left out, so that all can be shown.
   */
  constructor(dag: Dag, traders: readonly { compiled: CompiledTrader; slots: Int32Array }[], whole: boolean) {
    const conjunctions = traders.map(({ compiled, slots }) => partsOf(dag, slots[compiled.when]!));
    this.idle = whole ? new Uint8Array(dag.nodes.length) : idleNodes(dag, traders, conjunctions);
    const checks: number[] = [];
    const known = new Map<Ref, number>();
    const numberOf = (leaf: Ref): number => {
      let number = known.get(leaf);
      if (number === undefined) {
        known.set(leaf, (number = known.size));
        const { kind, inputs } = dag.computed(leaf);
        checks.push(...(this.idle[leaf] === 0 ? [CHECK.holds, leaf, leaf] : [kind === greater ? CHECK.greater : CHECK.greaterOrEqual, inputs[0]!, inputs[1]!]));
      }
      return number;
    };
    const parts: number[] = [];
    const starts: number[] = [0];
    const groups = new Map<number, number[]>();
    for (const [k, { leaves }] of conjunctions.entries()) {
      // What is computed anyway is the cheaper question, and often the rarer event: a crossing.
      const [first, ...rest] = [...leaves].sort((a, b) => this.idle[a]! - this.idle[b]!).map(numberOf);
      parts.push(...rest);
      starts.push(parts.length);
      const group = groups.get(first!);
      if (group === undefined) groups.set(first!, [k]);
      else group.push(k);
    }
    this.#checks = Int32Array.from(checks);
    this.#firsts = Int32Array.from(groups.keys());
    this.#members = Int32Array.from([...groups.values()].flat());
    let end = 0;
    this.#groups = Int32Array.from([0, ...[...groups.values()].map(({ length }) => (end += length))]);
    this.#starts = Int32Array.from(starts);
    this.#parts = Int32Array.from(parts);
    this.#implied = conjunctions.map(({ nodes }) => Int32Array.from([...nodes].filter((node) => this.idle[node] === 1)));
    this.#words = new Int32Array(Math.ceil(traders.length / 32));
    this.masks = new Int32Array(traders.length);
  }

  /** Which verdicts hold on the candle whose values these are: bit k & 31 of the word k >> 5. Good until the next call. */
  now(v: Float64Array): Int32Array {
    const words = this.#words;
    words.fill(0);
    const firsts = this.#firsts;
    for (let g = 0; g < firsts.length; g++) {
      if (!this.#holds(firsts[g]!, v)) continue;
      for (let m = this.#groups[g]!, end = this.#groups[g + 1]!; m < end; m++) {
        const k = this.#members[m]!;
        let part = this.#starts[k]!;
        const last = this.#starts[k + 1]!;
        while (part < last && this.#holds(this.#parts[part]!, v)) part++;
        if (part === last) words[k >> 5]! |= 1 << (k & 31);
      }
    }
    return words;
  }

  #holds(check: number, v: Float64Array): boolean {
    const checks = this.#checks;
    const at = check * WIDTH;
    const asked = checks[at]!;
    const x = v[checks[at + 1]!]!;
    return asked === HOLDS ? x === 1 : asked === GREATER ? x > v[checks[at + 2]!]! : x >= v[checks[at + 2]!]!;
  }

  /**
   * Writes into `masks` on which of the program's last block of `count` candles each verdict holds: bit i for the i-th. The answer says which do at all, as that of `now`. Good until the
   * next call.
   */
  over(program: Program, count: number): Int32Array {
    const bits = (this.#ask ??= program.checks(this.#checks))(count);
    const { masks } = this;
    const words = this.#words;
    words.fill(0);
    for (let g = 0; g < this.#firsts.length; g++) {
      const first = bits[this.#firsts[g]!]!;
      for (let m = this.#groups[g]!, end = this.#groups[g + 1]!; m < end; m++) {
        const k = this.#members[m]!;
        let held = first;
        for (let part = this.#starts[k]!; held !== 0 && part < this.#starts[k + 1]!; part++) held &= bits[this.#parts[part]!]!;
        masks[k] = held;
        if (held !== 0) words[k >> 5]! |= 1 << (k & 31);
      }
    }
    return words;
  }

  /** Where a trader matches, all parts of its verdict hold: writes so for those that were left out. */
  write(k: number, v: Float64Array, width: number, i: number): void {
    for (const node of this.#implied[k]!) v[node * width + i] = 1;
  }
}

interface Parts { readonly leaves: readonly Ref[]; readonly nodes: ReadonlySet<Ref> }

/** The conditions that a verdict is the conjunction of, and all nodes of that conjunction. */
function partsOf(dag: Dag, verdict: Ref): Parts {
  const leaves: Ref[] = [];
  const nodes = new Set<Ref>();
  const visit = (ref: Ref): void => {
    if (nodes.has(ref)) return;
    nodes.add(ref);
    const node = dag.nodes[ref]!;
    if ('kind' in node && node.kind === and) for (const input of node.inputs) visit(input);
    else leaves.push(ref);
  };
  visit(verdict);
  return { leaves, nodes };
}

function idleNodes(dag: Dag, traders: readonly { compiled: CompiledTrader; slots: Int32Array }[], parts: readonly Parts[]): Uint8Array {
  const idle = new Uint8Array(dag.nodes.length);
  for (const { nodes } of parts) {
    for (const ref of nodes) {
      const node = dag.nodes[ref]!;
      if ('kind' in node && (node.kind === and || node.kind === greater || node.kind === greaterOrEqual)) idle[ref] = 1;
    }
  }
  // A condition that is shown with a match, but is no part of the verdict.
  for (const [index, { compiled, slots }] of traders.entries()) {
    for (const { ref, readings } of compiled.conditions) for (const shown of [ref, ...readings.map((reading) => reading.ref)]) if (!parts[index]!.nodes.has(slots[shown]!)) idle[slots[shown]!] = 0;
  }
  for (let ref = dag.nodes.length - 1; ref >= 0; ref--) {
    const node = dag.nodes[ref]!;
    if ('kind' in node && idle[ref] === 0) for (const input of node.inputs) idle[input] = 0;
  }
  return idle;
}
