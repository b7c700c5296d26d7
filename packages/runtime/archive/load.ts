import { intervalClose, type Candle, type Interval } from '@trademind/core';
import type { CandleColumns } from './columns.ts';
import type { SeriesKey } from './segment.ts';

/** What of the engine's candle store loading needs. Neither method keeps a reference to the candle. */
export interface CandleSink {
  /** Checks that the candle comes next. */
  append(symbol: string, interval: Interval, candle: Candle): 'appended' | 'duplicate';
  /** The series itself, which takes what was checked before. */
  series(symbol: string, interval: Interval): { push(candle: Candle): void } | undefined;
}

/**
 * Fills quote volumes that the source did not have with volume × hlc3. Answers how many: whoever shows or uses them says that they are estimated.
 */
export function estimateQuoteVolume({ length, quoteVolume, volume, high, low, close }: CandleColumns): number {
  let estimated = 0;
  for (let i = 0; i < length; i++) {
    if (!Number.isNaN(quoteVolume[i]!)) continue;
    quoteVolume[i] = volume[i]! * ((high[i]! + low[i]! + close[i]!) / 3);
    estimated++;
  }
  return estimated;
}

/** Index of the first candle after the last hole: from there on the candles follow each other. */
export function lastStretch(interval: Interval, { length, openTime }: CandleColumns): number {
  for (let i = length - 1; i > 0; i--) if (intervalClose(interval, openTime[i - 1]!) !== openTime[i]) return i;
  return 0;
}

/**
 * Hands the candles from the last hole on to the engine, oldest first; the store keeps as many as it has room for, and what it has already stays. Missing
 * quote volumes are estimated, in `candles` too; missing trades and taker volumes stay NaN, which the engine takes for "not ready". Throws the store's
 * `candle_gap` when its own last candle is older than the first of these.
 */
export function loadCandles({ symbol, interval }: SeriesKey, candles: CandleColumns, sink: CandleSink): { loaded: number; estimated: number } {
  const estimated = estimateQuoteVolume(candles);
  // One object for all: a year of minutes would be half a million.
  const candle: Candle = { openTime: 0, open: 0, high: 0, low: 0, close: 0, volume: 0, quoteVolume: 0, trades: 0, takerBuy: 0 };
  let index = lastStretch(interval, candles);
  for (; index < candles.length; index++) {
    fillCandle(candle, candles, index);
    if (sink.append(symbol, interval, candle) === 'appended') break;
  }
  const loaded = candles.length - index;
  const series = sink.series(symbol, interval);
  // The store has taken the first; that each follows the one before was seen above.
  for (index++; series && index < candles.length; index++) {
    fillCandle(candle, candles, index);
    series.push(candle);
  }
  return { loaded, estimated };
}

function fillCandle(candle: Candle, columns: CandleColumns, index: number): void {
  candle.openTime = columns.openTime[index]!;
  candle.open = columns.open[index]!;
  candle.high = columns.high[index]!;
  candle.low = columns.low[index]!;
  candle.close = columns.close[index]!;
  candle.volume = columns.volume[index]!;
  candle.quoteVolume = columns.quoteVolume[index]!;
  candle.trades = columns.trades[index]!;
  candle.takerBuy = columns.takerBuy[index]!;
}
