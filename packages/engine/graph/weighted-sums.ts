import type { Dag, Ref } from './dag.ts';
import { addExact, productError } from './double-double.ts';
import { HEAD, type NodeKind } from './node-kind.ts';
import { ringCapacity } from './ring.ts';
import { SUMS_VALUE, SUMS_WIDTH, sumsOf } from './sums.ts';

const PAIR = 2;
const WIDTH = HEAD + 1 + 1 + 3;

/**
 * Running totals of x times its place, in two doubles, so that a window's weighted sum is the exact difference of two. Places are counted from a base that
 * moves up each time the ring comes round, so that they stay small; `weightAt` tells them.
 */
const weightedSumsKind: NodeKind = {
  name: 'weightedSums',
  ring: { head: 0, width: PAIR },
  stateSize: ([capacity]) => capacity! * PAIR,
  first: () => 1,
  settle: () => 1,
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const ring = code[c + 1]!;
      const mask = code[c + HEAD]! - 1;
      const x = code[c + HEAD + 1]!;
      let i = 0;
      do {
        const place = (t + i) & mask;
        const at = ring + place * PAIR;
        addWeighted(s, ring + ((place - 1) & mask) * PAIR, at, mask + 1 + place, v[x + i]!);
        v[out + i] = s[at]!;
        if (place === mask) sumUp(s, code, c, t + i, t + count - 1);
      } while (++i < count);
    }
  },
  recount: ({ s, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) sumUp(s, code, c, t - 1, t - 1);
  },
};

/** Adds weight × value exactly; what is not finite counts 0. */
function addWeighted(s: Float64Array, before: number, at: number, weight: number, value: number): void {
  const product = value - value === 0 ? weight * value : 0;
  addExact(s, before, at, product, product === 0 ? 0 : productError(weight, value, product));
}

/** Totals of all that the ring holds, up to the ordinal `last`; `newest` is the last that the values' ring holds. */
function sumUp(s: Float64Array, code: Int32Array, c: number, last: number, newest: number): void {
  const ring = code[c + 1]!;
  const mask = code[c + HEAD]! - 1;
  const values = code[c + HEAD + 3]! + SUMS_VALUE;
  const valuesMask = code[c + HEAD + 4]!;
  const oldest = newest - mask;
  let before = ring + (oldest & mask) * PAIR;
  s[before] = 0;
  s[before + 1] = 0;
  for (let t = oldest; t <= last; t++) {
    const at = ring + (t & mask) * PAIR;
    addWeighted(s, before, at, weightAt(t, last, mask), s[values + (t & valuesMask) * SUMS_WIDTH]!);
    before = at;
  }
}

/** The weight that the candle of ordinal t has in the totals, once those of ordinal `last` were added. */
export const weightAt = (t: number, last: number, mask: number): number => t - (last + 1 - ((last + 1) & mask)) + mask + 1;

/** Running totals of x times its place, from which runs read `n` candles back. */
export const weightedSumsOf = (dag: Dag, x: Ref, n: number): Ref => dag.ring(weightedSumsKind, [x, sumsOf(dag, x, n)], ringCapacity(n));
