import { intervalMs, intervalOpen, type Interval } from '@trademind/core';

/** Candles are counted: the ordinal of a candle is the number of its interval since 1970, so that "the next one" is + 1 for a month too. */
export function ordinalOf(interval: Interval, openTime: number): number {
  if (interval !== '1M') return Math.floor((openTime - intervalOpen(interval, 0)) / intervalMs(interval));
  const date = new Date(openTime);
  return (date.getUTCFullYear() - 1970) * 12 + date.getUTCMonth();
}

/** Open time (ms) of the candle with this ordinal. */
export function openTimeOf(interval: Interval, ordinal: number): number {
  return interval === '1M' ? Date.UTC(1970, ordinal, 1) : intervalOpen(interval, 0) + ordinal * intervalMs(interval);
}

/** Ordinal of the first candle that opens at `ms` or later: the bound of a range of time. */
export function ordinalFrom(interval: Interval, ms: number): number {
  const ordinal = ordinalOf(interval, ms);
  return openTimeOf(interval, ordinal) < ms ? ordinal + 1 : ordinal;
}

/** True when a candle of this interval may open at `openTime`. */
export function isOpenTime(interval: Interval, openTime: number): boolean {
  return Number.isSafeInteger(openTime) && intervalOpen(interval, openTime) === openTime;
}

/** A stretch of a series, by ordinals; `to` is not part of it. */
export interface Range { from: number; to: number }

/** The stretch of time that one file holds: a month, or a year for candles of an hour and longer. */
export interface Period extends Range { name: string }

/** The file that a candle belongs to, by its ordinal: `2024-05`, or `2024` for candles of an hour and longer. */
export function periodOf(interval: Interval, ordinal: number): Period {
  const date = new Date(openTimeOf(interval, ordinal));
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  const monthly = intervalMs(interval) < 3_600_000;
  const bound = (steps: number) => ordinalFrom(interval, monthly ? Date.UTC(year, month + steps, 1) : Date.UTC(year + steps, 0, 1));
  return { name: monthly ? `${year}-${String(month + 1).padStart(2, '0')}` : String(year), from: bound(0), to: bound(1) };
}

/** The period that a file is named after; undefined for a name that is none. */
export function periodNamed(interval: Interval, name: string): Period | undefined {
  const [, year, month] = /^(\d{4})(?:-(\d{2}))?$/.exec(name) ?? [];
  const period = year === undefined ? undefined : periodOf(interval, ordinalFrom(interval, Date.UTC(Number(year), month === undefined ? 0 : Number(month) - 1, 1)));
  return period?.name === name ? period : undefined;
}

/** Cuts a stretch where files begin. */
export function periodsOf(interval: Interval, range: Range): { period: Period; range: Range }[] {
  const parts: { period: Period; range: Range }[] = [];
  for (let from = range.from; from < range.to;) {
    const period = periodOf(interval, from);
    const to = Math.min(range.to, period.to);
    parts.push({ period, range: { from, to } });
    from = to;
  }
  return parts;
}
