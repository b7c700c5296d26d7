import { divide, multiply, subtract } from '../graph/arithmetic.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { highestOf, lowestOf } from './highest-lowest.ts';
import { smaOf } from './sma.ts';

/**
 * In: high, low, close; out: points from 0 to 100; .k after n + kSmooth − 1 candles, .d after d − 1 more, settled at once.
 * Where high and low of the window are equal the raw value is 0 / 0, and so not ready until it has left the averages.
 */
export const stochastic: FunctionDefinition = {
  name: 'stochastic',
  summary: 'Slow stochastic: k = the place of the close between the lowest low and the highest high of n candles, averaged over kSmooth; d = the average of k.',
  arguments: [length(), length('kSmooth'), length('d')],
  fields: ['k', 'd'],
  returns: 'series',
  unit: 'points',
  seed: 'none: full windows',
  source: 'G. Lane; TA-Lib STOCH',
  example: 'crossover(stochastic(14, 3, 3).k, stochastic(14, 3, 3).d)',
  build: (dag, _series, [n, kSmooth, d], field) => {
    const top = highestOf(dag, dag.column('high'), n!);
    const bottom = lowestOf(dag, dag.column('low'), n!);
    const place = dag.node(divide, [dag.node(subtract, [dag.column('close'), bottom]), dag.node(subtract, [top, bottom])]);
    const k = smaOf(dag, dag.node(multiply, [dag.constant(100), place]), kSmooth!);
    return field === 'k' ? k : smaOf(dag, k, d!);
  },
};
