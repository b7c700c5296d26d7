import { HEAD, pure, type NodeKind } from '../graph/node-kind.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { highestOf, lowestOf } from './highest-lowest.ts';
import { rsiOf } from './rsi.ts';
import { smaOf } from './sma.ts';

/**
 * The place of x between bottom and top, from 0 to 100. Its param is how many candles it waits: where x moves little its place magnifies what is left of the seed.
 */
const placeKind: NodeKind = {
  ...pure('place', ({ v, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 1 + 3) {
      const out = code[c]!;
      const x = code[c + HEAD + 1]!;
      const bottom = code[c + HEAD + 2]!;
      const top = code[c + HEAD + 3]!;
      let i = 0;
      do v[out + i] = (100 * (v[x + i]! - v[bottom + i]!)) / (v[top + i]! - v[bottom + i]!); while (++i < count);
    }
  }),
  settle: ([wait]) => 1 + wait!,
};

/**
 * In: any series; out: points from 0 to 100; .k has its first value after rsiN + stochN + kSmooth − 1 candles, .d after d − 1 more; settled after 16 rsiN + stochN + kSmooth − 1, .d
 * after d − 1 more. Where the RSI stood still for stochN candles the raw value is 0 / 0, and so not ready until it has left the averages.
 */
export const stochRsi: FunctionDefinition = {
  name: 'stochRsi',
  summary: 'Stochastic RSI: k = the place of rsi(rsiN) between its lowest and highest of stochN candles, averaged over kSmooth; d = the average of k.',
  arguments: [inputSeries, length('rsiN'), length('stochN', 2), length('kSmooth'), length('d')],
  fields: ['k', 'd'],
  returns: 'series',
  unit: 'points',
  seed: "the RSI's; full windows of it",
  source: 'T. Chande and S. Kroll, The New Technical Trader, 1994; TradingView Stochastic RSI (TA-Lib STOCHRSI does not smooth k)',
  example: 'crossover(stochRsi(14, 14, 3, 3).k, stochRsi(14, 14, 3, 3).d)',
  build: (dag, [x], [rsiN, stochN, kSmooth, d], field) => {
    const strength = rsiOf(dag, x!, rsiN!);
    const place = dag.node(placeKind, [strength, lowestOf(dag, strength, stochN!), highestOf(dag, strength, stochN!)], [2 * rsiN!]);
    const k = smaOf(dag, place, kSmooth!);
    return field === 'k' ? k : smaOf(dag, k, d!);
  },
};
