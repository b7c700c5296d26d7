import { intervalOpen, type Candle, type Interval } from '@trademind/core';

/** Whether the figures can be a candle of this interval at all: finite, on the grid, low below high, nothing negative. */
export function isCandle(interval: Interval, { openTime, open, high, low, close, volume, quoteVolume, trades, takerBuy }: Candle): boolean {
  // Comparisons with NaN are false.
  return Number.isSafeInteger(openTime) && intervalOpen(interval, openTime) === openTime
    && low > 0 && low <= high && high < Infinity && open > 0 && open < Infinity && close > 0 && close < Infinity
    && volume >= 0 && quoteVolume >= 0 && trades >= 0 && takerBuy >= 0 && volume + quoteVolume + trades + takerBuy < Infinity;
}

/** Rounding in the exchange's figures, relative. */
const SLACK = 1e-6;

/**
 * Whether a candle's figures agree with each other: open and close lie within low and high, the taker's part within the volume, and the mean price
 * (quote volume ÷ volume) within low and high. A frame that was damaged on its way seldom does. Rule: by the definition of these columns.
 */
export function agrees({ open, high, low, close, volume, quoteVolume, takerBuy }: Candle): boolean {
  if (low > Math.min(open, close) || high < Math.max(open, close) || takerBuy > volume * (1 + SLACK)) return false;
  // Eight decimals: of dust the mean price says little.
  const dust = 1e-6;
  return quoteVolume >= low * volume * (1 - SLACK) - dust * Math.max(1, low) && quoteVolume <= high * volume * (1 + SLACK) + dust * Math.max(1, high);
}

/** Whether two candles say the same. */
export function sameCandle(a: Candle, b: Candle): boolean {
  return a.openTime === b.openTime && a.open === b.open && a.high === b.high && a.low === b.low && a.close === b.close
    && a.volume === b.volume && a.quoteVolume === b.quoteVolume && a.trades === b.trades && a.takerBuy === b.takerBuy;
}
