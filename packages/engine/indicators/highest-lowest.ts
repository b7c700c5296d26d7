import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { historyOf } from '../graph/ring.ts';
import { length, type Argument, type FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 1 + 1 + 3;

/**
 * The extreme of the last n values. Candles are taken in spans of n: of the last span the extremes of its ends are kept, of the one under way the
 * extreme so far; a window is an end and a beginning, so a candle costs O(1) amortised whatever comes. State: [candles of the span under
 * way, their extreme, for k = 1 … n − 1 the extreme of the last span without its first k candles]. Source: M. van Herk, "A fast algorithm for
 * local minimum and maximum filters", 1992. `sign` 1 = highest, −1 = lowest.
 */
const extreme = (name: string, sign: 1 | -1): NodeKind => {
  const least = -sign * Infinity;
  /** Ends the span at the candle before `end`. */
  const endSpan = (s: Float64Array, state: number, n: number, values: number, mask: number, end: number): void => {
    let best = least;
    for (let k = n - 1; k >= 1; k--) {
      const value = s[values + ((end - n + k) & mask)]!;
      if (value * sign > best * sign) best = value;
      s[state + 1 + k] = best;
    }
    s[state] = 0;
    s[state + 1] = least;
  };
  return {
    name,
    stateSize: ([n]) => n! + 1,
    first: ([n]) => n!,
    settle: ([n]) => n!,
    start: (s, at, [n]) => {
      s.fill(least, at + 1, at + 1 + n!);
    },
    run: ({ v, s, count, t }, code, from, to) => {
      for (let c = from; c < to; c += WIDTH) {
        const out = code[c]!;
        const state = code[c + 1]!;
        const n = code[c + HEAD]!;
        const x = code[c + HEAD + 1]!;
        const ready = code[c + HEAD + 2]!;
        let i = 0;
        do {
          const value = v[x + i]!;
          const taken = (s[state]! | 0) + 1;
          let best = s[state + 1]!;
          if (value * sign > best * sign) best = value;
          s[state] = taken;
          s[state + 1] = best;
          if (taken < n) {
            const end = s[state + 1 + taken]!;
            if (end * sign > best * sign) best = end;
          } else endSpan(s, state, n, code[c + HEAD + 3]!, code[c + HEAD + 4]!, t + i + 1);
          v[out + i] = v[ready + i]! >= n ? best : Number.NaN;
        } while (++i < count);
      }
    },
    recount: ({ s, t }, code, from, to) => {
      for (let c = from; c < to; c += WIDTH) endSpan(s, code[c + 1]!, code[c + HEAD]!, code[c + HEAD + 3]!, code[c + HEAD + 4]!, t);
    },
  };
};

const highestKind = extreme('highest', 1);
const lowestKind = extreme('lowest', -1);

/** The largest of the last n values of x. */
export const highestOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(highestKind, [x, historyOf(dag, x, n)], [n]);
/** The smallest of the last n values of x. */
export const lowestOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(lowestKind, [x, historyOf(dag, x, n)], [n]);

const series: Argument = { name: 'series', type: 'series' };

/** In: any series; out: its unit; first value after n candles, settled after n. */
export const highest: FunctionDefinition = {
  name: 'highest',
  summary: 'The largest of the last n values, the current candle included.',
  arguments: [series, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'TA-Lib MAX',
  example: 'close > highest(high, 20)[1]',
  build: (dag, [x], [n]) => highestOf(dag, x!, n!),
};

/** In: any series; out: its unit; first value after n candles, settled after n. */
export const lowest: FunctionDefinition = {
  name: 'lowest',
  summary: 'The smallest of the last n values, the current candle included.',
  arguments: [series, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'TA-Lib MIN',
  example: 'close < lowest(low, 20)[1]',
  build: (dag, [x], [n]) => lowestOf(dag, x!, n!),
};
