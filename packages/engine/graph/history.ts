import { KERNEL } from '../kernels/kernel-codes.ts';
import type { Dag, Ref } from './dag.ts';
import { HEAD, type Block, type NodeKind } from './node-kind.ts';
import { historyOf } from './ring.ts';

const OFFSET_WIDTH = HEAD + 1 + 3;

/** `x[n]`: the value n candles ago (params[0] = n ≥ 1), read from the history of x. */
const offsetKind: NodeKind = {
  name: 'offset',
  kernel: KERNEL.offset,
  stateSize: () => 0,
  first: ([n]) => n! + 1,
  settle: ([n]) => n! + 1,
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += OFFSET_WIDTH) {
      const out = code[c]!;
      const at = t - code[c + HEAD]!;
      const ring = code[c + HEAD + 2]!;
      const mask = code[c + HEAD + 3]!;
      let i = 0;
      do v[out + i] = s[ring + ((at + i) & mask)]!; while (++i < count);
    }
  },
};

/** `x[1]`, which is asked for most: no ring is needed. State: the value before. */
const previousKind: NodeKind = {
  name: 'previous',
  kernel: KERNEL.previous,
  stateSize: () => 1,
  first: () => 2,
  settle: () => 2,
  start: (s, at) => {
    s[at] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 1) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const x = code[c + HEAD]!;
      let before = s[state]!;
      let i = 0;
      do {
        v[out + i] = before;
        before = v[x + i]!;
      } while (++i < count);
      s[state] = before;
    }
  },
};

/** `x[n]`; a constant is the same at all times, x[0] is x. */
export function offsetOf(dag: Dag, x: Ref, n: number): Ref {
  if (n === 0 || dag.constantOf(x) !== undefined) return x;
  return n === 1 ? dag.node(previousKind, [x]) : dag.node(offsetKind, [historyOf(dag, x, n)], [n]);
}

/** `a > b && a[1] <= b[1]` in three-valued logic: false as soon as one half is false. State: both sides on the candle before. */
export const crossover: NodeKind = {
  name: 'crossover',
  kernel: KERNEL.crossover,
  stateSize: () => 2,
  first: () => 2,
  settle: () => 2,
  start: (s, at) => {
    s[at] = Number.NaN;
    s[at + 1] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 2) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const a = code[c + HEAD]!;
      const b = code[c + HEAD + 1]!;
      let beforeX = s[state]!;
      let beforeY = s[state + 1]!;
      let i = 0;
      do {
        const x = v[a + i]!;
        const y = v[b + i]!;
        // Which way it goes is not to be foreseen: where all four are ready nothing branches on it.
        const all = x + y + beforeX + beforeY;
        v[out + i] = all === all ? Number(x > y) & Number(beforeX <= beforeY) : x <= y || beforeX > beforeY ? 0 : x > y && beforeX <= beforeY ? 1 : Number.NaN;
        beforeX = x;
        beforeY = y;
      } while (++i < count);
      s[state] = beforeX;
      s[state + 1] = beforeY;
    }
  },
};

const RUN_WIDTH = HEAD + 2;

/** State of a run: the previous value, steps since the last one that failed, steps since the last one that was not ready. */
function steps({ v, s, count }: Block, code: Int32Array, from: number, to: number, sign: 1 | -1): void {
  for (let c = from | 0, end = to | 0; c < end; c += RUN_WIDTH) {
    const out = code[c]!;
    const state = code[c + 1]!;
    const n = code[c + HEAD]!;
    const x = code[c + HEAD + 1]!;
    let i = 0;
    do {
      const value = v[x + i]!;
      const before = s[state]!;
      const step = (value - before) * sign;
      s[state] = value;
      let sinceFailed = s[state + 1]! + 1;
      let sinceUnready = s[state + 2]! + 1;
      if (step === step) sinceFailed *= Number(step > 0); // which way it goes is not to be foreseen: no branch
      else if (value === before) sinceFailed = 0; // two infinities differ by NaN although both are ready: equal is no step
      else sinceUnready = 0;
      s[state + 1] = sinceFailed;
      s[state + 2] = sinceUnready;
      v[out + i] = sinceFailed < n ? 0 : sinceUnready < n ? Number.NaN : 1;
    } while (++i < count);
  }
}

const run = (name: string, sign: 1 | -1): NodeKind => ({
  name,
  stateSize: () => 3,
  first: ([n]) => n! + 1,
  settle: ([n]) => n! + 1,
  start: (s, at, [n]) => {
    s[at] = Number.NaN;
    s[at + 1] = n!; // nothing has failed yet,
    s[at + 2] = 0; // but nothing is known either
  },
  kernel: sign === 1 ? KERNEL.rising : KERNEL.falling,
  run: (block, code, from, to) => steps(block, code, from, to, sign),
});

/** n (params[0]) consecutive steps, each above the one before. */
export const rising = run('rising', 1);
/** n consecutive steps, each below the one before. */
export const falling = run('falling', -1);
