import { subtract } from '../graph/arithmetic.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { meanPriceOf } from './mean-price.ts';
import { smaOf } from './sma.ts';

/** In: high, low; out: price; first value after the longer length, settled at once. */
export const awesome: FunctionDefinition = {
  name: 'awesome',
  summary: 'Awesome oscillator: sma(hl2, fast) − sma(hl2, slow).',
  arguments: [length('fast'), length('slow')],
  returns: 'series',
  unit: 'price',
  seed: 'none: full windows',
  source: 'B. Williams, New Trading Dimensions, 1998',
  example: 'crossover(awesome(5, 34), 0)',
  build: (dag, _series, [fast, slow]) => {
    const middle = meanPriceOf(dag, 'high', 'low');
    return dag.node(subtract, [smaOf(dag, middle, fast!), smaOf(dag, middle, slow!)]);
  },
};
