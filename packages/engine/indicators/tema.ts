import { add, multiply, subtract } from '../graph/arithmetic.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { emaOf } from './ema.ts';

/** In: any series; out: its unit; first value after 3 n − 2 candles, settled after 21 n − 2. */
export const tema: FunctionDefinition = {
  name: 'tema',
  summary: 'Triple exponential moving average: 3 × (e − ee) + eee, each the EMA of the one before, with e = ema(n).',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'each EMA with the mean of its first n values, one after the other',
  source: 'P. Mulloy, 1994; TA-Lib TEMA',
  example: 'crossover(close, tema(21))',
  build: (dag, [x], [n]) => {
    const once = emaOf(dag, x!, n!);
    const twice = emaOf(dag, once, n!);
    return dag.node(add, [dag.node(multiply, [dag.constant(3), dag.node(subtract, [once, twice])]), emaOf(dag, twice, n!)]);
  },
};
