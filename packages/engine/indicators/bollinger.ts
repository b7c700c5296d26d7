import { add, divide, multiply, subtract } from '../graph/arithmetic.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { smaOf } from './sma.ts';
import { stdevOf } from './stdev.ts';

/**
 * In: any series; out: bands in its unit, width and percentB as ratios; first value after n candles, settled after n.
 * On a flat window the bands meet: percentB is 0 / 0 and so not ready.
 */
export const bollinger: FunctionDefinition = {
  name: 'bollinger',
  summary: 'Bollinger bands: the mean of the last n values and k standard deviations around it; width = (upper − lower) / middle, percentB = (x − lower) / (upper − lower).',
  arguments: [inputSeries, length(), { name: 'k', type: 'number', min: 0, max: 100 }],
  fields: ['upper', 'middle', 'lower', 'width', 'percentB'],
  returns: 'series',
  unit: 'that of the series; width and percentB are ratios',
  seed: 'none: a full window',
  source: 'J. Bollinger; TA-Lib BBANDS (population deviation)',
  example: 'close > bollinger(20, 2).upper',
  build: (dag, [x], [n, k], field) => {
    const middle = smaOf(dag, x!, n!);
    if (field === 'middle') return middle;
    const reach = dag.node(multiply, [dag.constant(k!), stdevOf(dag, x!, n!)]);
    const upper = dag.node(add, [middle, reach]);
    if (field === 'upper') return upper;
    const lower = dag.node(subtract, [middle, reach]);
    if (field === 'lower') return lower;
    const span = dag.node(subtract, [upper, lower]);
    return field === 'width' ? dag.node(divide, [span, middle]) : dag.node(divide, [dag.node(subtract, [x!, lower]), span]);
  },
};
