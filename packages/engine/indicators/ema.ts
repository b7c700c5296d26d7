import type { NodeKind } from '../graph/node-kind.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';

/**
 * Recursive averages: seeded with the mean of the first n ready values, then `average += (x − average) × factor`. A value that is not
 * ready is passed over: the answer is not ready on that candle, the state stays. State: [values seen, average].
 */
const recursive = (name: string, factor: (n: number) => number, settle: (n: number) => number): NodeKind => ({
  name,
  stateSize: () => 2,
  first: ([n]) => n!,
  settle: ([n]) => settle(n!),
  bind: ({ inputs, params, out, state }) => {
    const x = inputs[0]!;
    const n = params[0]!;
    const k = factor(n);
    return (v, s, stride, count) => {
      for (let i = 0; i < count; i++) {
        const value = v[x * stride + i]!;
        let result = Number.NaN;
        if (value - value === 0) {
          const average = s[state + 1]!;
          if (s[state]! >= n) s[state + 1] = result = average + (value - average) * k;
          else {
            const seen = ++s[state]!;
            // The running form of the mean is exact on a flat series.
            const mean = average + (value - average) / seen;
            s[state + 1] = mean;
            if (seen === n) result = mean;
          }
        }
        v[out * stride + i] = result;
      }
    };
  },
});

export const emaKind: NodeKind = recursive('ema', (n) => 2 / (n + 1), (n) => (n === 1 ? 1 : 7 * n));
/** Wilder's smoothing, which RSI, ATR and ADX are made with. */
export const smmaKind: NodeKind = recursive('smma', (n) => 1 / n, (n) => (n === 1 ? 1 : 14 * n));

/** In: any series; out: its unit; first value after n candles, settled after 7 n. */
export const ema: FunctionDefinition = {
  name: 'ema',
  summary: 'Exponential moving average with factor 2 / (n + 1).',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'the mean of the first n values',
  source: 'TA-Lib EMA',
  example: 'crossover(ema(9), ema(21))',
  build: (dag, [x], [n]) => dag.node(emaKind, [x!], [n!]),
};

/** In: any series; out: its unit; first value after n candles, settled after 14 n. */
export const smma: FunctionDefinition = {
  name: 'smma',
  summary: "Wilder's smoothed moving average with factor 1 / n.",
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'the mean of the first n values',
  source: 'J. W. Wilder, New Concepts in Technical Trading Systems, 1978',
  example: 'close > smma(30)',
  build: (dag, [x], [n]) => dag.node(smmaKind, [x!], [n!]),
};
