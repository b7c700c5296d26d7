import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { pivotOf } from './pivot.ts';

/** Candles on each side that a swing must stand out from. Source: NinjaTrader, Swing (its default strength). */
const STRENGTH = 5;
/** Two swings of one side are at least STRENGTH + 1 candles apart. */
const capacity = (n: number): number => Math.ceil(n / (STRENGTH + 1)) + 1;

/**
 * The latest swing of the last n candles that lies beyond the close. One that a later swing at its price or nearer to it hides is not kept, so prices go outwards from the
 * latest to the oldest. State: [swings kept, ordinal and price of each, oldest first]. `sign` 1 = lows below the close, −1 = highs above it.
 */
const swingKind = (name: string, sign: 1 | -1): NodeKind => ({
  name,
  stateSize: ([n]) => 1 + capacity(n!) * 2,
  first: () => 1,
  settle: ([n]) => n! - STRENGTH, // the oldest swing that counts was confirmed so many candles ago
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 4) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const n = code[c + HEAD]!;
      const confirmed = code[c + HEAD + 1]!;
      const price = code[c + HEAD + 2]!;
      const close = code[c + HEAD + 3]!;
      const oldest = state + 1;
      let end = oldest + s[state]! * 2;
      let i = 0;
      do {
        if (end > oldest && s[oldest]! <= t + i - n) {
          s.copyWithin(oldest, oldest + 2, end);
          end -= 2;
        }
        if (v[confirmed + i] === 1) {
          const found = v[price + i]!;
          while (end > oldest && s[end - 1]! * sign >= found * sign) end -= 2;
          s[end] = t + i - STRENGTH;
          s[end + 1] = found;
          end += 2;
        }
        const limit = v[close + i]! * sign;
        let at = end - 1;
        while (at > oldest && s[at]! * sign >= limit) at -= 2;
        v[out + i] = at > oldest ? s[at]! : Number.NaN;
      } while (++i < count);
      s[state] = (end - oldest) / 2;
    }
  },
});

const supportKind = swingKind('swingSupport', 1);
const resistanceKind = swingKind('swingResistance', -1);

const swingOf = (dag: Dag, kind: NodeKind, column: 'high' | 'low', n: number): Ref => {
  const { confirmed, price } = pivotOf(dag, column, STRENGTH, STRENGTH);
  return dag.node(kind, [confirmed, price, dag.column('close')], [n]);
};

/**
 * In: high, low, close; out: price. A swing low is a pivot low with 5 candles on each side, so it is known 5 candles later. Support is the latest one among the last n candles
 * that lies below the close, resistance the latest swing high above it; a level that the close has gone through gives way to the one before it, and counts again if the close
 * comes back. Not ready where there is none, as below the lowest low of n candles. First value after 11 candles at the earliest, settled after n + 5.
 */
export const swing: FunctionDefinition = {
  name: 'swing',
  summary: 'Swing support and resistance: the latest swing low below the close and swing high above it among the last n candles. A swing stands out from 5 candles on each side and is known 5 candles later.',
  arguments: [{ ...length('n', 2 * STRENGTH + 1), default: 50 }],
  fields: ['support', 'resistance'],
  returns: 'series',
  unit: 'price',
  seed: 'none',
  awaits: 'a swing on that side of the close',
  source: 'swing points as in NinjaTrader Swing (strength 5)',
  example: 'close < 1.01 * swing(50).support',
  build: (dag, _series, [n], field) => (field === 'support' ? swingOf(dag, supportKind, 'low', n!) : swingOf(dag, resistanceKind, 'high', n!)),
};
