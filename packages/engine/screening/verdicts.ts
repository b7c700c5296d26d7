import type { Dag, Ref } from '../graph/dag.ts';
import { and, greater, greaterOrEqual } from '../graph/logic.ts';
import type { CompiledTrader } from '../language/compile-trader.ts';

/** What a check asks: whether a condition that the program has computed holds, or a comparison that it has left out. */
const HOLDS = 0;
const GREATER = 1;
const GREATER_OR_EQUAL = 2;
/** A check is three cells: what it asks, and the slots it reads. */
const WIDTH = 3;

/** A trader with the slot of each node of its own frame. */
export interface PlacedTrader { readonly compiled: CompiledTrader; readonly slots: Int32Array }

/**
 * The verdicts of traders. Most are conjunctions that fail at once, so they are no nodes of the program: the parts of one are checked one after the other until one fails, and a comparison that nobody
 * else reads is made only then.
 */
export class Verdicts {
  /** 1: this node is only looked at here; the program leaves it out. */
  readonly idle: Uint8Array;
  readonly #checks: Int32Array;
  /** Per trader where its checks begin; one more for the end. */
  readonly #starts: Int32Array;
  /** Per trader: the left-out nodes of its verdict, which all hold where it matches. */
  readonly #implied: readonly Int32Array[];

  constructor(dag: Dag, traders: readonly PlacedTrader[]) {
    const parts = traders.map(({ compiled, slots }) => partsOf(dag, slots[compiled.when]!));
    this.idle = idleNodes(dag, traders, parts);
    const checks: number[] = [];
    const starts: number[] = [0];
    for (const { leaves } of parts) {
      const rows = leaves.map((leaf): [number, number, number] => {
        if (this.idle[leaf] === 0) return [HOLDS, leaf, leaf];
        const { kind, inputs } = dag.computed(leaf);
        return [kind === greater ? GREATER : GREATER_OR_EQUAL, inputs[0]!, inputs[1]!];
      });
      // What is computed anyway is the cheaper question, and often the rarer event: a crossing.
      checks.push(...rows.sort((a, b) => a[0] - b[0]).flat());
      starts.push(checks.length);
    }
    this.#checks = Int32Array.from(checks);
    this.#starts = Int32Array.from(starts);
    this.#implied = parts.map(({ nodes }) => Int32Array.from([...nodes].filter((node) => this.idle[node] === 1)));
  }

  /** Whether a trader's verdict holds on the candle whose values these are. */
  holds(k: number, v: Float64Array): boolean {
    const checks = this.#checks;
    const end = this.#starts[k + 1]!;
    for (let c = this.#starts[k]!; c < end; c += WIDTH) {
      const x = v[checks[c + 1]!]!;
      const asked = checks[c]!;
      if (asked === HOLDS ? x !== 1 : asked === GREATER ? !(x > v[checks[c + 2]!]!) : !(x >= v[checks[c + 2]!]!)) return false;
    }
    return true;
  }

  /** On which of a block's candles (at most 32) it holds: bit i for the i-th. */
  holding(k: number, v: Float64Array, width: number, count: number): number {
    const checks = this.#checks;
    const end = this.#starts[k + 1]!;
    let held = count === 32 ? -1 : (1 << count) - 1;
    for (let c = this.#starts[k]!; c < end && held !== 0; c += WIDTH) {
      const asked = checks[c]!;
      const a = checks[c + 1]! * width;
      const b = checks[c + 2]! * width;
      let bits = 0;
      if (asked === HOLDS) for (let i = 0; i < count; i++) bits |= Number(v[a + i]! === 1) << i;
      else if (asked === GREATER) for (let i = 0; i < count; i++) bits |= Number(v[a + i]! > v[b + i]!) << i;
      else for (let i = 0; i < count; i++) bits |= Number(v[a + i]! >= v[b + i]!) << i;
      held &= bits;
    }
    return held;
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

/** The conjunctions and comparisons that nothing but verdicts reads, and that no match shows unless they hold. */
function idleNodes(dag: Dag, traders: readonly PlacedTrader[], parts: readonly Parts[]): Uint8Array {
  const idle = new Uint8Array(dag.nodes.length);
  for (const { nodes } of parts) {
    for (const ref of nodes) {
      const node = dag.nodes[ref]!;
      if ('kind' in node && (node.kind === and || node.kind === greater || node.kind === greaterOrEqual)) idle[ref] = 1;
    }
  }
  for (const [index, { compiled, slots }] of traders.entries()) {
    for (const { ref, readings } of compiled.conditions) {
      for (const shown of [ref, ...readings.map((reading) => reading.ref)]) if (!parts[index]!.nodes.has(slots[shown]!)) idle[slots[shown]!] = 0;
    }
  }
  // What a computed node reads is computed.
  for (let ref = dag.nodes.length - 1; ref >= 0; ref--) {
    const node = dag.nodes[ref]!;
    if ('kind' in node && idle[ref] === 0) for (const input of node.inputs) idle[input] = 0;
  }
  return idle;
}
