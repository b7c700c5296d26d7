import type { Dag, Ref } from '../graph/dag.ts';
import { differenceError, productError } from '../graph/double-double.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { SUMS_FLAT, SUMS_VALUE, SUMS_WIDTH, squareSumsOf, sumsOf } from '../graph/sums.ts';
import { KERNEL } from '../kernels/kernel-codes.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 1 + 3 + 3;

/**
 * Population standard deviation from exact totals of x and x²: √(n Σx² − (Σx)²) / n in two doubles each, so that a small deviation of large prices
 * keeps its digits and the answer does not depend on where it began. A window of equal values has exactly 0.
 */
const stdevKind: NodeKind = {
  name: 'stdev',
  kernel: KERNEL.stdev,
  stateSize: () => 0,
  first: ([n]) => n!,
  settle: ([n]) => n!,
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const n = code[c + HEAD]!;
      const ready = code[c + HEAD + 1]!;
      const sums = code[c + HEAD + 2]!;
      const mask = code[c + HEAD + 3]!;
      const squares = code[c + HEAD + 5]!;
      const squaresMask = code[c + HEAD + 6]!;
      let i = 0;
      do {
        let result = Number.NaN;
        if (v[ready + i]! >= n) {
          result = 0;
          let now = sums + ((t + i) & mask) * SUMS_WIDTH;
          if (s[now + SUMS_FLAT]! < n) {
            let then = sums + ((t + i - n) & mask) * SUMS_WIDTH;
            const sum = s[now]! - s[then]!;
            const sumLow = differenceError(s[now]!, s[then]!, sum) + s[now + 1]! - s[then + 1]!;
            now = squares + ((t + i) & squaresMask) * 2;
            then = squares + ((t + i - n) & squaresMask) * 2;
            const square = s[now]! - s[then]!;
            const squareLow = differenceError(s[now]!, s[then]!, square) + s[now + 1]! - s[then + 1]!;
            const a = square * n;
            const b = sum * sum;
            const difference = a - b;
            const low = productError(square, n, a) + squareLow * n - productError(sum, sum, b) - 2 * sum * sumLow;
            const deviations = difference + (differenceError(a, b, difference) + low);
            // An extreme value that has left the window still weighs on the totals until they begin anew: then the window itself is asked.
            if (deviations < s[now]! * n * TOTALS_ERROR) result = fromWindow(s, sums, mask, t + i, n, (sum + sumLow) / n);
            else if (deviations > 0) result = Math.sqrt(deviations) / n;
          }
        }
        v[out + i] = result;
      } while (++i < count);
    }
  },
};

/** What a difference of totals must exceed, relative to them, to be right within about 1e-13: they are kept to some 100 bits. */
const TOTALS_ERROR = 2 ** -100 * 1e13;

/** The deviation of the n values up to ordinal t around their mean, one by one. */
function fromWindow(s: Float64Array, sums: number, mask: number, t: number, n: number, mean: number): number {
  let squares = 0;
  for (let at = t - n + 1; at <= t; at++) {
    const distance = s[sums + (at & mask) * SUMS_WIDTH + SUMS_VALUE]! - mean;
    squares += distance * distance;
  }
  return Math.sqrt(squares / n);
}

/** The population standard deviation of the last n values of x. */
export const stdevOf = (dag: Dag, x: Ref, n: number): Ref =>
  dag.node(stdevKind, [sumsOf(dag, x, n), squareSumsOf(dag, x, n)], [n]);

/** In: any series; out: its unit; first value after n candles, settled after n. */
export const stdev: FunctionDefinition = {
  name: 'stdev',
  summary: 'Standard deviation of the last n values (population: divided by n).',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'TA-Lib STDDEV',
  example: 'stdev(20) > 2 * stdev(100)',
  build: (dag, [x], [n]) => stdevOf(dag, x!, n!),
};
