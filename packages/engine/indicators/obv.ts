import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { runningTotalOf } from '../graph/running-total.ts';
import type { FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 2;

/** The volume of a candle that closed higher, minus that of one that closed lower, 0 else and on the first. State: the previous close. */
const signedVolumeKind: NodeKind = {
  name: 'signedVolume',
  stateSize: () => 1,
  first: () => 1,
  settle: () => 1,
  start: (s, at) => {
    s[at] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const close = code[c + HEAD]!;
      const volume = code[c + HEAD + 1]!;
      let before = s[state]!;
      let i = 0;
      do {
        const price = v[close + i]!;
        v[out + i] = (Number(price > before) - Number(price < before)) * v[volume + i]!;
        before = price;
      } while (++i < count);
      s[state] = before;
    }
  },
};

/** In: close, volume; out: volume; first value, 0, on the first candle. Cumulative: its differences and slopes are settled at once, its level never is. */
export const obv: FunctionDefinition = {
  name: 'obv',
  summary: 'On-balance volume: a running total to which a candle that closes higher adds its volume, and from which one that closes lower takes it.',
  arguments: [],
  returns: 'series',
  cumulative: true,
  unit: 'volume',
  seed: '0 on the first candle',
  source: 'J. Granville, 1963; Stock.Indicators (TA-Lib OBV starts with the first volume)',
  example: 'crossover(obv(), sma(obv(), 20))',
  build: (dag) => runningTotalOf(dag, dag.node(signedVolumeKind, [dag.column('close'), dag.column('volume')])),
};
