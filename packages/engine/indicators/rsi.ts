import type { NodeKind } from '../graph/node-kind.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';

/**
 * State: [previous value, changes seen, average gain, average loss, last answer]. On a candle without a change both averages shrink by the
 * same factor, so the answer stays exactly what it was; a series that never moved has 50. A value that is not ready is passed over.
 */
export const rsiKind: NodeKind = {
  name: 'rsi',
  stateSize: () => 5,
  first: ([n]) => n! + 1,
  settle: ([n]) => 14 * n! + 1,
  start: (s, at) => {
    s[at] = Number.NaN;
    s[at + 4] = 50;
  },
  bind: ({ inputs, params, out, state }) => {
    const x = inputs[0]!;
    const n = params[0]!;
    return (v, s, stride, count) => {
      for (let i = 0; i < count; i++) {
        const value = v[x * stride + i]!;
        let result = Number.NaN;
        if (value - value === 0) {
          const change = value - s[state]!;
          s[state] = value;
          if (change === change) {
            const gain = change > 0 ? change : 0;
            const loss = change < 0 ? -change : 0;
            const seen = s[state + 1]! < n ? ++s[state + 1]! : n + 1;
            const weight = seen > n ? n : seen; // the mean of the first n changes, Wilder's average from then on: one formula
            const up = (s[state + 2] = s[state + 2]! + (gain - s[state + 2]!) / weight);
            const down = (s[state + 3] = s[state + 3]! + (loss - s[state + 3]!) / weight);
            if (seen === n || change !== 0) s[state + 4] = up + down === 0 ? 50 : (100 * up) / (up + down);
            if (seen >= n) result = s[state + 4]!;
          }
        }
        v[out * stride + i] = result;
      }
    };
  },
};

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
  build: (dag, [x], [n]) => dag.node(rsiKind, [x!], [n!]),
};
