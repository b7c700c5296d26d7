import type { Dag, Ref } from '../graph/dag.ts';

const HIGHEST = 'highest';
const LOWEST = 'lowest';
/** Columns that never lie outside the range from low to high of their candle. */
const PRICES: ReadonlySet<string> = new Set(['open', 'high', 'low', 'close']);

/**
 * The side of `a > b` that is an extreme of a window with the current candle in it, where that makes the comparison never hold: nothing lies above the largest of values of which
 * one is itself or at least as large, nor below the smallest of the like. Undefined where there is none.
 */
export function ownWindow(dag: Dag, above: Ref, below: Ref): 'above' | 'below' | undefined {
  const highs = windowed(dag, below, HIGHEST);
  if (highs !== undefined && atMost(dag, above, highs)) return 'below';
  const lows = windowed(dag, above, LOWEST);
  return lows !== undefined && atMost(dag, lows, below) ? 'above' : undefined;
}

/** What a node is the highest or the lowest of. */
function windowed(dag: Dag, ref: Ref, kind: string): Ref | undefined {
  const node = dag.nodes[ref]!;
  return 'kind' in node && node.kind.name === kind ? node.inputs[0] : undefined;
}

/** Whether a is never above b on the same candle. */
function atMost(dag: Dag, a: Ref, b: Ref): boolean {
  if (a === b) return true;
  const [left, right] = [dag.nodes[a]!, dag.nodes[b]!];
  if (!('column' in left && 'column' in right)) return false;
  return (left.column === 'low' && PRICES.has(right.column)) || (right.column === 'high' && PRICES.has(left.column));
}
