import { HEAD, pure, type NodeKind } from '../graph/node-kind.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { highestOf, lowestOf } from './highest-lowest.ts';
import { sumOf } from './sma.ts';
import { trueRangeOf } from './true-range.ts';

const WIDTH = HEAD + 1 + 3;

/** 100 × log (way / (top − bottom)) / log n. A window without a range has no answer, also where a gap led to it and the way is not 0. */
const choppinessKind: NodeKind = {
  ...pure('choppiness', ({ v, k, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const scale = k[code[c + 2]!]!;
      const way = code[c + HEAD + 1]!;
      const top = code[c + HEAD + 2]!;
      const bottom = code[c + HEAD + 3]!;
      let i = 0;
      do {
        const range = v[top + i]! - v[bottom + i]!;
        v[out + i] = range > 0 ? Math.log(v[way + i]! / range) * scale : Number.NaN;
      } while (++i < count);
    }
  }),
  reals: ([n]) => [100 / Math.log(n!)],
};

/** In: high, low, close; out: points, about 0 for a straight way to 100 for one that went nowhere; first value after n + 1 candles, settled at once. Not ready where n candles have no range. */
export const choppiness: FunctionDefinition = {
  name: 'choppiness',
  summary: 'Choppiness index: the logarithm of the sum of n true ranges over the range of the n candles (plain highest high − lowest low), where n times that range is 100.',
  arguments: [length('n', 2)],
  returns: 'series',
  unit: 'points',
  seed: 'none: a full window; the first candle has no true range',
  source: 'E. W. Dreiss; TradingView Choppiness Index',
  example: 'choppiness(14) < 38.2',
  build: (dag, _series, [n]) =>
    dag.node(choppinessKind, [sumOf(dag, trueRangeOf(dag), n!), highestOf(dag, dag.column('high'), n!), lowestOf(dag, dag.column('low'), n!)], [n!]),
};
