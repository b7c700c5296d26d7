import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { KERNEL } from '../kernels/kernel-codes.ts';
import type { FunctionDefinition } from './definition.ts';

const WIDTH = HEAD + 3;

/** State: the previous close. The first candle has no value, for it has no previous close. */
const trueRangeKind: NodeKind = {
  name: 'trueRange',
  kernel: KERNEL.trueRange,
  stateSize: () => 1,
  first: () => 2,
  settle: () => 2,
  start: (s, at) => {
    s[at] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const high = code[c + HEAD]!;
      const low = code[c + HEAD + 1]!;
      const close = code[c + HEAD + 2]!;
      let before = s[state]!;
      let i = 0;
      do {
        v[out + i] = Math.max(v[high + i]!, before) - Math.min(v[low + i]!, before);
        before = v[close + i]!;
      } while (++i < count);
      s[state] = before;
    }
  },
};

export const trueRangeOf = (dag: Dag): Ref => dag.node(trueRangeKind, [dag.column('high'), dag.column('low'), dag.column('close')]);

/** In: high, low, close; out: price; first value and settled at the second candle. */
export const trueRange: FunctionDefinition = {
  name: 'trueRange',
  summary: 'True range: the span of the candle and the previous close.',
  arguments: [],
  returns: 'series',
  unit: 'price',
  seed: 'none: needs the previous close',
  source: 'J. W. Wilder, New Concepts in Technical Trading Systems, 1978',
  example: 'trueRange() > 2 * atr(14)',
  build: (dag) => trueRangeOf(dag),
};
