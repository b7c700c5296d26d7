import { add, divide, subtract } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';

type Price = 'open' | 'high' | 'low' | 'close';

/** The mean of some prices of a candle, such as `hl2` or `hlc3`: the first and what the others lie above it, so that the mean of equal prices is exactly that price. */
export function meanPriceOf(dag: Dag, first: Price, ...others: readonly Price[]): Ref {
  const base = dag.column(first);
  const above = others.map((price) => dag.node(subtract, [dag.column(price), base])).reduce((sum, distance) => dag.node(add, [sum, distance]));
  return dag.node(add, [base, dag.node(divide, [above, dag.constant(others.length + 1)])]);
}
