import { absolute, subtract } from '../graph/arithmetic.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { offsetOf } from '../graph/history.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { inputSeries, length, type FunctionDefinition } from './definition.ts';
import { sumOf } from './sma.ts';

const WIDTH = HEAD + 3 + 3;

const factor = (n: number): number => 2 / (n + 1);

/**
 * Candles until the seed weighs less than 1e-6. How fast it is forgotten depends on the market: in one that wanders at random e is about 1 / √n, and here it may take three times
 * as long as there. In one that strictly goes back and forth e is 0, and it takes as long as it can at all.
 */
function settled(n: number, fast: number, slow: number): number {
  const candles = (e: number): number => Math.log(1e-6) / Math.log1p(-((e * (factor(fast) - factor(slow)) + factor(slow)) ** 2));
  return Math.ceil(Math.min(3 * candles(1 / Math.sqrt(n)), Math.max(candles(0), candles(1))));
}

/**
 * `average += (x − average) × (e × (fast − slow) + slow)²`, where e = change / path is Kaufman's efficiency ratio. State: [previous x, average]. Where there
 * was no movement at all, e is 1 (TA-Lib). A value that is not ready is passed over.
 */
const kamaKind: NodeKind = {
  name: 'kama',
  stateSize: () => 2,
  first: () => 1,
  settle: ([n, fast, slow]) => 1 + settled(n!, fast!, slow!),
  start: (s, at) => {
    s[at] = Number.NaN;
    s[at + 1] = Number.NaN;
  },
  reals: ([, fast, slow]) => [factor(fast!) - factor(slow!), factor(slow!)],
  run: ({ v, s, k, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const reach = k[code[c + 2]!]!;
      const slow = k[code[c + 2]! + 1]!;
      const x = code[c + HEAD + 3]!;
      const change = code[c + HEAD + 4]!;
      const path = code[c + HEAD + 5]!;
      let before = s[state]!;
      let average = s[state + 1]!;
      let i = 0;
      do {
        const value = v[x + i]!;
        const length = v[path + i]!;
        let result = Number.NaN;
        if (length - length === 0) {
          if (average !== average) average = before;
          const efficiency = length === 0 ? 1 : Math.min(Math.abs(v[change + i]!) / length, 1);
          const weight = efficiency * reach + slow;
          result = average += (value - average) * (weight * weight);
        }
        before = value;
        v[out + i] = result;
      } while (++i < count);
      s[state] = before;
      s[state + 1] = average;
    }
  },
};

function kamaOf(dag: Dag, x: Ref, n: number, fast: number, slow: number): Ref {
  const path = sumOf(dag, dag.node(absolute, [dag.node(subtract, [x, offsetOf(dag, x, 1)])]), n);
  return dag.node(kamaKind, [x, dag.node(subtract, [x, offsetOf(dag, x, n)]), path], [n, fast, slow]);
}

/**
 * In: any series; out: its unit; first value after n + 1 candles; settled after 628 for (10, 2, 30): three times what a market needs that wanders at random (the recorded
 * ones need up to 250). One that strictly goes back and forth for all that time has not settled before 3,324.
 */
export const kama: FunctionDefinition = {
  name: 'kama',
  summary: "Kaufman's adaptive moving average: from the speed of ema(fast) where the price goes straight to that of ema(slow) where it goes nowhere, both squared.",
  arguments: [inputSeries, length(), length('fast'), length('slow')],
  returns: 'series',
  unit: 'that of the series',
  seed: 'the value before the first answer; a window without movement counts as straight',
  source: 'P. Kaufman, Trading Systems and Methods; TA-Lib KAMA',
  example: 'crossover(close, kama(10, 2, 30))',
  build: (dag, [x], [n, fast, slow]) => kamaOf(dag, x!, n!, fast!, slow!),
};
