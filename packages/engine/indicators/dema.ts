import { multiply, subtract } from '../graph/arithmetic.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { emaOf } from './ema.ts';

/** In: any series; out: its unit; first value after 2 n − 1 candles, settled after 14 n − 1. */
export const dema: FunctionDefinition = {
  name: 'dema',
  summary: 'Double exponential moving average: 2 × e − the EMA of e, with e = ema(n).',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'each EMA with the mean of its first n values, one after the other',
  source: 'P. Mulloy, 1994; TA-Lib DEMA',
  example: 'crossover(dema(9), dema(21))',
  build: (dag, [x], [n]) => {
    const once = emaOf(dag, x!, n!);
    return dag.node(subtract, [dag.node(multiply, [dag.constant(2), once]), emaOf(dag, once, n!)]);
  },
};
