import type { NodeKind } from '../graph/node-kind.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { addExact, meanExact } from './double-double.ts';
import { isFull, ready, slide, WINDOW_HEAD, windowSize } from './window.ts';

/**
 * Mean of the last n values. State: the window, then the sum in two doubles. Exact, so it is the same wherever it began; the sum is
 * taken anew each time the ring comes round, so that an extreme value leaves no trace.
 */
export const smaKind: NodeKind = {
  name: 'sma',
  stateSize: ([n]) => windowSize(n!) + 2,
  first: ([n]) => n!,
  settle: ([n]) => n!,
  bind: ({ inputs, params, out, state }) => {
    const x = inputs[0]!;
    const n = params[0]!;
    const sum = state + windowSize(n);
    return (v, s, stride, count) => {
      for (let i = 0; i < count; i++) {
        const value = ready(v[x * stride + i]!);
        const gone = slide(s, state, n, value);
        if (s[state] === 0) {
          s[sum] = 0;
          s[sum + 1] = 0;
          for (let k = 0; k < n; k++) {
            const held = s[state + WINDOW_HEAD + k]!;
            if (held === held) addExact(s, sum, held);
          }
        } else {
          if (value === value) addExact(s, sum, value);
          if (gone === gone) addExact(s, sum, -gone);
        }
        v[out * stride + i] = isFull(s, state, n) ? meanExact(s[sum]!, s[sum + 1]!, n) : Number.NaN;
      }
    };
  },
};

/** In: any series; out: its unit; first value after n candles, settled after n. */
export const sma: FunctionDefinition = {
  name: 'sma',
  summary: 'Simple moving average: the mean of the last n values.',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'definition; TA-Lib SMA',
  example: 'close > sma(50)',
  build: (dag, [x], [n]) => dag.node(smaKind, [x!], [n!]),
};
