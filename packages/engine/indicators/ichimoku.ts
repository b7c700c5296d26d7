import { add, divide } from '../graph/arithmetic.ts';
import { offsetOf } from '../graph/history.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { middleOf } from './donchian.ts';

/**
 * In: high, low; out: price; .tenkan has its first value after `tenkan` candles, .kijun after `kijun`, .spanA after `kijun` more than the longer of the two, .spanB after
 * kijun + senkou; settled at once. The spans are what stands over the current candle: they were computed exactly `kijun` (26) candles ago.
 */
export const ichimoku: FunctionDefinition = {
  name: 'ichimoku',
  summary:
    'Ichimoku: the middle of the range of tenkan and of kijun candles; spanA = the mean of both, spanB = the middle of senkou candles, each of kijun (26) candles ago: the cloud over the current candle.',
  arguments: [length('tenkan'), length('kijun'), length('senkou')],
  fields: ['tenkan', 'kijun', 'spanA', 'spanB'],
  returns: 'series',
  unit: 'price',
  seed: 'none: full windows',
  source: 'G. Hosoda, 1969; Stock.Indicators (displaced by kijun candles, the current one not counted; some charts displace by one less)',
  example: 'close > max(ichimoku(9, 26, 52).spanA, ichimoku(9, 26, 52).spanB)',
  build: (dag, _series, [tenkan, kijun, senkou], field) => {
    if (field === 'spanB') return offsetOf(dag, middleOf(dag, senkou!), kijun!);
    const turning = middleOf(dag, tenkan!);
    if (field === 'tenkan') return turning;
    const base = middleOf(dag, kijun!);
    return field === 'kijun' ? base : offsetOf(dag, dag.node(divide, [dag.node(add, [turning, base]), dag.constant(2)]), kijun!);
  },
};
