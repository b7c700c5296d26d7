import type { Ref } from '../graph/dag.ts';
import { choose, greater } from '../graph/logic.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { smmaOf } from './ema.ts';
import { meanPriceOf } from './mean-price.ts';
import { trueRangeOf } from './true-range.ts';

/**
 * Candles until a band has forgotten its start. It holds on to an old value until the price has come through it, which takes a time that grows with the square of its distance:
 * measured on minutes of BTC, DASH and LTC and on random walks, starts that differ agreed within 5 factor² candles after the range had settled. A narrow band
 * is come through at once, but of two starts each waits for the price to leave on its own side: on still minutes that took up to 20 candles.
 */
const patience = (factor: number): number => Math.max(20, Math.ceil(5 * factor * factor));

/**
 * A band at `factor` average ranges from the middle of the candle, above (sign 1) or below (−1), which only comes closer until the previous close was beyond it. State: the band, the previous close.
 */
const band = (name: string, sign: 1 | -1): NodeKind => ({
  name,
  stateSize: () => 2,
  first: () => 1,
  settle: ([factor]) => 1 + patience(factor!),
  start: (s, at) => {
    s[at] = Number.NaN;
    s[at + 1] = Number.NaN;
  },
  reals: ([factor]) => [factor! * sign],
  run: ({ v, s, k, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 1 + 3) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const factor = k[code[c + 2]!]!;
      const middle = code[c + HEAD + 1]!;
      const range = code[c + HEAD + 2]!;
      const close = code[c + HEAD + 3]!;
      let edge = s[state]!;
      let before = s[state + 1]!;
      let i = 0;
      do {
        const next = v[middle + i]! + factor * v[range + i]!;
        if (next === next) {
          if (edge !== edge || next * sign < edge * sign || before * sign > edge * sign) edge = next;
          v[out + i] = edge;
        } else v[out + i] = Number.NaN;
        before = v[close + i]!;
      } while (++i < count);
      s[state] = edge;
      s[state + 1] = before;
    }
  },
});
const upperKind = band('supertrendUpper', 1);
const lowerKind = band('supertrendLower', -1);

/** 1 until the close is below the lower band, −1 until it is above the upper one; begins with the side of the middle on which the close is. State: the direction, 0 = none yet. */
const directionKind: NodeKind = {
  name: 'supertrendDirection',
  stateSize: () => 1,
  first: () => 1,
  settle: ([factor]) => 1 + patience(factor!),
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 1 + 4) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const middle = code[c + HEAD + 1]!;
      const close = code[c + HEAD + 2]!;
      const upper = code[c + HEAD + 3]!;
      const lower = code[c + HEAD + 4]!;
      let direction = s[state]!;
      let i = 0;
      do {
        const price = v[close + i]!;
        const ready = v[upper + i]! - price; // NaN where one of them is not
        if (ready === ready) {
          if (direction === 0) direction = price >= v[middle + i]! ? 1 : -1;
          if (direction === 1 && price < v[lower + i]!) direction = -1;
          else if (direction === -1 && price > v[upper + i]!) direction = 1;
        }
        v[out + i] = ready === ready ? direction : Number.NaN;
      } while (++i < count);
      s[state] = direction;
    }
  },
};

/**
 * In: high, low, close; out: .value price, .direction 1 (up) or −1 (down); first value after n + 1 candles, settled after 14 n + 1 + 10 factor², and never before 14 n + 41. A close exactly on the band turns nothing, so on
 * candles that stand still the direction stays.
 */
export const supertrend: FunctionDefinition = {
  name: 'supertrend',
  summary: 'SuperTrend: a stop at `factor` average true ranges (of n candles) from the middle of the candle, below the price while direction is 1 (up), above it while −1; it only comes closer until the price closes beyond it.',
  arguments: [length(), { name: 'factor', type: 'number', min: 0, max: 30 }],
  fields: ['value', 'direction'],
  returns: 'series',
  unit: 'price; direction is 1 or −1',
  seed: "the ATR's; up if the close is not below the middle of its candle",
  source: 'O. Seban; Stock.Indicators SuperTrend (which turns down on a close exactly on the band)',
  example: 'supertrend(10, 3).direction == 1 && supertrend(10, 3).direction[1] == -1',
  build: (dag, _series, [n, factor], field) => {
    const close = dag.column('close');
    const middle = meanPriceOf(dag, 'high', 'low');
    const range = smmaOf(dag, trueRangeOf(dag), n!);
    const bandOf = (kind: NodeKind): Ref => dag.node(kind, [middle, range, close], [factor!]);
    const upper = bandOf(upperKind);
    const lower = bandOf(lowerKind);
    const direction = dag.node(directionKind, [middle, close, upper, lower], [factor!]);
    return field === 'direction' ? direction : dag.node(choose, [dag.node(greater, [direction, dag.constant(0)]), lower, upper]);
  },
};
