import { unaryOf } from './arithmetic.ts';

// Of an instant in ms, in UTC; before 1970 too, hence the floors. No Date: a run allocates nothing.
const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;

/** 0 to 23. */
export const hourOf = unaryOf('hour', (ms) => Math.floor(ms / HOUR) - 24 * Math.floor(ms / DAY));
/** 0 to 59. */
export const minuteOf = unaryOf('minute', (ms) => Math.floor(ms / MINUTE) - 60 * Math.floor(ms / HOUR));
/** 0 = Sunday to 6 = Saturday, as `Date.prototype.getUTCDay`; 1 January 1970 was a Thursday. */
export const dayOfWeekOf = unaryOf('dayOfWeek', (ms) => {
  const day = Math.floor(ms / DAY) + 4;
  return day - 7 * Math.floor(day / 7);
});
