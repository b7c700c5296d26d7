import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, pure, type NodeKind } from '../graph/node-kind.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { smmaOf } from './ema.ts';
import { trueRangeOf } from './true-range.ts';

/** How far the candle reaches beyond the one before on the side of `sign`, 0 unless farther than on the other. State: the previous high and low. */
const directionalMove = (name: string, sign: 1 | -1): NodeKind => ({
  name,
  stateSize: () => 2,
  first: () => 2,
  settle: () => 2,
  start: (s, at) => {
    s[at] = Number.NaN;
    s[at + 1] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 2) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const high = code[c + HEAD]!;
      const low = code[c + HEAD + 1]!;
      let i = 0;
      do {
        const up = v[high + i]! - s[state]!;
        const down = s[state + 1]! - v[low + i]!;
        s[state] = v[high + i]!;
        s[state + 1] = v[low + i]!;
        const lead = (up - down) * sign;
        const reach = sign === 1 ? up : down;
        v[out + i] = lead === lead ? (lead > 0 && reach > 0 ? reach : 0) : Number.NaN;
      } while (++i < count);
    }
  },
});
const plusMoveKind = directionalMove('plusMove', 1);
const minusMoveKind = directionalMove('minusMove', -1);

/**
 * 100 × average move / average true range. On a candle that stands still both averages shrink by the same factor, so the answer stays exactly what it was. A series that never
 * moved is 0 / 0, and so not ready. State: the last answer.
 */
const directionKind: NodeKind = {
  name: 'directionalIndicator',
  stateSize: () => 1,
  first: () => 1,
  settle: () => 1,
  start: (s, at) => {
    s[at] = Number.NaN;
  },
  run: ({ v, s, count }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 3) {
      const out = code[c]!;
      const state = code[c + 1]!;
      const move = code[c + HEAD]!;
      const range = code[c + HEAD + 1]!;
      const current = code[c + HEAD + 2]!;
      let answer = s[state]!;
      let i = 0;
      do {
        const whole = v[range + i]!;
        if (whole === whole && (v[current + i] !== 0 || answer !== answer)) answer = (100 * v[move + i]!) / whole;
        v[out + i] = whole === whole ? answer : Number.NaN;
      } while (++i < count);
      s[state] = answer;
    }
  },
};

/** 100 × |plus − minus| / (plus + minus), 0 where there is neither. */
const directionalIndexKind = pure('directionalIndex', ({ v, count }, code, from, to) => {
  for (let c = from | 0, end = to | 0; c < end; c += HEAD + 2) {
    const out = code[c]!;
    const plus = code[c + HEAD]!;
    const minus = code[c + HEAD + 1]!;
    let i = 0;
    do {
      const up = v[plus + i]!;
      const down = v[minus + i]!;
      v[out + i] = up === down ? 0 : (100 * Math.abs(up - down)) / (up + down);
    } while (++i < count);
  }
});

/** +DI or −DI. */
const directionOf = (dag: Dag, kind: NodeKind, n: number): Ref => {
  const range = trueRangeOf(dag);
  return dag.node(directionKind, [smmaOf(dag, dag.node(kind, [dag.column('high'), dag.column('low')]), n), smmaOf(dag, range, n), range]);
};

/**
 * In: high, low, close; out: points from 0 to 100; .plusDi and .minusDi have their first value after n + 1 candles, .value after 2 n; settled after 14 n + 1, .value after 28 n.
 * Not ready before the first move.
 */
export const adx: FunctionDefinition = {
  name: 'adx',
  summary: "Average directional index: value = how one-sided the movement is, whichever way; plusDi and minusDi = the upward and downward moves as a share of the true range. Wilder's averages of n candles.",
  arguments: [length()],
  fields: ['value', 'plusDi', 'minusDi'],
  returns: 'series',
  unit: 'points',
  seed: 'the mean of the first n moves, ranges and indices, one after the other',
  source: 'J. W. Wilder, New Concepts in Technical Trading Systems, 1978; seeds as in Stock.Indicators (TA-Lib starts with n − 1 moves)',
  example: 'adx(14).value > 25 && adx(14).plusDi > adx(14).minusDi',
  build: (dag, _series, [n], field) => {
    const plus = (): Ref => directionOf(dag, plusMoveKind, n!);
    const minus = (): Ref => directionOf(dag, minusMoveKind, n!);
    if (field === 'plusDi') return plus();
    return field === 'minusDi' ? minus() : smmaOf(dag, dag.node(directionalIndexKind, [plus(), minus()]), n!);
  },
};
