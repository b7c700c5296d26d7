import { intervalClose, type Candle, type Interval } from '@trademind/core';
import { pause, type Wall } from '../time.ts';
import { askPage, askRows } from './ask-rows.ts';
import { KLINES_PER_CALL, type BinanceRest } from './binance-rest.ts';
import { sameCandle, SETTLED_MS } from './candle-check.ts';
import type { CandleMerge } from './candle-merge.ts';
import type { MarketClock } from './market-clock.ts';
import type { StoredHistory } from './stored-history.ts';
import type { Priority } from './weight-budget.ts';

/** What an answer leaves out is asked for once more after so long (wall ms), before it is believed. */
const CONFIRM_MS = 300;

export interface HistoryOptions {
  rest: Pick<BinanceRest, 'klines'>;
  clock: Pick<MarketClock, 'now' | 'seen' | 'isAhead'>;
  wall: Pick<Wall, 'after'>;
  signal: AbortSignal;
  symbol: string;
  interval: Interval;
  from: number;
  priority: Priority;
  merge: CandleMerge;
  /** What is stored on this computer need not be asked for. */
  stored?: StoredHistory | undefined;
  /** Candles from `from` on that were taken before: the answer should begin with them. */
  held?: readonly Candle[];
  /** The exchange says something else of one of those. */
  onDifference?: () => void;
  /** False when the series was begun anew or given up meanwhile: then nothing more is laid. */
  stillWanted: () => boolean;
}

export interface Laid {
  /** Candles that were laid in, and of them those in which somebody traded: a stream should have told these. */
  candles: number;
  traded: number;
  /** The last row, which no other follows: over by the clock alone. A forming candle when the clock is wrong. */
  unfollowed: Candle | undefined;
}

/**
 * Lays a series' history into the merge, page by page, oldest first. A row is closed when a later one follows it and its end is a moment ago. A
 * series without a start begins at the first candle that there is (a young symbol has fewer than were asked for); what the exchange's own
 * answer leaves out twice it never had: that is a hole.
 */
export async function layHistory(options: HistoryOptions): Promise<Laid> {
  const { clock, interval, from, held = [], merge, stillWanted } = options;
  const laid: Laid = { candles: 0, traded: 0, unfollowed: undefined };
  let expected = merge.nextOpen(interval);
  const lay = (candle: Candle): void => {
    if (expected === undefined) merge.startAt(interval, candle.openTime);
    else if (candle.openTime > expected) merge.markHole(interval, expected, candle.openTime);
    merge.lay(interval, candle);
    expected = intervalClose(interval, candle.openTime);
    laid.candles += 1;
    if (candle.trades > 0) laid.traded += 1;
  };
  for (let next = from; ;) {
    // What the exchange had said before it was asked: an answer may be under way for long.
    const settled = clock.seen() - SETTLED_MS;
    const { rows, more } = next === from && options.stored ? await options.stored.page(options, next) : await askPage(options, next);
    if (!stillWanted()) return laid;
    const isOver = (row: Candle) => intervalClose(interval, row.openTime) <= settled;
    const last = rows.at(-1);
    const beforeLast = rows.at(-2);
    // Two rows after it: it has been over for a whole interval.
    const closed = rows.slice(0, beforeLast && isOver(beforeLast) ? -1 : -2);
    for (const candle of closed) {
      if (expected !== undefined && candle.openTime < expected) {
        if (held.some((before) => before.openTime === candle.openTime && !sameCandle(before, candle))) options.onDifference?.();
        continue;
      }
      if (expected !== undefined && candle.openTime > expected) {
        for (const found of await askAgain(options, expected, candle.openTime)) lay(found);
        if (!stillWanted()) return laid;
      }
      lay(candle);
    }
    if (last && more) {
      // What could not be trusted yet begins the next page: there it is followed.
      next = (rows[closed.length] ?? last).openTime;
      continue;
    }
    if (last && isOver(last) && (expected === undefined || last.openTime >= expected)) laid.unfollowed = last;
    // A series of which nothing is over yet begins with what the stream has, or with its first candle.
    if (expected === undefined) merge.startAt(interval, merge.earliestWaiting(interval) ?? rows[0]?.openTime ?? from);
    return laid;
  }
}

/** The candles from `from` to before `until`, asked for once more. */
async function askAgain(options: HistoryOptions, from: number, until: number): Promise<Candle[]> {
  await pause(CONFIRM_MS, options.signal, options.wall);
  const found: Candle[] = [];
  for (let next = from; ;) {
    const rows = await askRows(options, next, until - 1);
    found.push(...rows);
    const last = rows.at(-1);
    if (last === undefined || rows.length < KLINES_PER_CALL) return found;
    next = intervalClose(options.interval, last.openTime);
  }
}
