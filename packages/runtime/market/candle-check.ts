import { intervalOpen, type Candle, type Interval } from '@trademind/core';

/** The exchange may still be adding the last trades up (market ms): a row of a candle that closed more recently is not final. */
export const SETTLED_MS = 2_000;

/** Later than any time that an exchange may tell: what goes beyond it is no time, and some of it no date. */
const LAST_TIME = Date.UTC(2100, 0, 1);

/** Whether it can be a time that an exchange tells, in whole ms since 1970. */
export function isMarketTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < LAST_TIME;
}

/** More trades than the busiest market has in a month, a thousand times over. */
const MOST_TRADES = 1e12;

/** Whether it can be a number of trades. */
export function isTradeCount(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= MOST_TRADES;
}

/** Whether the figures can be a candle of this interval at all: on the grid, and each one a figure that a candle may have. */
export function isCandle(interval: Interval, candle: Candle): boolean {
  return isMarketTime(candle.openTime) && isOnGrid(interval, candle.openTime) && hasFigures(candle);
}

/** Whether a candle of this interval can open then. */
export function isOnGrid(interval: Interval, openTime: number): boolean {
  return intervalOpen(interval, openTime) === openTime;
}

/** Whether prices and volumes are finite, low is below high, and nothing is negative. */
export function hasFigures({ open, high, low, close, volume, quoteVolume, trades, takerBuy }: Candle): boolean {
  // Comparisons with NaN are false.
  return low > 0 && low <= high && high < Infinity && open > 0 && open < Infinity && close > 0 && close < Infinity
    && volume >= 0 && quoteVolume >= 0 && isTradeCount(trades) && takerBuy >= 0 && volume + quoteVolume + trades + takerBuy < Infinity;
}

/** Rounding in the exchange's figures, relative. */
const SLACK = 1e-6;

/**
 * Whether a candle's figures agree with each other: open and close lie within low and high, the taker's part within the volume, the mean price
 * (quote volume ÷ volume) within low and high, and there is volume where there are trades. A frame that was damaged on its way seldom does. Rule: by the
 * definition of these columns.
 */
export function agrees({ open, high, low, close, volume, quoteVolume, trades, takerBuy }: Candle): boolean {
  if ((trades === 0) !== (volume === 0) || low > Math.min(open, close) || high < Math.max(open, close) || takerBuy > volume * (1 + SLACK)) return false;
  // Eight decimals: of dust the mean price says little.
  const dust = 1e-6;
  return quoteVolume >= low * volume * (1 - SLACK) - dust * Math.max(1, low) && quoteVolume <= high * volume * (1 + SLACK) + dust * Math.max(1, high);
}

/** Whether two candles say the same. */
export function sameCandle(a: Candle, b: Candle): boolean {
  return a.openTime === b.openTime && a.open === b.open && a.high === b.high && a.low === b.low && a.close === b.close
    && a.volume === b.volume && a.quoteVolume === b.quoteVolume && a.trades === b.trades && a.takerBuy === b.takerBuy;
}
