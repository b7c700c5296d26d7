import type { NodeKind } from '../graph/node-kind.ts';
import { length, type Argument, type FunctionDefinition } from './definition.ts';

/**
 * The extreme of the last n values by a monotonic queue: each candle enters and leaves it once, so the cost is O(1) amortised. State:
 * [candles seen, candle of the last unready value, head, length, ring of n candle numbers, ring of n values]. `sign` 1 = highest, −1 = lowest;
 * of equal values the latest stays.
 */
const extreme = (name: string, sign: 1 | -1): NodeKind => ({
  name,
  stateSize: ([n]) => 4 + 2 * n!,
  first: ([n]) => n!,
  settle: ([n]) => n!,
  bind: ({ inputs, params, out, state }) => {
    const x = inputs[0]!;
    const n = params[0]!;
    const numbers = state + 4;
    const values = numbers + n;
    return (v, s, stride, count) => {
      let seen = s[state]!;
      let head = s[state + 2]!;
      let size = s[state + 3]!;
      for (let i = 0; i < count; i++) {
        const value = v[x * stride + i]!;
        seen++;
        if (size > 0 && s[numbers + head]! <= seen - n) {
          head = head + 1 === n ? 0 : head + 1;
          size--;
        }
        if (value === value) {
          while (size > 0) {
            const tail = head + size - 1 >= n ? head + size - 1 - n : head + size - 1;
            if (s[values + tail]! * sign > value * sign) break;
            size--;
          }
          const cell = head + size >= n ? head + size - n : head + size;
          s[numbers + cell] = seen;
          s[values + cell] = value;
          size++;
        } else s[state + 1] = seen;
        v[out * stride + i] = seen - s[state + 1]! >= n ? s[values + head]! : Number.NaN;
      }
      s[state] = seen;
      s[state + 2] = head;
      s[state + 3] = size;
    };
  },
});

export const highestKind = extreme('highest', 1);
export const lowestKind = extreme('lowest', -1);

const series: Argument = { name: 'series', type: 'series' };

/** In: any series; out: its unit; first value after n candles, settled after n. */
export const highest: FunctionDefinition = {
  name: 'highest',
  summary: 'The largest of the last n values, the current candle included.',
  arguments: [series, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'TA-Lib MAX',
  example: 'close > highest(high, 20)[1]',
  build: (dag, [x], [n]) => dag.node(highestKind, [x!], [n!]),
};

/** In: any series; out: its unit; first value after n candles, settled after n. */
export const lowest: FunctionDefinition = {
  name: 'lowest',
  summary: 'The smallest of the last n values, the current candle included.',
  arguments: [series, length()],
  returns: 'series',
  unit: 'that of the series',
  seed: 'none: a full window',
  source: 'TA-Lib MIN',
  example: 'close < lowest(low, 20)[1]',
  build: (dag, [x], [n]) => dag.node(lowestKind, [x!], [n!]),
};
