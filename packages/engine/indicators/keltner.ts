import { add, multiply, subtract } from '../graph/arithmetic.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { emaOf, smmaOf } from './ema.ts';
import { trueRangeOf } from './true-range.ts';

/** In: high, low, close; out: price; .middle has its first value after n candles, the bands after the longer of n and atrN + 1; settled after the longer of 7 n and 14 atrN + 1. */
export const keltner: FunctionDefinition = {
  name: 'keltner',
  summary: 'Keltner channel: the EMA of n closes, and `factor` average true ranges (of atrN candles) above and below it.',
  arguments: [length(), { name: 'factor', type: 'number', min: 0, max: 100 }, length('atrN')],
  fields: ['upper', 'middle', 'lower'],
  returns: 'series',
  unit: 'price',
  seed: 'those of EMA and ATR: the mean of their first values',
  source: 'C. Keltner, in the form of L. B. Raschke; Stock.Indicators Keltner',
  example: 'close > keltner(20, 2, 10).upper',
  build: (dag, _series, [n, factor, atrN], field) => {
    const middle = emaOf(dag, dag.column('close'), n!);
    if (field === 'middle') return middle;
    const reach = dag.node(multiply, [dag.constant(factor!), smmaOf(dag, trueRangeOf(dag), atrN!)]);
    return dag.node(field === 'upper' ? add : subtract, [middle, reach]);
  },
};
