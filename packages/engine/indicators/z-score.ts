import { divide, subtract } from '../graph/arithmetic.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { smaOf } from './sma.ts';
import { stdevOf } from './stdev.ts';

/** In: any series; out: standard deviations; first value after n candles, settled after n. On a flat window it is 0 / 0, and so not ready. */
export const zScore: FunctionDefinition = {
  name: 'zScore',
  summary: 'How many standard deviations the value is from the mean of the last n.',
  arguments: [inputSeries, length('n', 2)],
  returns: 'series',
  unit: 'ratio',
  seed: 'none: a full window',
  source: 'definition (population deviation, as in Bollinger bands)',
  example: 'zScore(20) < -2',
  build: (dag, [x], [n]) => dag.node(divide, [dag.node(subtract, [x!, smaOf(dag, x!, n!)]), stdevOf(dag, x!, n!)]),
};
