import { add, divide, multiply } from '../graph/arithmetic.ts';
import type { Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { meanPriceOf } from './mean-price.ts';
import { sumOf } from './sma.ts';

/** A mean of three prices is rounded three times: means that differ by less are of equal prices, and money of a candle whose price is equal flows nowhere. */
const EQUAL = 2 ** -49;

/** Price × volume of a candle whose price rose (sign 1) or fell (−1), 0 for others. State: the previous price. */
const moneyFlow = (name: string, sign: 1 | -1): NodeKind => ({
  name,
  stateSize: () => 1,
  first: () => 2,
  settle: () => 2,
  start: (s, at) => {
    s[at] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 2) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const x = code[c + HEAD]!;
      const volume = code[c + HEAD + 1]!;
      let before = s[state]!;
      let i = 0;
      do {
        const price = v[x + i]!;
        const change = (price - before) * sign;
        before = price;
        v[out + i] = change === change ? (change > price * EQUAL ? price * v[volume + i]! : 0) : Number.NaN;
      } while (++i < count);
      s[state] = before;
    }
  },
});
const moneyUpKind = moneyFlow('moneyUp', 1);
const moneyDownKind = moneyFlow('moneyDown', -1);

/**
 * In: high, low, close, volume; out: points from 0 to 100; first value after n + 1 candles, settled at once. Where no money flowed up or down in n candles it is 0 / 0, and so
 * not ready.
 */
export const mfi: FunctionDefinition = {
  name: 'mfi',
  summary: 'Money flow index: the share of candles whose hlc3 rose in the money (hlc3 × volume) of all that rose or fell, over n candles.',
  arguments: [length()],
  returns: 'series',
  unit: 'points',
  seed: 'none: a full window; the first candle has no direction',
  source: 'G. Quong and A. Soudack, 1989; TA-Lib MFI (which says 0 where no money flowed)',
  example: 'mfi(14) < 20',
  build: (dag, _series, [n]) => {
    const price = meanPriceOf(dag, 'high', 'low', 'close');
    const over = (kind: NodeKind): Ref => sumOf(dag, dag.node(kind, [price, dag.column('volume')]), n!);
    const up = over(moneyUpKind);
    return dag.node(divide, [dag.node(multiply, [dag.constant(100), up]), dag.node(add, [up, over(moneyDownKind)])]);
  },
};
