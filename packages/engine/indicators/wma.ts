import type { Dag, Ref } from '../graph/dag.ts';
import { differenceError, productError } from '../graph/double-double.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { SUMS_FLAT, SUMS_VALUE, SUMS_WIDTH, sumsOf } from '../graph/sums.ts';
import { weightAt, weightedSumsOf } from '../graph/weighted-sums.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 1 + 3 + 3;

/**
 * With S the total of x, W the total of x times its place and p the place before the window: Σ of 1 … n times x is (W − W[n]) − p (S − S[n]). All in two doubles, so that it is
 * exact, neither drifts nor depends on where it began, and is rounded once. A window of equal values has exactly that value.
 */
const wmaKind: NodeKind = {
  name: 'wma',
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
      const weighted = code[c + HEAD + 5]!;
      const weightedMask = code[c + HEAD + 6]!;
      const weights = (n * (n + 1)) / 2;
      let i = 0;
      do {
        let result = Number.NaN;
        if (v[ready + i]! >= n) {
          let now = sums + ((t + i) & mask) * SUMS_WIDTH;
          if (s[now + SUMS_FLAT]! >= n) result = s[now + SUMS_VALUE]!;
          else {
            let then = sums + ((t + i - n) & mask) * SUMS_WIDTH;
            const sum = s[now]! - s[then]!;
            const sumLow = differenceError(s[now]!, s[then]!, sum) + s[now + 1]! - s[then + 1]!;
            now = weighted + ((t + i) & weightedMask) * 2;
            then = weighted + ((t + i - n) & weightedMask) * 2;
            const place = weightAt(t + i - n, t + count - 1, weightedMask);
            const a = s[now]! - s[then]!;
            const b = place * sum;
            const difference = a - b;
            const low = differenceError(s[now]!, s[then]!, a) + s[now + 1]! - s[then + 1]! - productError(place, sum, b) - place * sumLow;
            result = (difference + (differenceError(a, b, difference) + low)) / weights;
          }
        }
        v[out + i] = result;
      } while (++i < count);
    }
  },
};

/** The linearly weighted average of the last n values of x: the current one weighs n, the oldest 1. */
export const wmaOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(wmaKind, [sumsOf(dag, x, n), weightedSumsOf(dag, x, n)], [n]);

/** In: any series; out: its unit; first value after n candles, settled after n. */
export const wma: FunctionDefinition = {
  name: 'wma',
  summary: 'Weighted moving average: the current value weighs n, the one before n − 1, and so on to 1.',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'definition; TA-Lib WMA',
  example: 'crossover(close, wma(20))',
  build: (dag, [x], [n]) => wmaOf(dag, x!, n!),
};
