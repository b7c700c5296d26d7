import { INTERVALS, intervalClose, type Interval } from '@trademind/core';

const DAY = 86_400_000;

/**
 * The interval of candles by their spacing, the one that most of them have, so that gaps do no harm; undefined where it is none of ours or there are
 * fewer than two candles. A month is known by 28 to 31 days.
 */
export function intervalOf(openTimes: readonly number[]): Interval | undefined {
  const counts = new Map<number, number>();
  for (let index = 1; index < openTimes.length; index++) {
    const spacing = openTimes[index]! - openTimes[index - 1]!;
    const key = spacing >= 28 * DAY && spacing <= 31 * DAY ? 31 * DAY : spacing;
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const most = Math.max(...counts.values());
  // of two that are as frequent the shorter one: the other is a gap
  const spacing = Math.min(...[...counts].filter(([, count]) => count === most).map(([length]) => length));
  return INTERVALS.find((interval) => intervalClose(interval, 0) === spacing);
}

/** Candles that are missing between the first and the last. */
export function gapsIn(openTimes: readonly number[], interval: Interval): number {
  let gaps = 0;
  for (let index = 1; index < openTimes.length; index++) if (openTimes[index]! > intervalClose(interval, openTimes[index - 1]!)) gaps++;
  return gaps;
}
