import { add, divide, minimum, multiply, subtract } from '../graph/arithmetic.ts';
import { offsetOf } from '../graph/history.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { sumOf } from './sma.ts';
import { trueRangeOf } from './true-range.ts';

/**
 * In: high, low, close; out: points from 0 to 100; first value after the longest length + 1 candles, settled at once. The weights are those of the places: a trader who
 * writes the longest length first gives it most. Where the shortest window has no range it is 0 / 0, and so not ready.
 */
export const ultimate: FunctionDefinition = {
  name: 'ultimate',
  summary: 'Ultimate oscillator: the share of buying pressure in the true range over a, b and c candles, weighted 4, 2 and 1.',
  arguments: [length('a'), length('b'), length('c')],
  returns: 'series',
  unit: 'points',
  seed: 'none: full windows; the first candle has no true range',
  source: 'L. Williams, 1985; TA-Lib ULTOSC (which sorts the lengths)',
  example: 'ultimate(7, 14, 28) < 30',
  build: (dag, _series, [a, b, c]) => {
    const close = dag.column('close');
    const range = trueRangeOf(dag);
    const pressure = dag.node(subtract, [close, dag.node(minimum, [dag.column('low'), offsetOf(dag, close, 1)])]);
    const share = (n: number) => dag.node(divide, [sumOf(dag, pressure, n), sumOf(dag, range, n)]);
    const weighted = (weight: number, n: number) => dag.node(multiply, [dag.constant(weight), share(n)]);
    const sum = dag.node(add, [dag.node(add, [weighted(4, a!), weighted(2, b!)]), share(c!)]);
    return dag.node(divide, [dag.node(multiply, [dag.constant(100), sum]), dag.constant(7)]);
  },
};
