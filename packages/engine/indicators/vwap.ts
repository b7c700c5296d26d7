import { intervalMs } from '@trademind/core';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import type { FunctionDefinition } from './definition.ts';
import { meanPriceOf } from './mean-price.ts';

const DAY_MS = 86_400_000;
const WIDTH = HEAD + 1 + 3;

/**
 * The mean of x since the UTC day began, weighted with w. Not ready before the day's first trade, and after a candle that is not known until the day is over. Its param is how many candles a day
 * has. State: [the day, its weight, its mean]; the running form of the mean is exact while x stands still.
 */
const dayMeanKind: NodeKind = {
  name: 'dayMean',
  stateSize: () => 3,
  first: () => 1,
  settle: ([candles]) => candles!,
  start: (s, at) => {
    s[at] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const openTime = code[c + HEAD + 1]!;
      const x = code[c + HEAD + 2]!;
      const w = code[c + HEAD + 3]!;
      let day = s[state]!;
      let weight = s[state + 1]!;
      let mean = s[state + 2]!;
      let i = 0;
      do {
        const today = Math.floor(v[openTime + i]! / DAY_MS);
        if (today !== day) {
          day = today;
          weight = 0;
          mean = 0;
        }
        weight += v[w + i]!;
        if (weight !== 0) mean += (v[x + i]! - mean) * (v[w + i]! / weight);
        v[out + i] = weight === 0 ? Number.NaN : mean;
      } while (++i < count);
      s[state] = day;
      s[state + 1] = weight;
      s[state + 2] = mean;
    }
  },
};

/**
 * In: open time, high, low, close, volume; out: price; first value on the first candle that trades, over what is known of its day; settled after as many candles as a day has: by then a whole day has
 * begun. On intervals longer than a day it is the hlc3 of each candle.
 */
export const vwap: FunctionDefinition = {
  name: 'vwap',
  summary: 'Volume-weighted average price of the UTC day: Σ (hlc3 × volume) / Σ volume of the candles that opened on it.',
  arguments: [],
  returns: 'series',
  unit: 'price',
  seed: 'the first candle of the day',
  source: 'definition; Stock.Indicators VWAP from the start of the day',
  example: 'crossover(close, vwap())',
  build: (dag) => {
    const candles = Math.max(1, DAY_MS / intervalMs(dag.interval));
    return dag.node(dayMeanKind, [dag.column('openTime'), meanPriceOf(dag, 'high', 'low', 'close'), dag.column('volume')], [candles]);
  },
};
