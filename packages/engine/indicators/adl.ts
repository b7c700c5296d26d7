import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, pure } from '../graph/node-kind.ts';
import { runningTotalOf } from '../graph/running-total.ts';
import type { FunctionDefinition } from './definition.ts';

/** ((close − low) − (high − close)) / (high − low) × volume; 0 where the candle has no range. */
const moneyFlowVolumeKind = pure('moneyFlowVolume', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += HEAD + 4) {
    const out = code[c]!;
    const high = code[c + HEAD]!;
    const low = code[c + HEAD + 1]!;
    const close = code[c + HEAD + 2]!;
    const volume = code[c + HEAD + 3]!;
    let i = 0;
    do {
      const top = v[high + i]!;
      const bottom = v[low + i]!;
      const price = v[close + i]!;
      v[out + i] = top === bottom ? 0 : ((price - bottom - (top - price)) / (top - bottom)) * v[volume + i]!;
    } while (++i < count);
  }
});

/** Volume, weighted with where in its range the candle closed: 1 at the high, −1 at the low. */
export const moneyFlowVolumeOf = (dag: Dag): Ref =>
  dag.node(moneyFlowVolumeKind, [dag.column('high'), dag.column('low'), dag.column('close'), dag.column('volume')]);

/** In: high, low, close, volume; out: volume; first value on the first candle. Cumulative: its differences and slopes are settled at once, its level never is. */
export const adl: FunctionDefinition = {
  name: 'adl',
  summary: 'Accumulation/distribution line: a running total of volume, weighted from 1 for a close at the high to −1 for one at the low; a candle without a range adds 0.',
  arguments: [],
  returns: 'series',
  cumulative: true,
  unit: 'volume',
  seed: 'the weighted volume of the first candle',
  source: 'M. Chaikin; TA-Lib AD',
  example: 'change(adl(), 10) > 0',
  build: (dag) => runningTotalOf(dag, moneyFlowVolumeOf(dag)),
};
