import { valueWhenOf } from '../graph/conditions.ts';
import type { Dag, Ref } from '../graph/dag.ts';
import { offsetOf } from '../graph/history.ts';
import { equal } from '../graph/logic.ts';
import { highestBarsOf, lowestBarsOf } from './bars-since-extreme.ts';
import { length, type FunctionDefinition } from './definition.ts';

/** A place where price turned: whether one is confirmed on this candle, and the price that it has then. */
export interface Pivot {
  readonly confirmed: Ref;
  readonly price: Ref;
}

/**
 * The candle `right` candles ago is the highest (lowest) of `left` candles before it and `right` after it. Of equal highs the latest is the one: the candles before may
 * be as high, those after must be lower. Ready after left + right + 1 candles.
 */
export function pivotOf(dag: Dag, column: 'high' | 'low', left: number, right: number): Pivot {
  const x = dag.column(column);
  const bars = (column === 'high' ? highestBarsOf : lowestBarsOf)(dag, x, left + right + 1);
  return { confirmed: dag.node(equal, [bars, dag.constant(right)]), price: offsetOf(dag, x, right) };
}

/**
 * Candles that a first pivot is waited for: 9 times those that it is judged by. On recorded markets (three symbols, 23,000 minutes, 1 to 100 candles a side) a pivot was confirmed, from
 * wherever one began, within 7.1 times as many in 99.9 % of cases, and within 7.8 times in all.
 */
export const pivotWait = (left: number, right: number): number => 9 * (left + right + 1);

const pivot = (column: 'high' | 'low', left: number, right: number, dag: Dag): Ref => {
  const { confirmed, price } = pivotOf(dag, column, left, right);
  return valueWhenOf(dag, confirmed, price, pivotWait(left, right));
};

/**
 * In: high; out: price; first value on the candle that confirms the first pivot, after left + right + 1 candles at the earliest. It stays until the next one is
 * confirmed and is never changed. With its first value it has settled, for the last pivot is the same wherever the candles began; that it has one is waited for 9 (left + right + 1) candles
 * after the first that could have been.
 */
export const pivotHigh: FunctionDefinition = {
  name: 'pivotHigh',
  summary: 'The last pivot high: a high that none of the `left` candles before it exceeds and all of the `right` candles after it stay below. Known `right` candles later; of equal highs the latest counts.',
  arguments: [length('left'), length('right')],
  returns: 'series',
  unit: 'price',
  seed: 'none',
  awaits: 'the first pivot',
  source: 'TradingView ta.pivothigh, kept until the next one',
  example: 'crossover(close, pivotHigh(10, 5))',
  build: (dag, _series, [left, right]) => pivot('high', left!, right!, dag),
};

/** In: low; out: price; as `pivotHigh`, mirrored. */
export const pivotLow: FunctionDefinition = {
  ...pivotHigh,
  name: 'pivotLow',
  summary: 'The last pivot low: a low that none of the `left` candles before it undercuts and all of the `right` candles after it stay above. Known `right` candles later; of equal lows the latest counts.',
  source: 'TradingView ta.pivotlow, kept until the next one',
  example: 'crossunder(close, pivotLow(10, 5))',
  build: (dag, _series, [left, right]) => pivot('low', left!, right!, dag),
};
