import { divide } from '../graph/arithmetic.ts';
import { moneyFlowVolumeOf } from './adl.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { sumOf } from './sma.ts';

/** In: high, low, close, volume; out: a ratio from −1 to 1; first value after n candles, settled at once. Not ready where nothing was traded in n candles. */
export const cmf: FunctionDefinition = {
  name: 'cmf',
  summary: 'Chaikin money flow: the volume of n candles, weighted from 1 for a close at the high to −1 for one at the low, as a share of all their volume.',
  arguments: [length()],
  returns: 'series',
  unit: 'ratio',
  seed: 'none: a full window',
  source: 'M. Chaikin; Stock.Indicators CMF',
  example: 'cmf(20) > 0.05',
  build: (dag, _series, [n]) => dag.node(divide, [sumOf(dag, moneyFlowVolumeOf(dag), n!), sumOf(dag, dag.column('volume'), n!)]),
};
