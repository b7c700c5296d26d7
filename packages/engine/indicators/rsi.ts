import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { KERNEL } from '../kernels/kernel-codes.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 1 + 1;

/**
 * State: [previous value, changes seen, average gain, average loss, last answer]. On a candle without a change both averages shrink by the
 * same factor, so the answer stays exactly what it was; a series that never moved has 50. A value that is not ready is passed over.
 */
const rsiKind: NodeKind = {
  name: 'rsi',
  kernel: KERNEL.rsi,
  stateSize: () => 5,
  first: ([n]) => n! + 1,
  settle: ([n]) => 14 * n! + 1,
  start: (s, at) => {
    s[at] = Number.NaN;
    s[at + 4] = 50;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const n = code[c + HEAD]!;
      const x = code[c + HEAD + 1]!;
      let before = s[state]!;
      let seen = s[state + 1]!;
      let up = s[state + 2]!;
      let down = s[state + 3]!;
      let answer = s[state + 4]!;
      let i = 0;
      do {
        const value = v[x + i]!;
        let result = Number.NaN;
        if (value - value === 0) {
          const change = value - before;
          before = value;
          if (change === change) {
            if (seen <= n) seen++;
            const weight = seen > n ? n : seen; // the mean of the first n changes, Wilder's average from then on: one formula
            const size = Math.abs(change); // gain and loss without a branch that nobody could foresee
            up += ((size + change) / 2 - up) / weight;
            down += ((size - change) / 2 - down) / weight;
            if (seen === n || change !== 0) answer = up + down === 0 ? 50 : (100 * up) / (up + down);
            if (seen >= n) result = answer;
          }
        }
        v[out + i] = result;
      } while (++i < count);
      s[state] = before;
      s[state + 1] = seen;
      s[state + 2] = up;
      s[state + 3] = down;
      s[state + 4] = answer;
    }
  },
};

export const rsiOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(rsiKind, [x], [n]);

/** In: any series; out: points from 0 to 100; first value after n + 1 candles, settled after 14 n + 1. */
export const rsi: FunctionDefinition = {
  name: 'rsi',
  summary: 'Relative strength index: the share of gains in all movement, from 0 to 100. 50 on a series that never moved (TradingView says 100, TA-Lib 0).',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'points',
  seed: "the mean of the first n changes, then Wilder's smoothing",
  source: 'J. W. Wilder, New Concepts in Technical Trading Systems, 1978; TA-Lib RSI',
  example: 'rsi(14) < 30',
  build: (dag, [x], [n]) => rsiOf(dag, x!, n!),
};
