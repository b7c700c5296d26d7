import type { Interval } from '@trademind/core';
import { ordinalOf } from './calendar.ts';
import { allocateColumns, copyCandle, sameCandle, sliceColumns, type CandleColumns } from './columns.ts';

/** Which candle stays where two with the same open time differ. */
export type Prefer = 'stored' | 'new';

export interface Merged {
  candles: CandleColumns;
  added: number;
  /** Candles that were stored already and say something else. */
  differing: number;
  /** Open time of the first of these. */
  firstDiffering: number | undefined;
}

/** Two ascending sets of candles as one, each open time once. */
export function mergeCandles(stored: CandleColumns, fresh: CandleColumns, prefer: Prefer): Merged {
  const candles = allocateColumns(stored.length + fresh.length);
  const result: Merged = { candles, added: 0, differing: 0, firstDiffering: undefined };
  let [a, b, n] = [0, 0, 0];
  while (a < stored.length || b < fresh.length) {
    const [oldTime, newTime] = [stored.openTime[a] ?? Infinity, fresh.openTime[b] ?? Infinity];
    if (oldTime === newTime && !sameCandle(stored, a, fresh, b)) {
      result.differing++;
      result.firstDiffering ??= oldTime;
    }
    if (newTime < oldTime) result.added++;
    const takeNew = newTime < oldTime || (newTime === oldTime && prefer === 'new');
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
