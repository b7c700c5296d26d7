import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind, type Run } from '../graph/node-kind.ts';
import { historyOf } from '../graph/ring.ts';
import { KERNEL } from '../kernels/kernel-codes.ts';
import { length, type Argument, type FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 1 + 1 + 3;

// Where an extreme keeps what, in its state.
const BEST = 0;
const BEST_AT = 1;
const END = 2;
const AFTER = 3;
const AFTER_AT = 4;
const SEEN = 5;
const ENDS = 6;

/**
 * The extreme of the last n values, found as the largest of x × sign. While the best so far is in the window, a candle costs one comparison. When it falls out, the extremes of all
 * ends of the window are laid down; from them, and the extreme of what comes after, the next best ones are read until the last of them has fallen out too: O(1) amortised, whatever
 * comes. State: [the best, its ordinal, the ordinal at which the ends were laid down, the best after that, its ordinal, the ordinal up to which that is known, then the n ends: the
 * best from the k-th value of that window on]. Source: after M. van Herk, "A fast algorithm for local minimum and maximum filters", 1992.
 */
const run: Run = ({ v, s, k, count, t }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
    const out = code[c]!;
    const state = code[c + 1]!;
    const sign = k[code[c + 2]!]!;
    const n = code[c + HEAD]!;
    const x = code[c + HEAD + 1]!;
    const ready = code[c + HEAD + 2]!;
    let i = 0;
    do {
      const value = v[x + i]! * sign;
      let best = s[state + BEST]!;
      if (value >= best) {
        best = value;
        s[state + BEST] = value;
        s[state + BEST_AT] = t + i;
      } else if (t + i - s[state + BEST_AT]! >= n) {
        renew(s, state, sign, n, code[c + HEAD + 3]!, code[c + HEAD + 4]!, t + i);
        best = s[state + BEST]!;
      }
      v[out + i] = v[ready + i]! >= n ? best * sign : Number.NaN;
    } while (++i < count);
  }
};

/** The best has fallen out of the window that ends with the ordinal t. */
function renew(s: Float64Array, state: number, sign: number, n: number, values: number, mask: number, t: number): void {
  const first = t - s[state + END]!;
  if (first >= n) {
    layDown(s, state, sign, n, values, mask, t);
    return;
  }
  let after = s[state + AFTER]!;
  for (let at = s[state + SEEN]! + 1; at <= t; at++) {
    const value = s[values + (at & mask)]! * sign;
    if (value >= after) {
      after = value;
      s[state + AFTER_AT] = at;
    }
  }
  s[state + AFTER] = after;
  s[state + SEEN] = t;
  if (after < s[state + ENDS + first]!) takeEnd(s, state, n, first);
  else {
    s[state + BEST] = after;
    s[state + BEST_AT] = after === -Infinity ? Infinity : s[state + AFTER_AT]!;
  }
}

/** Lays down the ends of the window whose last value is that of ordinal t. */
function layDown(s: Float64Array, state: number, sign: number, n: number, values: number, mask: number, t: number): void {
  let best = -Infinity;
  for (let end = n - 1; end >= 0; end--) {
    const value = s[values + ((t - n + 1 + end) & mask)]! * sign;
    if (value > best) best = value;
    s[state + ENDS + end] = best;
  }
  s[state + END] = t;
  s[state + AFTER] = -Infinity;
  s[state + SEEN] = t;
  takeEnd(s, state, n, 0);
}

/** The best is that of an end; it lies as late as the ends have it. Where no value was ready there is none that could fall out. */
function takeEnd(s: Float64Array, state: number, n: number, end: number): void {
  const best = s[state + ENDS + end]!;
  let at = end;
  while (at + 1 < n && s[state + ENDS + at + 1] === best) at++;
  s[state + BEST] = best;
  s[state + BEST_AT] = best === -Infinity ? Infinity : s[state + END]! - n + 1 + at;
}

const extreme = (name: string, sign: 1 | -1): NodeKind => ({
  name,
  stateSize: ([n]) => n! + ENDS,
  first: ([n]) => n!,
  settle: ([n]) => n!,
  reals: () => [sign],
  kernel: KERNEL.extreme,
  start: (s, at) => {
    s[at + BEST] = -Infinity;
    s[at + BEST_AT] = Infinity;
    s[at + END] = -Infinity;
  },
  run,
  recount: ({ s, k, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) layDown(s, code[c + 1]!, k[code[c + 2]!]!, code[c + HEAD]!, code[c + HEAD + 3]!, code[c + HEAD + 4]!, t - 1);
  },
});

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
