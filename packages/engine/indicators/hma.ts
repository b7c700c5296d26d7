import { multiply, subtract } from '../graph/arithmetic.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { wmaOf } from './wma.ts';

/** In: any series; out: its unit; first value after n + ⌊√n⌋ − 1 candles, settled at once. n / 2 and √n are rounded down. */
export const hma: FunctionDefinition = {
  name: 'hma',
  summary: 'Hull moving average: the WMA over √n of 2 × wma(n / 2) − wma(n), both lengths rounded down.',
  arguments: [inputSeries, length('n', 2)],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: full windows',
  source: 'A. Hull, 2005; rounded as TradingView does',
  example: 'rising(hma(21), 2)',
  build: (dag, [x], [n]) => {
    const half = dag.node(multiply, [dag.constant(2), wmaOf(dag, x!, Math.floor(n! / 2))]);
    return wmaOf(dag, dag.node(subtract, [half, wmaOf(dag, x!, n!)]), Math.floor(Math.sqrt(n!)));
  },
};
