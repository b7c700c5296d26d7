import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { rocOf } from './change.ts';
import { emaOf } from './ema.ts';

/** In: any series; out: points (0.1 = 0.1 % a candle); first value after 3 n − 1 candles, settled after 21 n − 1. */
export const trix: FunctionDefinition = {
  name: 'trix',
  summary: 'The change of the triple EMA from one candle to the next, in points.',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'points',
  seed: 'each EMA with the mean of its first n values, one after the other',
  source: 'J. Hutson, 1983; TA-Lib TRIX',
  example: 'crossover(trix(15), 0)',
  build: (dag, [x], [n]) => rocOf(dag, emaOf(dag, emaOf(dag, emaOf(dag, x!, n!), n!), n!), 1),
};
