import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { historyOf } from '../graph/ring.ts';
import { length, type Argument, type FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 1 + 1 + 3;

/**
 * Where the extreme of the last n values lies, by spans of n as in `highest-lowest.ts`, with ordinals in place of values: O(1) amortised. Of equal extremes
 * the latest counts. State: [candles of the span under way, ordinal of their extreme, for k = 1 … n − 1 that of the last span without its first k
 * candles]. `sign` 1 = highest, −1 = lowest.
 */
const barsSince = (name: string, sign: 1 | -1): NodeKind => {
  /** Ends the span at the candle before `end`. */
  const endSpan = (s: Float64Array, state: number, n: number, ring: number, mask: number, end: number): void => {
    let best = end - 1;
    for (let k = n - 1; k >= 1; k--) {
      const at = end - n + k;
      if (s[ring + (at & mask)]! * sign > s[ring + (best & mask)]! * sign) best = at;
      s[state + 1 + k] = best;
    }
    s[state] = 0;
  };
  return {
    name,
    stateSize: ([n]) => n! + 1,
    first: ([n]) => n!,
    settle: ([n]) => n!,
    run: ({ v, s, count, t }, code, from, to) => {
      for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
        const out = code[c]!;
        const state = code[c + 1]!;
        const n = code[c + HEAD]!;
        const x = code[c + HEAD + 1]!;
        const ready = code[c + HEAD + 2]!;
        const ring = code[c + HEAD + 3]!;
        const mask = code[c + HEAD + 4]!;
        let i = 0;
        do {
          const now = t + i;
          const taken = (s[state]! | 0) + 1;
          let best = s[state + 1]!;
          if (taken === 1 || !(v[x + i]! * sign < s[ring + (best & mask)]! * sign)) best = now;
          s[state] = taken;
          s[state + 1] = best;
          if (taken < n) {
            const end = s[state + 1 + taken]!;
            if (s[ring + (end & mask)]! * sign > s[ring + (best & mask)]! * sign) best = end;
          } else endSpan(s, state, n, ring, mask, now + 1);
          v[out + i] = v[ready + i]! >= n ? now - best : Number.NaN;
        } while (++i < count);
      }
    },
  };
};

const highestBarsKind = barsSince('highestBars', 1);
const lowestBarsKind = barsSince('lowestBars', -1);

/** Candles since the largest of the last n values of x, the latest of equal ones; 0 = now. */
export const highestBarsOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(highestBarsKind, [x, historyOf(dag, x, n)], [n]);
/** Candles since the smallest of the last n values of x, the latest of equal ones; 0 = now. */
export const lowestBarsOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(lowestBarsKind, [x, historyOf(dag, x, n)], [n]);

const series: Argument = { name: 'series', type: 'series' };

/** In: any series; out: candles from 0 to n − 1; first value after n candles, settled after n. */
export const highestBars: FunctionDefinition = {
  name: 'highestBars',
  summary: 'Candles since the largest of the last n values: 0 = the current candle, n − 1 = the oldest; of equal ones the latest.',
  arguments: [series, length()],
  returns: 'series',
  unit: 'candles',
  seed: 'none: a full window',
  source: 'TA-Lib MAXINDEX, counted back from the current candle (of equal ones TA-Lib may take an earlier)',
  example: 'highestBars(high, 20) == 0',
  build: (dag, [x], [n]) => highestBarsOf(dag, x!, n!),
};

/** In: any series; out: candles from 0 to n − 1; first value after n candles, settled after n. */
export const lowestBars: FunctionDefinition = {
  ...highestBars,
  name: 'lowestBars',
  summary: 'Candles since the smallest of the last n values: 0 = the current candle, n − 1 = the oldest; of equal ones the latest.',
  source: 'TA-Lib MININDEX, counted back from the current candle (of equal ones TA-Lib may take an earlier)',
  example: 'lowestBars(low, 20) > 5',
  build: (dag, [x], [n]) => lowestBarsOf(dag, x!, n!),
};
