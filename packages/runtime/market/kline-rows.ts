import { intervalClose, type Candle, type Interval } from '@trademind/core';
import { hasFigures, isMarketTime, isOnGrid } from './candle-check.ts';

/** What was asked for: open times in ms, `until` included. */
export interface KlineRange { from: number; until: number | undefined; limit: number }

/** One answer. `offGrid`: rows that open where no candle of the interval can; `last`: open time of the last row of either kind. */
export interface KlinePage { candles: Candle[]; offGrid: Candle[]; rows: number; last: number | undefined }

/**
 * Reads an answer of `/api/v3/klines`, row by row. Throws TypeError where it is none: more rows than asked for, rows outside the range or not ascending, figures that
 * cannot be. Rows off the grid are true ones: after an outage the exchange has begun candles at the moment of its return (1h of BTCUSDT from 2018-02-09T09:28:14.789Z to
 * 2018-02-11T03:28:14.789Z), and its own dumps have them too.
 */
export function klinePageOf(body: unknown, interval: Interval, { from, until = Infinity, limit }: KlineRange): KlinePage {
  const rows = body as unknown[];
  if (rows.length > limit) throw new TypeError('too many rows');
  const page: KlinePage = { candles: [], offGrid: [], rows: rows.length, last: undefined };
  for (const row of rows) {
    const candle = candleOfRow(row, interval);
    if (candle.openTime < from || candle.openTime <= (page.last ?? -1) || candle.openTime > until || !hasFigures(candle)) throw new TypeError('no candle');
    page.last = candle.openTime;
    (isOnGrid(interval, candle.openTime) ? page.candles : page.offGrid).push(candle);
  }
  return page;
}

/**
 * A row of `/api/v3/klines`: [openTime, o, h, l, c, v, closeTime, quoteVolume, trades, takerBase, takerQuote, "0"]. Times and counts are numbers, prices and
 * volumes text. A candle that a halt has cut short may end before its time, never after it.
 */
function candleOfRow(row: unknown, interval: Interval): Candle {
  if (!Array.isArray(row) || row.length < 11) throw new TypeError('no row');
  const [openTime, open, high, low, close, volume, closeTime, quoteVolume, trades, takerBuy] = row as unknown[];
  if (!isMarketTime(openTime) || !isMarketTime(closeTime) || closeTime < openTime || closeTime >= intervalClose(interval, openTime) || typeof trades !== 'number') throw new TypeError('no row');
  return {
    openTime, open: decimalOf(open), high: decimalOf(high), low: decimalOf(low), close: decimalOf(close),
    volume: decimalOf(volume), quoteVolume: decimalOf(quoteVolume), trades, takerBuy: decimalOf(takerBuy),
  };
}

/** Decimals come as text; whatever else is none (NaN). */
export function decimalOf(field: unknown): number {
  return typeof field === 'string' && /^\d+(\.\d+)?$/.test(field) ? Number(field) : Number.NaN;
}
