import { length, type FunctionDefinition } from './definition.ts';
import { smmaOf } from './ema.ts';
import { trueRangeOf } from './true-range.ts';

/** In: high, low, close; out: price; first value after n + 1 candles, settled after 14 n + 1. */
export const atr: FunctionDefinition = {
  name: 'atr',
  summary: "Average true range: Wilder's average of the true range.",
  arguments: [length()],
  returns: 'series',
  unit: 'price',
  seed: 'the mean of the first n true ranges; the first candle has none',
  source: 'J. W. Wilder, New Concepts in Technical Trading Systems, 1978; TA-Lib ATR',
  example: 'high - low > 2 * atr(14)',
  build: (dag, _series, [n]) => smmaOf(dag, trueRangeOf(dag), n!),
};
