import { absolute, subtract } from '../graph/arithmetic.ts';
import { offsetOf } from '../graph/history.ts';
import { HEAD, pure } from '../graph/node-kind.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { sumOf } from './sma.ts';
import { trueRangeOf } from './true-range.ts';

/** a / b, not ready where b is 0: of candles that stood still the way before may be left, and no range to measure it by. */
const shareKind = pure('vortexShare', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += HEAD + 2) {
    const out = code[c]!;
    const a = code[c + HEAD]!;
    const b = code[c + HEAD + 1]!;
    let i = 0;
    do {
      const whole = v[b + i]!;
      v[out + i] = whole === 0 ? Number.NaN : v[a + i]! / whole;
    } while (++i < count);
  }
});

/** In: high, low, close; out: ratios around 1; first value after n + 1 candles, settled at once. Not ready where n candles stood still. */
export const vortex: FunctionDefinition = {
  name: 'vortex',
  summary: 'Vortex: plus = the ways from the low before to the high, minus = those from the high before to the low, each over n candles and as a ratio of their true ranges.',
  arguments: [length()],
  fields: ['plus', 'minus'],
  returns: 'series',
  unit: 'ratio',
  seed: 'none: a full window; the first candle has no candle before it',
  source: 'E. Botes and D. Siepman, 2010; Stock.Indicators Vortex',
  example: 'crossover(vortex(14).plus, vortex(14).minus)',
  build: (dag, _series, [n], field) => {
    const [here, there] = field === 'plus' ? ([dag.column('high'), dag.column('low')] as const) : ([dag.column('low'), dag.column('high')] as const);
    const way = dag.node(absolute, [dag.node(subtract, [here, offsetOf(dag, there, 1)])]);
    return dag.node(shareKind, [sumOf(dag, way, n!), sumOf(dag, trueRangeOf(dag), n!)]);
  },
};
