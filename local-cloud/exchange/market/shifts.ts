import { HOUR, MINUTE, WEEK } from './intervals.ts';
import { exchangeError } from './state.ts';

/** A stretch of time, `to` exclusive, ms. */
export interface Stretch { from: number; to: number }

/** So much history lies before the origin where the overlap is long enough; in a shorter one this share of it; in one of minutes the first of them. */
const HISTORY = 30 * HOUR;
const HISTORY_SHARE = 0.625;
const MINUTES_ONLY = HOUR;
/** Recordings must overlap by so much, or by half of the shortest. */
const SHORTEST_OVERLAP = 2 * HOUR;

/** The whole number of weeks that lays `stretch` over `window` best; among equals the one whose middle is nearest. */
export function weeksOnto(stretch: Stretch, window: Stretch): number {
  const middle = (at: Stretch) => (at.from + at.to) / 2;
  const centred = Math.round((middle(window) - middle(stretch)) / WEEK);
  const reach = Math.ceil((stretch.to - stretch.from + window.to - window.from) / WEEK) + 1;
  let best = { weeks: centred, covered: -Infinity, off: Infinity };
  for (let weeks = centred - reach; weeks <= centred + reach; weeks++) {
    const moved = move(stretch, weeks);
    const covered = Math.min(moved.to, window.to) - Math.max(moved.from, window.from);
    const off = Math.abs(middle(moved) - middle(window));
    if (covered > best.covered || (covered === best.covered && off < best.off)) best = { weeks, covered, off };
  }
  return best.weeks;
}

/** The same stretch, so many whole weeks later: days of the week and hours stay. */
export function move(stretch: Stretch, weeks: number): Stretch {
  return { from: stretch.from + weeks * WEEK, to: stretch.to + weeks * WEEK };
}

/**
 * Moves every recording by whole weeks so that all of them overlap around the shortest, as late as possible while the
 * market's origin is not after `wall`. Hours of the day and days of the week stay what they were.
 * Throws `candles_do_not_overlap` when no such place exists.
 */
export function chooseShifts(recordings: ReadonlyMap<string, Stretch>, wall: number): { shifts: Record<string, number>; window: Stretch; origin: number } {
  const anchor = [...recordings.values()].reduce((a, b) => (b.to - b.from < a.to - a.from ? b : a));
  const relative = new Map([...recordings].map(([symbol, stretch]) => [symbol, weeksOnto(stretch, anchor)]));
  const window = { ...anchor };
  for (const [symbol, stretch] of recordings) {
    const moved = move(stretch, relative.get(symbol) as number);
    window.from = Math.max(window.from, moved.from);
    window.to = Math.min(window.to, moved.to);
  }
  const length = window.to - window.from;
  if (recordings.size > 1 && length < Math.min(SHORTEST_OVERLAP, (anchor.to - anchor.from) / 2)) {
    throw exchangeError('candles_do_not_overlap', `These recordings do not cover a common stretch of the week of at least 2 hours (or half of the shortest): ${[...recordings.keys()].join(', ')}. Serve them one by one, or give longer files.`);
  }
  const history = length <= MINUTES_ONLY ? Math.min(MINUTE, length - MINUTE) : Math.min(HISTORY, length * HISTORY_SHARE);
  const origin = Math.floor((window.from + history) / MINUTE) * MINUTE;
  const weeks = Math.floor((wall - origin) / WEEK);
  return {
    shifts: Object.fromEntries([...relative].map(([symbol, shift]) => [symbol, shift + weeks])),
    window: move(window, weeks),
    origin: origin + weeks * WEEK,
  };
}
