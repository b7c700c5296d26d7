import { divide, multiply, subtract } from '../graph/arithmetic.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { highestOf, lowestOf } from './highest-lowest.ts';

/** In: high, low, close; out: points from −100 to 0; first value after n candles, settled after n. Where the window has no range it is 0 / 0, and so not ready. */
export const williamsR: FunctionDefinition = {
  name: 'williamsR',
  summary: 'Williams %R: how far the close is below the highest high of n candles, as a share of their range; from −100 to 0.',
  arguments: [length()],
  returns: 'series',
  unit: 'points',
  seed: 'none: a full window',
  source: 'L. Williams, 1973; TA-Lib WILLR',
  example: 'crossover(williamsR(14), -80)',
  build: (dag, _series, [n]) => {
    const top = highestOf(dag, dag.column('high'), n!);
    const range = dag.node(subtract, [top, lowestOf(dag, dag.column('low'), n!)]);
    return dag.node(multiply, [dag.constant(100), dag.node(divide, [dag.node(subtract, [dag.column('close'), top]), range])]);
  },
};
