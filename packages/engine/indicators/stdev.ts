import type { NodeKind } from '../graph/node-kind.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { addExact, productError } from './double-double.ts';
import { isFull, ready, slide, WINDOW_HEAD, windowSize } from './window.ts';

/** A value that leaves and was so much larger (squared) than all that stays has left its rounding behind. */
const DWARFED = 1e-16;

/**
 * Population standard deviation. State: the window, then [pivot, run length, last value, Σd (2), Σd² (2)] with d = value − pivot. The pivot is
 * a value of the window, renewed with the sums each time the ring comes round: never far from the mean by the measure of the deviation, so that a
 * small deviation of large prices keeps its digits, and an extreme value leaves no trace. A window of equal values has exactly 0.
 */
export const stdevKind: NodeKind = {
  name: 'stdev',
  stateSize: ([n]) => windowSize(n!) + 7,
  first: ([n]) => n!,
  settle: ([n]) => n!,
  start: (s, at, [n]) => {
    s[at + windowSize(n!)] = Number.NaN;
    s[at + windowSize(n!) + 2] = Number.NaN;
  },
  bind: ({ inputs, params, out, state }) => {
    const x = inputs[0]!;
    const n = params[0]!;
    const pivot = state + windowSize(n);
    const run = pivot + 1;
    const last = pivot + 2;
    const sum = pivot + 3;
    const squares = pivot + 5;

    const take = (s: Float64Array, d: number, sign: 1 | -1): void => {
      const square = d * d;
      addExact(s, sum, sign * d);
      addExact(s, squares, sign * square);
      addExact(s, squares, sign * productError(d, d, square));
    };
    const takeAnew = (s: Float64Array, around: number): void => {
      s[pivot] = around;
      s.fill(0, sum, squares + 2);
      const filled = s[state + 1]!;
      for (let k = 0; k < filled; k++) {
        const held = s[state + WINDOW_HEAD + k]!;
        if (held === held && around === around) take(s, held - around, 1);
      }
    };
    return (v, s, stride, count) => {
      for (let i = 0; i < count; i++) {
        const value = ready(v[x * stride + i]!);
        const gone = slide(s, state, n, value);
        s[run] = value === s[last] ? s[run]! + 1 : 1;
        s[last] = value;
        if (s[state] === 0 || s[pivot] !== s[pivot]) takeAnew(s, value);
        else {
          if (value === value) take(s, value - s[pivot]!, 1);
          if (gone === gone) {
            const d = gone - s[pivot]!;
            take(s, d, -1);
            if (s[squares]! < d * d * DWARFED && s[run]! < n) takeAnew(s, value);
          }
        }
        let result = Number.NaN;
        if (isFull(s, state, n)) {
          result = 0;
          if (s[run]! < n) {
            const deviations = s[squares]! + s[squares + 1]! - (s[sum]! + s[sum + 1]!) ** 2 / n;
            if (deviations > 0) result = Math.sqrt(deviations / n);
          }
        }
        v[out * stride + i] = result;
      }
    };
  },
};

/** In: any series; out: its unit; first value after n candles, settled after n. */
export const stdev: FunctionDefinition = {
  name: 'stdev',
  summary: 'Standard deviation of the last n values (population: divided by n).',
  arguments: [inputSeries, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'TA-Lib STDDEV',
  example: 'stdev(20) > 2 * stdev(100)',
  build: (dag, [x], [n]) => dag.node(stdevKind, [x!], [n!]),
};
