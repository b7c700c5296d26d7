import type { Dag, Ref } from './dag.ts';
import { addExact } from './double-double.ts';
import { HEAD, type NodeKind } from './node-kind.ts';

const WIDTH = HEAD + 1;

/**
 * The sum of all values of x since the first candle, kept in two doubles and rounded once: however long it runs, a difference of two totals is that of the candles between them to
 * a last digit of the totals. A value that is not ready is passed over. Its level depends on where the candles began: see `language/running-totals.ts`. State: the total.
 */
const runningTotalKind: NodeKind = {
  name: 'runningTotal',
  stateSize: () => 2,
  first: () => 1,
  settle: () => 1,
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const x = code[c + HEAD]!;
      let i = 0;
      do {
        const value = v[x + i]!;
        let result = Number.NaN;
        if (value - value === 0) {
          addExact(s, state, state, value, 0);
          result = s[state]!;
        }
        v[out + i] = result;
      } while (++i < count);
    }
  },
};

/** The sum of all values of x up to now. */
export const runningTotalOf = (dag: Dag, x: Ref): Ref => dag.node(runningTotalKind, [x]);
