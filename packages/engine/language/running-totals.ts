import type { Ref } from '../graph/dag.ts';
import type { Frame, Frames } from './frames.ts';

/**
 * A running total (OBV, ADL) counts from the first candle, so its level says nothing: begun elsewhere it would be another. A drift says how many times a number moves
 * with each total it is made of; `unknown` is that of a number that moves otherwise, such as a quotient of totals. Only numbers of one drift can be compared.
 */
export type Drift = ReadonlyMap<string, number> | 'unknown';
const STILL: Drift = new Map();

/** Kinds that move as much as their first input does. Those that are in neither list are unknown when they read a total. */
const MOVE_ALONG = new Set(['history', 'sums', 'squareSums', 'weightedSums', 'offset', 'previous', 'sma', 'ema', 'smma', 'wma', 'weightedMean', 'kama', 'highest', 'lowest']);
/** Kinds that only see differences within their input, or are conditions, whose sides have been compared. */
const STAND_STILL = new Set([
  'stdev', 'rsi', 'slope', 'highestBars', 'lowestBars', 'rising', 'falling', 'crossover', '>', '>=', '==', 'bullishDivergence', 'bearishDivergence',
]);

const known = new WeakMap<Frame, Drift[]>();

/** The drift of a node of one of a trader's frames. */
export function driftOf(frames: Frames, frame: Frame, ref: Ref): Drift {
  let drifts = known.get(frame);
  if (drifts === undefined) known.set(frame, (drifts = []));
  // A node's inputs come before it.
  while (drifts.length <= ref) drifts.push(nextDrift(frames, frame, drifts));
  return drifts[ref]!;
}

function nextDrift(frames: Frames, frame: Frame, before: readonly Drift[]): Drift {
  const { dag } = frame;
  const node = dag.nodes[before.length]!;
  if ('frame' in node) {
    const other = frames.all().find(({ key }) => key === node.frame); // none: a place among all symbols
    return other === undefined ? STILL : driftOf(frames, other, node.ref);
  }
  if (!('kind' in node)) return STILL;
  const { name } = node.kind;
  if (name === 'runningTotal') return new Map([[`${frame.key} ${before.length}`, 1]]);
  const [a = STILL, b = STILL, c = STILL] = node.inputs.map((input) => before[input]!);
  if (name === '?:') return sameDrift(b, c) ? b : 'unknown';
  if (node.inputs.every((input) => isStill(before[input]!))) return STILL;
  if (MOVE_ALONG.has(name)) return a;
  if (STAND_STILL.has(name)) return a === 'unknown' || b === 'unknown' ? 'unknown' : STILL;
  const [left, right] = node.inputs.map((input) => dag.constantOf(input));
  if (name === '+' || name === '-') return sum(a, b, name === '+' ? 1 : -1);
  if (name === 'negate') return sum(STILL, a, -1);
  if (name === '*' && left !== undefined) return sum(STILL, b, left);
  if (name === '*' && right !== undefined) return sum(STILL, a, right);
  if (name === '/' && right !== undefined) return sum(STILL, a, 1 / right);
  if (name === 'min' || name === 'max') return sameDrift(a, b) ? a : 'unknown';
  return 'unknown';
}

/** Whether a number does not depend on where a total began. */
export const isStill = (drift: Drift): boolean => drift !== 'unknown' && drift.size === 0;

/** Whether two numbers move together, so that their difference does not depend on where a total began. */
export const sameDrift = (a: Drift, b: Drift): boolean => isStill(sum(a, b, -1));

/** a + factor × b. */
function sum(a: Drift, b: Drift, factor: number): Drift {
  if (a === 'unknown' || b === 'unknown') return 'unknown';
  const all = new Map(a);
  for (const [total, times] of b) {
    const together = (all.get(total) ?? 0) + factor * times;
    if (Math.abs(together) < 1e-9) all.delete(total);
    else all.set(total, together);
  }
  return all;
}
