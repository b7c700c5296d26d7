import { KERNEL } from '../kernels/kernel-codes.ts';
import type { Dag, Ref } from './dag.ts';
import { HEAD, MAX_BLOCK, type NodeKind } from './node-kind.ts';

/** The smallest ring from which a run can read `n` candles back while a block is under way. */
export function ringCapacity(n: number): number {
  let capacity = MAX_BLOCK * 2;
  while (capacity < n + MAX_BLOCK) capacity *= 2;
  return capacity;
}

const HISTORY_WIDTH = HEAD + 1 + 1;

/**
 * The last values of a series, as they came. Its value is how many finite ones came one after the other up to now: a window of n over it is
 * full of ready values when that is at least n. State: that count, then the ring.
 */
export const historyKind: NodeKind = {
  name: 'history',
  kernel: KERNEL.history,
  ring: { head: 1, width: 1 },
  stateSize: ([capacity]) => 1 + capacity!,
  first: () => 1,
  settle: () => 1,
  start: (s, at, [capacity]) => {
    s.fill(Number.NaN, at + 1, at + 1 + capacity!);
  },
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HISTORY_WIDTH) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const mask = code[c + HEAD]! - 1;
      const x = code[c + HEAD + 1]!;
      const ring = state + 1;
      let ready = s[state]!;
      let i = 0;
      do {
        const value = v[x + i]!;
        s[ring + ((t + i) & mask)] = value;
        ready = value - value === 0 ? ready + 1 : 0;
        v[out + i] = ready;
      } while (++i < count);
      s[state] = ready;
    }
  },
};

/** The history of x from which runs read `n` candles back. One ring serves all who ask. */
export const historyOf = (dag: Dag, x: Ref, n: number): Ref => dag.ring(historyKind, [x], ringCapacity(n));
