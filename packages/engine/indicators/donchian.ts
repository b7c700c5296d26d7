import { add, divide } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { highestOf, lowestOf } from './highest-lowest.ts';

/** The middle between the highest high and the lowest low of n candles. */
export const middleOf = (dag: Dag, n: number): Ref =>
  dag.node(divide, [dag.node(add, [highestOf(dag, dag.column('high'), n), lowestOf(dag, dag.column('low'), n)]), dag.constant(2)]);

/** In: high, low; out: price; first value after n candles, settled after n. */
export const donchian: FunctionDefinition = {
  name: 'donchian',
  summary: 'Donchian channel: the highest high and the lowest low of n candles, the current one included, and the middle between them.',
  arguments: [length()],
  fields: ['upper', 'middle', 'lower'],
  returns: 'series',
  unit: 'price',
  seed: 'none: a full window',
  source: 'R. Donchian; TA-Lib MAX and MIN (Stock.Indicators leaves the current candle out: write [1] for that)',
  example: 'close > donchian(20).upper[1]',
  build: (dag, _series, [n], field) => {
    if (field === 'middle') return middleOf(dag, n!);
    return field === 'upper' ? highestOf(dag, dag.column('high'), n!) : lowestOf(dag, dag.column('low'), n!);
  },
};
