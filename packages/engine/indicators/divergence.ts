import type { Dag, Ref } from '../graph/dag.ts';
import { offsetOf } from '../graph/history.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { pivotOf, pivotWait } from './pivot.ts';

/**
 * Compares each pivot with the one before it: price went further out (`sign` 1 = lower lows, −1 = higher highs), the series did not. State: price
 * and series at the last pivot, NaN before the first. A pivot at which the series has no value is no pivot to compare with. Its only param is how many candles the first is waited for.
 */
const divergence = (name: string, sign: 1 | -1): NodeKind => ({
  name,
  stateSize: () => 2,
  first: () => 1,
  settle: ([wait]) => wait!,
  start: (s, at) => {
    s[at] = Number.NaN;
    s[at + 1] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 1 + 3) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const confirmed = code[c + HEAD + 1]!;
      const price = code[c + HEAD + 2]!;
      const x = code[c + HEAD + 3]!;
      let i = 0;
      do {
        const before = s[state]!;
        let result = before === before ? 0 : Number.NaN;
        if (v[confirmed + i] === 1) {
          const level = v[price + i]!;
          const value = v[x + i]!;
          if (value === value) {
            if (result === 0) result = Number(level * sign < before * sign && value * sign > s[state + 1]! * sign);
            s[state] = level;
            s[state + 1] = value;
          } else result = Number.NaN;
        }
        v[out + i] = result;
      } while (++i < count);
    }
  },
});

const bullishKind = divergence('bullishDivergence', 1);
const bearishKind = divergence('bearishDivergence', -1);

const divergenceOf = (dag: Dag, kind: NodeKind, column: 'high' | 'low', x: Ref, left: number, right: number): Ref => {
  const { confirmed, price } = pivotOf(dag, column, left, right);
  return dag.node(kind, [confirmed, price, offsetOf(dag, x, right)], [pivotWait(left, right)]);
};

/**
 * In: low and any series; out: a condition that holds on the candle that confirms the second pivot, `right` candles after its low, and on no other. Not ready until a first
 * pivot has been confirmed, after left + right + 1 candles at the earliest, and where the series has no value at a pivot. Settled
 * with the first pivot after the series has settled, which is waited for 9 (left + right + 1) candles: from then on it is the same wherever the candles began.
 */
export const bullishDivergence: FunctionDefinition = {
  name: 'bullishDivergence',
  summary: 'A pivot low is confirmed that is lower than the pivot low before it, while the series was higher at the later one than at the earlier. Holds on the confirming candle alone, `right` candles after the low.',
  arguments: [{ name: 'series', type: 'series' }, length('left'), length('right')],
  returns: 'condition',
  unit: 'condition',
  seed: 'none',
  awaits: 'the first pivot',
  source: "regular divergence between price and oscillator: C. Cardwell's and TradingView's RSI Divergence, on pivots of the price",
  example: 'bullishDivergence(rsi(14), 5, 5)',
  build: (dag, [x], [left, right]) => divergenceOf(dag, bullishKind, 'low', x!, left!, right!),
};

/** In: high and any series; as `bullishDivergence`, mirrored. */
export const bearishDivergence: FunctionDefinition = {
  ...bullishDivergence,
  name: 'bearishDivergence',
  summary: 'A pivot high is confirmed that is higher than the pivot high before it, while the series was lower at the later one than at the earlier. Holds on the confirming candle alone, `right` candles after the high.',
  example: 'bearishDivergence(rsi(14), 5, 5)',
  build: (dag, [x], [left, right]) => divergenceOf(dag, bearishKind, 'high', x!, left!, right!),
};
