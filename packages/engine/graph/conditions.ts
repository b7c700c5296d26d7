import type { Dag, Ref } from './dag.ts';
import { not } from './logic.ts';
import { HEAD, type NodeKind } from './node-kind.ts';

/** State: [candles since c last held, ready candles up to now]. Not ready while c is not ready on one of the last n (params[0]). */
const withinKind: NodeKind = {
  name: 'within',
  stateSize: () => 2,
  first: ([n]) => n!,
  settle: ([n]) => n!,
  start: (s, at) => {
    s[at] = Infinity;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 2) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const n = code[c + HEAD]!;
      const x = code[c + HEAD + 1]!;
      let since = s[state]!;
      let ready = s[state + 1]!;
      let i = 0;
      do {
        const value = v[x + i]!;
        since = value === 1 ? 0 : since + 1;
        ready = value === value ? ready + 1 : 0;
        v[out + i] = ready < n ? Number.NaN : Number(since < n);
      } while (++i < count);
      s[state] = since;
      s[state + 1] = ready;
    }
  },
};

/** Whether c held on at least one of the last n candles, the current one included. */
export const withinOf = (dag: Dag, c: Ref, n: number): Ref => dag.node(withinKind, [c], [n]);
/** Whether c held on all of the last n candles, the current one included: never was it not so. */
export const heldOf = (dag: Dag, c: Ref, n: number): Ref => dag.node(not, [withinOf(dag, dag.node(not, [c]), n)]);

/** State: the answer on the candle before, NaN before the first event. A candle on which c is not ready is one on which it does not hold: counting goes on. */
const barsSinceKind: NodeKind = {
  name: 'barsSince',
  stateSize: () => 1,
  first: () => 1,
  settle: () => 1,
  start: (s, at) => {
    s[at] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 1) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const x = code[c + HEAD]!;
      let since = s[state]!;
      let i = 0;
      do v[out + i] = since = v[x + i] === 1 ? 0 : since + 1; while (++i < count);
      s[state] = since;
    }
  },
};

/** Candles since c last held: 0 = now; not ready until it has. Settled with the first event after c has settled: from then on it is the same wherever the candles began. */
export const barsSinceOf = (dag: Dag, c: Ref): Ref => dag.node(barsSinceKind, [c]);

/** State: the answer, NaN before the first event. Its only param is how many candles the first event is waited for. */
const valueWhenKind: NodeKind = {
  name: 'valueWhen',
  stateSize: () => 1,
  first: () => 1,
  settle: ([wait]) => wait!,
  start: (s, at) => {
    s[at] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 1 + 2) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const condition = code[c + HEAD + 1]!;
      const x = code[c + HEAD + 2]!;
      let last = s[state]!;
      let i = 0;
      do {
        if (v[condition + i] === 1) last = v[x + i]!;
        v[out + i] = last;
      } while (++i < count);
      s[state] = last;
    }
  },
};

/** The value that x had when c last held; not ready until it has, which nearly always is within `wait` candles: it is said to have settled then. */
export const valueWhenOf = (dag: Dag, c: Ref, x: Ref, wait: number): Ref => dag.node(valueWhenKind, [c, x], [wait]);
