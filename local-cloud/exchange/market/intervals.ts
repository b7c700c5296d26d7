export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
export const WEEK = 7 * DAY;

/** 1970-01-05 was the first Monday. */
const FIRST_MONDAY = 4 * DAY;

const FIXED = {
  '1s': SECOND,
  '1m': MINUTE, '3m': 3 * MINUTE, '5m': 5 * MINUTE, '15m': 15 * MINUTE, '30m': 30 * MINUTE,
  '1h': HOUR, '2h': 2 * HOUR, '4h': 4 * HOUR, '6h': 6 * HOUR, '8h': 8 * HOUR, '12h': 12 * HOUR,
  '1d': DAY,
} as const;

export type Interval = keyof typeof FIXED | '1w' | '1M';

/** Every kline interval of Binance but 3d, whose grid is not documented (ADR 15), shortest first. */
export const INTERVALS: readonly Interval[] = [...(Object.keys(FIXED) as (keyof typeof FIXED)[]), '1w', '1M'];

/** True for the name of an interval, as Binance writes it (`1m`, `1M`). */
export function isInterval(text: string): text is Interval {
  return (INTERVALS as readonly string[]).includes(text);
}

/** The open time of the candle that contains `time`: UTC, weeks from Monday 00:00, months from the first. */
export function openOf(interval: Interval, time: number): number {
  if (interval === '1w') return Math.floor((time - FIRST_MONDAY) / WEEK) * WEEK + FIRST_MONDAY;
  if (interval === '1M') {
    const date = new Date(time);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
  }
  return Math.floor(time / FIXED[interval]) * FIXED[interval];
}

/** The open time of the candle after (or, with a negative count, before) the one that opens at `open`. */
export function stepOpen(interval: Interval, open: number, count = 1): number {
  if (interval === '1w') return open + count * WEEK;
  if (interval === '1M') {
    const date = new Date(open);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + count);
  }
  return open + count * FIXED[interval];
}
