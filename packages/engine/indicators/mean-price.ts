import { add, divide } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';

/** The mean of some prices of a candle, such as `hl2` or `hlc3`. */
export const meanPriceOf = (dag: Dag, ...prices: readonly ('open' | 'high' | 'low' | 'close')[]): Ref =>
  dag.node(divide, [prices.map((price) => dag.column(price)).reduce((sum, price) => dag.node(add, [sum, price])), dag.constant(prices.length)]);
