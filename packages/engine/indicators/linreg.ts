import { add, divide, minimum, multiply } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { differenceError, productError } from '../graph/double-double.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { SUMS_FLAT, SUMS_WIDTH, sumsOf } from '../graph/sums.ts';
import { weightAt, weightedSumsOf } from '../graph/weighted-sums.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { smaOf } from './sma.ts';
import { stdevOf } from './stdev.ts';

const WIDTH = HEAD + 1 + 3 + 3;

/**
 * Slope per candle of the least-squares line: with j = 1 … n over the window, (2 Σ j x − (n + 1) Σ x) / (n (n² − 1) / 6), from exact totals in two
 * doubles, rounded once. A window of equal values has exactly 0.
 */
const slopeKind: NodeKind = {
  name: 'slope',
  stateSize: () => 0,
  first: ([n]) => n!,
  settle: ([n]) => n!,
  reals: ([n]) => [(n! * (n! * n! - 1)) / 6],
  run: ({ v, s, k, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const spread = k[code[c + 2]!]!;
      const n = code[c + HEAD]!;
      const ready = code[c + HEAD + 1]!;
      const sums = code[c + HEAD + 2]!;
      const mask = code[c + HEAD + 3]!;
      const weighted = code[c + HEAD + 5]!;
      const weightedMask = code[c + HEAD + 6]!;
      let i = 0;
      do {
        let result = Number.NaN;
        if (v[ready + i]! >= n) {
          let now = sums + ((t + i) & mask) * SUMS_WIDTH;
          if (s[now + SUMS_FLAT]! >= n) result = 0;
          else {
            let then = sums + ((t + i - n) & mask) * SUMS_WIDTH;
            const sum = s[now]! - s[then]!;
            const sumLow = differenceError(s[now]!, s[then]!, sum) + s[now + 1]! - s[then + 1]!;
            now = weighted + ((t + i) & weightedMask) * 2;
            then = weighted + ((t + i - n) & weightedMask) * 2;
            const places = s[now]! - s[then]!;
            const placesLow = differenceError(s[now]!, s[then]!, places) + s[now + 1]! - s[then + 1]!;
            // The totals count places from their base; the window counts them from the candle before it.
            const shift = 2 * weightAt(t + i - n, t + count - 1, weightedMask) + n + 1;
            const product = shift * sum;
            const difference = 2 * places - product;
            const low = differenceError(2 * places, product, difference) + 2 * placesLow - productError(shift, sum, product) - shift * sumLow;
            result = (difference + low) / spread;
          }
        }
        v[out + i] = result;
      } while (++i < count);
    }
  },
};

/** The slope per candle of the least-squares line through the last n values of x; n of at least 2. */
export const slopeOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(slopeKind, [sumsOf(dag, x, n), weightedSumsOf(dag, x, n)], [n]);

/**
 * In: any series; out: value in its unit, slope in its unit per candle, r2 as a ratio from 0 to 1; first value after n candles, settled after n.
 * The value is the line's end, at the current candle: the mean + slope × (n − 1) / 2. r2 is the squared correlation with time, slope² (n² − 1) / 12 / variance;
 * on a flat window the slope is exactly 0, the value exactly that of the series, and r2 is 0 / 0, so not ready.
 */
export const linreg: FunctionDefinition = {
  name: 'linreg',
  summary: 'Linear regression: the least-squares line through the last n values; value = its end at the current candle, slope = its rise per candle, r2 = how much of the movement it explains.',
  arguments: [inputSeries, length('n', 2)],
  fields: ['value', 'slope', 'r2'],
  returns: 'series',
  unit: 'that of the series; slope per candle; r2 is a ratio',
  seed: 'none: a full window',
  source: 'least squares; TA-Lib LINEARREG, LINEARREG_SLOPE; r2 is the squared CORREL with time',
  example: 'linreg(50).slope > 0 && linreg(50).r2 > 0.8',
  build: (dag, [x], [n], field) => {
    const slope = slopeOf(dag, x!, n!);
    if (field === 'slope') return slope;
    if (field === 'value') return dag.node(add, [smaOf(dag, x!, n!), dag.node(multiply, [slope, dag.constant((n! - 1) / 2)])]);
    const correlation = dag.node(divide, [dag.node(multiply, [slope, dag.constant(Math.sqrt((n! * n! - 1) / 12))]), stdevOf(dag, x!, n!)]);
    return dag.node(minimum, [dag.constant(1), dag.node(multiply, [correlation, correlation])]);
  },
};
