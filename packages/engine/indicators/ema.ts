import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind, type Run } from '../graph/node-kind.ts';
import { KERNEL } from '../kernels/kernel-codes.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 1 + 1;

const run: Run = ({ v, s, k, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
    const out = code[c]!;
    const state = code[c + 1]!;
    const weight = k[code[c + 2]!]!;
    const n = code[c + HEAD]!;
    const x = code[c + HEAD + 1]!;
    let seen = s[state]!;
    let average = s[state + 1]!;
    let i = 0;
    do {
      const value = v[x + i]!;
      let result = Number.NaN;
      if (value - value === 0) {
        if (seen >= n) result = average += (value - average) * weight;
        else {
          seen++;
          average += (value - average) / seen; // the running form of the mean is exact on a flat series
          if (seen === n) result = average;
        }
      }
      v[out + i] = result;
    } while (++i < count);
    s[state] = seen;
    s[state + 1] = average;
  }
};

/**
 * Recursive averages: seeded with the mean of the first n ready values, then `average += (x − average) × factor`. A value that is not
 * ready is passed over: the answer is not ready on that candle, the state stays. State: [values seen, average].
 */
const recursive = (name: string, factor: (n: number) => number, settle: (n: number) => number): NodeKind => ({
  name,
  stateSize: () => 2,
  first: ([n]) => n!,
  settle: ([n]) => settle(n!),
  reals: ([n]) => [factor(n!)],
  kernel: KERNEL.recursive,
  run,
});

const emaKind = recursive('ema', (n) => 2 / (n + 1), (n) => (n === 1 ? 1 : 7 * n));
const smmaKind = recursive('smma', (n) => 1 / n, (n) => (n === 1 ? 1 : 14 * n));

/** The exponential average of x. */
export const emaOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(emaKind, [x], [n]);
/** Wilder's smoothing of x, which RSI, ATR and ADX are made with. */
export const smmaOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(smmaKind, [x], [n]);

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
  build: (dag, [x], [n]) => emaOf(dag, x!, n!),
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
  build: (dag, [x], [n]) => smmaOf(dag, x!, n!),
};
