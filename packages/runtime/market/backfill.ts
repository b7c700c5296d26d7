import { intervalClose, type Candle, type Interval } from '@trademind/core';
import { KLINES_PER_CALL, type BinanceRest } from './binance-rest.ts';
import type { CandleMerge } from './candle-merge.ts';
import type { MarketClock } from './market-clock.ts';

/**
 * All closed candles of a series from the one that opens at `from` on, page by page, oldest first. The candle under way is left out: a
 * row counts as closed when a later row follows, or when the exchange itself had already said a later time before it was asked.
 */
async function* closedCandles(
  rest: Pick<BinanceRest, 'klines'>, clock: Pick<MarketClock, 'seen'>, symbol: string, interval: Interval, from: number,
): AsyncGenerator<Candle[]> {
  let next = from;
  for (;;) {
    const seen = clock.seen();
    const rows = await rest.klines(symbol, interval, next);
    const last = rows.at(-1);
    const lastIsClosed = last !== undefined && intervalClose(interval, last.openTime) <= seen;
    const closed = lastIsClosed ? rows : rows.slice(0, -1);
    if (closed.length > 0) yield closed;
    if (last === undefined || rows.length < KLINES_PER_CALL) return;
    // The last row of a full page is asked for again when it could not be trusted yet.
    next = lastIsClosed ? intervalClose(interval, last.openTime) : last.openTime;
  }
}

export interface HistoryOptions {
  rest: Pick<BinanceRest, 'klines'>;
  clock: Pick<MarketClock, 'seen'>;
  symbol: string;
  interval: Interval;
  from: number;
  merge: CandleMerge;
  /** False when the series was begun anew or given up meanwhile: then nothing more is laid. */
  stillWanted: () => boolean;
}

/**
 * Lays a series' history into the merge. A series without a start begins at the first candle that there is (a young symbol has fewer than
 * were asked for); where the exchange's own answer leaves candles out, it never had them: that is a hole. Answers whether there was any candle.
 */
export async function layHistory({ rest, clock, symbol, interval, from, merge, stillWanted }: HistoryOptions): Promise<boolean> {
  let expected = merge.nextOpen(interval);
  let brought = false;
  for await (const page of closedCandles(rest, clock, symbol, interval, from)) {
    if (!stillWanted()) return brought;
    for (const candle of page) {
      if (expected !== undefined && candle.openTime < expected) continue;
      if (expected === undefined) merge.startAt(interval, candle.openTime);
      else if (candle.openTime > expected) merge.markHole(interval, expected, candle.openTime);
      merge.offer(interval, candle);
      expected = intervalClose(interval, candle.openTime);
      brought = true;
    }
  }
  if (expected === undefined && stillWanted()) merge.startAt(interval, merge.earliestWaiting(interval) ?? from);
  return brought;
}
