import type { Interval } from '@trademind/core';
import { ordinalOf } from './calendar.ts';
import { allocateColumns, copyCandle, REQUIRED_COLUMNS, sameCandle, sliceColumns, type CandleColumns } from './columns.ts';
import { isIncomplete } from './soundness.ts';

/**
 * What becomes of a candle that is stored otherwise than it comes now. `stored`, `new`: that one stays. `complete`: the new one if both have the same prices and volume
 * and the stored one lacks an optional column.
 */
export type Prefer = 'stored' | 'new' | 'complete';

export interface Merged {
  candles: CandleColumns;
  added: number;
  replaced: number;
  /** Open time of the first candle that is stored otherwise. */
  firstDiffering: number | undefined;
  differing: number;
}

/** Two ascending sets of candles as one, each open time once. */
export function mergeCandles(stored: CandleColumns, fresh: CandleColumns, prefer: Prefer): Merged {
  const candles = allocateColumns(stored.length + fresh.length);
  const result: Merged = { candles, added: 0, replaced: 0, differing: 0, firstDiffering: undefined };
  let [a, b, n] = [0, 0, 0];
  while (a < stored.length || b < fresh.length) {
    const [oldTime, newTime] = [stored.openTime[a] ?? Infinity, fresh.openTime[b] ?? Infinity];
    let takeNew = newTime < oldTime;
    if (takeNew) result.added++;
    if (oldTime === newTime && !sameCandle(stored, a, fresh, b)) {
      result.differing++;
      result.firstDiffering ??= oldTime;
      takeNew = prefer === 'new' || (prefer === 'complete' && isIncomplete(stored, a) && sameCandle(stored, a, fresh, b, REQUIRED_COLUMNS));
      if (takeNew) result.replaced++;
    }
    copyCandle(takeNew ? fresh : stored, takeNew ? b : a, candles, n++);
    if (oldTime <= newTime) a++;
    if (newTime <= oldTime) b++;
  }
  return { ...result, candles: sliceColumns(candles, 0, n) };
}

/** The candles with ordinals in [from, to). */
export function candlesWithin(interval: Interval, candles: CandleColumns, from: number, to: number): CandleColumns {
  return sliceColumns(candles, lowerBound(interval, candles, from), lowerBound(interval, candles, to));
}

/** Index of the first candle at or after an ordinal. */
function lowerBound(interval: Interval, { length, openTime }: CandleColumns, ordinal: number): number {
  let [low, high] = [0, length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ordinalOf(interval, openTime[middle]!) < ordinal) low = middle + 1;
    else high = middle;
  }
  return low;
}
