import { intervalClose, type Candle, type Interval } from '@trademind/core';
import { KLINES_PER_CALL, type BinanceRest } from './binance-rest.ts';
import type { MarketClock } from './market-clock.ts';

/**
 * All closed candles of a series from the one that opens at `from` on, page by page, oldest first. The candle under way is left out: a
 * row counts as closed when a later row follows, or when the exchange itself had already said a later time before it was asked.
 */
export async function* closedCandles(
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
