import { KERNEL } from '../kernels/kernel-codes.ts';
import type { Dag, Ref } from './dag.ts';
import { addExact, productError } from './double-double.ts';
import { HEAD, type Block, type NodeKind } from './node-kind.ts';
import { ringCapacity } from './ring.ts';

/**
 * What a window over a series needs, one entry per candle: the running total of x in two doubles, x itself, and how many candles x has been exactly
 * what it is. A window's sum is the exact difference of two totals, so nothing is carried from window to window, and every length shares the ring.
 */
export const SUMS_WIDTH = 4;
/** Where x and its flat run lie in an entry. */
export const SUMS_VALUE = 2;
export const SUMS_FLAT = 3;

const WIDTH = HEAD + 1 + 1;

/** State: how many finite values came one after the other up to now, which is the node's value too; then the ring. */
const sumsKind: NodeKind = {
  name: 'sums',
  kernel: KERNEL.sums,
  ring: { head: 1, width: SUMS_WIDTH },
  stateSize: ([capacity]) => 1 + capacity! * SUMS_WIDTH,
  first: () => 1,
  settle: () => 1,
  start: (s, at, [capacity]) => {
    for (let entry = at + 1; entry < at + 1 + capacity! * SUMS_WIDTH; entry += SUMS_WIDTH) s[entry + SUMS_VALUE] = Number.NaN;
  },
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const mask = code[c + HEAD]! - 1;
      const x = code[c + HEAD + 1]!;
      const ring = state + 1;
      let ready = s[state]!;
      let i = 0;
      do {
        const before = ring + ((t + i - 1) & mask) * SUMS_WIDTH;
        const at = ring + ((t + i) & mask) * SUMS_WIDTH;
        const value = v[x + i]!;
        if (value - value === 0) {
          addExact(s, before, at, value, 0);
          s[at + SUMS_FLAT] = s[before + SUMS_FLAT]! * Number(value === s[before + SUMS_VALUE]!) + 1;
          ready++;
        } else {
          s[at] = s[before]!;
          s[at + 1] = s[before + 1]!;
          s[at + SUMS_FLAT] = 0;
          ready = 0;
        }
        s[at + SUMS_VALUE] = value;
        v[out + i] = ready;
        // Each time the ring comes round, the totals begin anew at 0: they stay small, and an extreme value leaves no trace.
        if (((t + i) & mask) === mask) sumUp(s, ring, mask, t + i);
      } while (++i < count);
      s[state] = ready;
    }
  },
  recount: ({ s, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) sumUp(s, code[c + 1]! + 1, code[c + HEAD]! - 1, t - 1);
  },
};

/** Totals of all that the ring holds, from the oldest entry to that of ordinal `last`. */
function sumUp(s: Float64Array, ring: number, mask: number, last: number): void {
  const oldest = ring + ((last - mask) & mask) * SUMS_WIDTH;
  s[oldest] = 0;
  s[oldest + 1] = 0;
  let before = oldest;
  for (let t = last - mask; t <= last; t++) {
    const at = ring + (t & mask) * SUMS_WIDTH;
    const value = s[at + SUMS_VALUE]!;
    if (value - value === 0) addExact(s, before, at, value, 0);
    else {
      s[at] = s[before]!;
      s[at + 1] = s[before + 1]!;
    }
    before = at;
  }
}

/** Running totals of x (what is not finite counts 0), from which runs read `n` candles back. */
export const sumsOf = (dag: Dag, x: Ref, n: number): Ref => dag.ring(sumsKind, [x], ringCapacity(n));

const PAIR = 2;
const SQUARES_WIDTH = HEAD + 1 + 1 + 3;

/** Adds the square of the value behind `values` exactly. */
function addSquare(s: Float64Array, before: number, at: number, value: number): void {
  const square = value - value === 0 ? value * value : 0;
  addExact(s, before, at, square, square === 0 ? 0 : productError(value, value, square));
}

function squares({ v, s, count, t }: Block, code: Int32Array, from: number, to: number): void {
  for (let c = from | 0, end = to | 0; c < end; c += SQUARES_WIDTH) {
    const out = code[c]!;
    const ring = code[c + 1]!;
    const mask = code[c + HEAD]! - 1;
    const x = code[c + HEAD + 1]!;
    let i = 0;
    do {
      const at = ring + ((t + i) & mask) * PAIR;
      addSquare(s, ring + ((t + i - 1) & mask) * PAIR, at, v[x + i]!);
      v[out + i] = s[at]!;
      if (((t + i) & mask) === mask) squareUp(s, code, c, t + i, t + count - 1);
    } while (++i < count);
  }
}

/** Totals of all squares that the ring holds, up to the ordinal `last`; `newest` is the last that the values' ring holds. */
function squareUp(s: Float64Array, code: Int32Array, c: number, last: number, newest: number): void {
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
    addSquare(s, before, at, s[values + (t & valuesMask) * SUMS_WIDTH]!);
    before = at;
  }
}

/** Running totals of x² in two doubles. */
const squareSumsKind: NodeKind = {
  name: 'squareSums',
  kernel: KERNEL.squareSums,
  ring: { head: 0, width: PAIR },
  stateSize: ([capacity]) => capacity! * PAIR,
  first: () => 1,
  settle: () => 1,
  run: squares,
  recount: ({ s, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += SQUARES_WIDTH) squareUp(s, code, c, t - 1, t - 1);
  },
};

/** Running totals of x², from which runs read `n` candles back. */
export const squareSumsOf = (dag: Dag, x: Ref, n: number): Ref => dag.ring(squareSumsKind, [x, sumsOf(dag, x, n)], ringCapacity(n));
