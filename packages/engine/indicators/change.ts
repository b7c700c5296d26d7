import { divide, multiply, subtract } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { offsetOf } from '../graph/history.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';

/** In: any series; out: its unit; first value after n + 1 candles, settled after n + 1. */
export const change: FunctionDefinition = {
  name: 'change',
  summary: 'The difference from n candles ago: x − x[n].',
  arguments: [{ name: 'series', type: 'series' }, { ...length(), default: 1 }],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none',
  source: 'definition',
  example: 'change(close) > 0',
  build: (dag, [x], [n]) => dag.node(subtract, [x!, offsetOf(dag, x!, n!)]),
};

/** In: any series; out: its unit; first value after n + 1 candles, settled after n + 1. */
export const momentum: FunctionDefinition = {
  ...change,
  name: 'momentum',
  summary: 'The difference from n candles ago, of the close unless another series is given.',
  arguments: [inputSeries, length()],
  source: 'TA-Lib MOM',
  example: 'momentum(10) > 0',
};

/** The change of x over n candles in points. */
export const rocOf = (dag: Dag, x: Ref, n: number): Ref => {
  const before = offsetOf(dag, x, n);
  return dag.node(multiply, [dag.constant(100), dag.node(divide, [dag.node(subtract, [x, before]), before])]);
};

/** In: any series; out: points (5 = 5 %); first value after n + 1 candles, settled after n + 1. From 0: not ready or infinite. */
export const roc: FunctionDefinition = {
  ...momentum,
  name: 'roc',
  summary: 'Rate of change: the difference from n candles ago in points (5 = 5 %).',
  unit: 'points',
  source: 'TA-Lib ROC',
  example: 'roc(24) > 5',
  build: (dag, [x], [n]) => rocOf(dag, x!, n!),
};

/** The same as `roc`, under the name by which those who do not speak of rates look for it: equal arguments are one node. */
export const percentChange: FunctionDefinition = {
  ...roc,
  name: 'percentChange',
  summary: 'The difference from n candles ago in points (5 = 5 %): another name of roc.',
  source: 'definition; TA-Lib ROC',
  example: 'percentChange(24) < -3',
};
