import { divide, multiply, subtract } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { highestBarsOf, lowestBarsOf } from './bars-since-extreme.ts';
import { length, MAX_LENGTH, type FunctionDefinition } from './definition.ts';

/** 100 × (n − candles since) / n. */
const recency = (dag: Dag, since: Ref, n: number): Ref => {
  const candles = dag.constant(n);
  return dag.node(divide, [dag.node(multiply, [dag.constant(100), dag.node(subtract, [candles, since])]), candles]);
};

/** In: high, low; out: points, .up and .down from 0 to 100, .oscillator from −100 to 100; first value after n + 1 candles, settled at once. */
export const aroon: FunctionDefinition = {
  name: 'aroon',
  summary: 'Aroon: how recent the highest high (up) and the lowest low (down) of the current candle and the n before it are, from 100 = now to 0 = n candles ago, of equal ones the latest; oscillator = up − down.',
  arguments: [{ ...length(), max: MAX_LENGTH - 1 }],
  fields: ['up', 'down', 'oscillator'],
  returns: 'series',
  unit: 'points',
  seed: 'none: a full window',
  source: 'T. Chande, 1995; TA-Lib AROON and AROONOSC (Stock.Indicators takes the earliest of equal ones)',
  example: 'crossover(aroon(25).up, aroon(25).down)',
  build: (dag, _series, [n], field) => {
    const up = (): Ref => recency(dag, highestBarsOf(dag, dag.column('high'), n! + 1), n!);
    const down = (): Ref => recency(dag, lowestBarsOf(dag, dag.column('low'), n! + 1), n!);
    if (field === 'up') return up();
    return field === 'down' ? down() : dag.node(subtract, [up(), down()]);
  },
};
