import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { historyOf } from '../graph/ring.ts';

const WIDTH = HEAD + 1 + 1 + 3;

/**
 * Candles since the extreme of the last n values, 0 = the current one; of equal ones the latest. Spans of n candles as in `highest`, with the place of each extreme beside it.
 * State: [candles of the span under way, their extreme, its ordinal, for k = 1 … n − 1 the extreme of the last span without its first k candles, and their ordinals].
 */
const sinceExtreme = (name: string, sign: 1 | -1): NodeKind => {
  const least = -sign * Infinity;
  /** Ends the span at the candle before `end`. */
  const endSpan = (s: Float64Array, state: number, n: number, values: number, mask: number, end: number): void => {
    let best = least;
    let place = end;
    for (let k = n - 1; k >= 1; k--) {
      const value = s[values + ((end - n + k) & mask)]!;
      if (value * sign > best * sign) {
        best = value;
        place = end - n + k;
      }
      s[state + 2 + k] = best;
      s[state + 1 + n + k] = place;
    }
    s[state] = 0;
    s[state + 1] = least;
  };
  return {
    name,
    stateSize: ([n]) => 2 * n! + 1,
    first: ([n]) => n!,
    settle: ([n]) => n!,
    start: (s, at, [n]) => {
      s[at + 1] = least;
      s.fill(least, at + 3, at + 2 + n!);
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
          let place = s[state + 2]!;
          if (value * sign >= best * sign) {
            best = value;
            place = t + i;
          }
          s[state] = taken;
          s[state + 1] = best;
          s[state + 2] = place;
          if (taken < n) {
            if (s[state + 2 + taken]! * sign > best * sign) place = s[state + 1 + n + taken]!;
          } else endSpan(s, state, n, code[c + HEAD + 3]!, code[c + HEAD + 4]!, t + i + 1);
          v[out + i] = v[ready + i]! >= n ? t + i - place : Number.NaN;
        } while (++i < count);
      }
    },
    recount: ({ s, t }, code, from, to) => {
      for (let c = from; c < to; c += WIDTH) endSpan(s, code[c + 1]!, code[c + HEAD]!, code[c + HEAD + 3]!, code[c + HEAD + 4]!, t);
    },
  };
};

const sinceHighestKind = sinceExtreme('sinceHighest', 1);
const sinceLowestKind = sinceExtreme('sinceLowest', -1);

/** Candles since the largest of the last n values of x. */
export const sinceHighestOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(sinceHighestKind, [x, historyOf(dag, x, n)], [n]);
/** Candles since the smallest of the last n values of x. */
export const sinceLowestOf = (dag: Dag, x: Ref, n: number): Ref => dag.node(sinceLowestKind, [x, historyOf(dag, x, n)], [n]);
