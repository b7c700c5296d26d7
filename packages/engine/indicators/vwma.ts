import { multiply } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { differenceOf } from '../graph/double-double.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { SUMS_FLAT, SUMS_VALUE, SUMS_WIDTH, sumsOf } from '../graph/sums.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 1 + 3 + 3 + 3;

/**
 * Σ x·w / Σ w over the last n candles, from exact totals of the products and of the weights. A window of equal x has exactly that value, as the
 * rounded products would not; one whose weights are all 0 is 0 / 0, and so not ready.
 */
const weightedMeanKind: NodeKind = {
  name: 'weightedMean',
  stateSize: () => 0,
  first: ([n]) => n!,
  settle: ([n]) => n!,
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const n = code[c + HEAD]!;
      const x = code[c + HEAD + 2]!;
      const xMask = code[c + HEAD + 3]!;
      const ready = code[c + HEAD + 4]!;
      const products = code[c + HEAD + 5]!;
      const productsMask = code[c + HEAD + 6]!;
      const weights = code[c + HEAD + 8]!;
      const weightsMask = code[c + HEAD + 9]!;
      let i = 0;
      do {
        let result = Number.NaN;
        // A product is ready where both its sides are.
        if (v[ready + i]! >= n) {
          const now = t + i;
          const weight = differenceOf(s, weights + (now & weightsMask) * SUMS_WIDTH, weights + ((now - n) & weightsMask) * SUMS_WIDTH);
          const value = x + (now & xMask) * SUMS_WIDTH;
          if (s[value + SUMS_FLAT]! < n) result = differenceOf(s, products + (now & productsMask) * SUMS_WIDTH, products + ((now - n) & productsMask) * SUMS_WIDTH) / weight;
          else if (weight !== 0) result = s[value + SUMS_VALUE]!;
        }
        v[out + i] = result;
      } while (++i < count);
    }
  },
};

/** The mean of the last n values of x, each weighted with w. */
export const weightedMeanOf = (dag: Dag, x: Ref, w: Ref, n: number): Ref =>
  dag.node(weightedMeanKind, [sumsOf(dag, x, n), sumsOf(dag, dag.node(multiply, [x, w]), n), sumsOf(dag, w, n)], [n]);

/** In: any series, volume; out: the unit of the series; first value after n candles, settled after n. Not ready where nothing was traded in n candles. */
export const vwma: FunctionDefinition = {
  name: 'vwma',
  summary: 'Volume-weighted moving average: Σ (x × volume) / Σ volume over the last n candles.',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'definition; TradingView ta.vwma',
  example: 'close > vwma(20) && vwma(20) > sma(20)',
  build: (dag, [x], [n]) => weightedMeanOf(dag, x!, dag.column('volume'), n!),
};
