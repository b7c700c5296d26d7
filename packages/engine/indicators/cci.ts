import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { SUMS_VALUE, SUMS_WIDTH, sumsOf } from '../graph/sums.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { meanPriceOf } from './mean-price.ts';
import { smaOf } from './sma.ts';

const WIDTH = HEAD + 1 + 1 + 3;

/**
 * The distance of x from its mean in mean distances of the window, over 0.015. Every distance changes with the mean, so a candle costs n additions: by definition, and
 * with no memory but the ring that the mean has too. A window of equal values is 0 / 0, and so not ready.
 */
const cciKind: NodeKind = {
  name: 'cci',
  stateSize: () => 0,
  first: () => 1,
  settle: () => 1,
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const n = code[c + HEAD]!;
      const means = code[c + HEAD + 1]!;
      const values = code[c + HEAD + 3]! + SUMS_VALUE;
      const mask = code[c + HEAD + 4]!;
      let i = 0;
      do {
        const mean = v[means + i]!;
        let result = Number.NaN;
        if (mean === mean) {
          let distances = 0;
          for (let at = t + i - n + 1; at <= t + i; at++) distances += Math.abs(s[values + (at & mask) * SUMS_WIDTH]! - mean);
          result = (s[values + ((t + i) & mask) * SUMS_WIDTH]! - mean) / (0.015 * (distances / n));
        }
        v[out + i] = result;
      } while (++i < count);
    }
  },
};

const cciOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(cciKind, [smaOf(dag, x, n), sumsOf(dag, x, n)], [n]);

/** In: high, low, close; out: points around 0, mostly within ±100; first value after n candles, settled after n. O(n) per candle: the mean has moved, and with it each distance. */
export const cci: FunctionDefinition = {
  name: 'cci',
  summary: 'Commodity channel index: the distance of hlc3 from its mean of n candles, in 0.015 mean distances.',
  arguments: [length('n', 2)],
  returns: 'series',
  unit: 'points',
  seed: 'none: a full window',
  cost: 'in proportion to n, for the mean distance needs every value of the window',
  source: 'D. Lambert, 1980; TA-Lib CCI',
  example: 'crossover(cci(20), -100)',
  build: (dag, _series, [n]) => cciOf(dag, meanPriceOf(dag, 'high', 'low', 'close'), n!),
};
