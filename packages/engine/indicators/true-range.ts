import type { Dag, Ref } from '../graph/dag.ts';
import type { NodeKind } from '../graph/node-kind.ts';
import type { FunctionDefinition } from './definition.ts';

/** State: the previous close. The first candle has no value, for it has no previous close. */
export const trueRangeKind: NodeKind = {
  name: 'trueRange',
  stateSize: () => 1,
  first: () => 2,
  settle: () => 2,
  start: (s, at) => {
    s[at] = Number.NaN;
  },
  bind: ({ inputs, out, state }) => {
    const [high, low, close] = inputs as [number, number, number];
    return (v, s, stride, count) => {
      let before = s[state]!;
      for (let i = 0; i < count; i++) {
        const top = Math.max(v[high * stride + i]!, before);
        const bottom = Math.min(v[low * stride + i]!, before);
        v[out * stride + i] = top - bottom;
        before = v[close * stride + i]!;
      }
      s[state] = before;
    };
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
