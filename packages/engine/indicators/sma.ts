import type { Dag, Ref } from '../graph/dag.ts';
import { differenceError } from '../graph/double-double.ts';
import { HEAD, type NodeKind, type Run } from '../graph/node-kind.ts';
import { SUMS_FLAT, SUMS_VALUE, SUMS_WIDTH, sumsOf } from '../graph/sums.ts';
import { KERNEL } from '../kernels/kernel-codes.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 1 + 3;

/** Sum or mean of the last n values: the difference of two exact totals, rounded once, so that it is the same wherever it began. */
const windowSum = (name: string, divisor: (n: number) => number): NodeKind => ({
  name,
  stateSize: () => 0,
  first: ([n]) => n!,
  settle: ([n]) => n!,
  reals: ([n]) => [divisor(n!), n! / divisor(n!)],
  kernel: KERNEL.windowSum,
  run,
});

const run: Run = ({ v, s, k, count, t }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
    const out = code[c]!;
    const reals = code[c + 2]!;
    const n = code[c + HEAD]!;
    const ready = code[c + HEAD + 1]!;
    const ring = code[c + HEAD + 2]!;
    const mask = code[c + HEAD + 3]!;
    let i = 0;
    do {
      let result = Number.NaN;
      if (v[ready + i]! >= n) {
        const now = ring + ((t + i) & mask) * SUMS_WIDTH;
        if (s[now + SUMS_FLAT]! >= n) result = s[now + SUMS_VALUE]! * k[reals + 1]!; // n equal values have exactly that value as their mean
        else {
          const then = ring + ((t + i - n) & mask) * SUMS_WIDTH;
          const difference = s[now]! - s[then]!;
          result = (difference + (differenceError(s[now]!, s[then]!, difference) + s[now + 1]! - s[then + 1]!)) / k[reals]!;
        }
      }
      v[out + i] = result;
    } while (++i < count);
  }
};

const smaKind = windowSum('sma', (n) => n);
const sumKind = windowSum('sum', () => 1);

const windowOf = (kind: NodeKind) => (dag: Dag, x: Ref, n: number): Ref => dag.node(kind, [sumsOf(dag, x, n)], [n]);

/** The mean of the last n values of x. */
export const smaOf = windowOf(smaKind);
/** The sum of the last n values of x. */
export const sumOf = windowOf(sumKind);

/** In: any series; out: its unit; first value after n candles, settled after n. */
export const sma: FunctionDefinition = {
  name: 'sma',
  summary: 'Simple moving average: the mean of the last n values.',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'definition; TA-Lib SMA',
  example: 'close > sma(50)',
  build: (dag, [x], [n]) => smaOf(dag, x!, n!),
};
