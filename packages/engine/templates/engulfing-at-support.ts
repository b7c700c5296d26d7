import type { TraderInput } from '@trademind/core';

/**
 * Buys where others have bought before: the price comes down to a swing low of the last 100 candles and a rising candle swallows the falling one before it. A pattern alone is
 * worth little; it is the place that gives it meaning, and the larger trend that gives it a chance, so the average of 50 hours must be rising. Just below the support the idea is wrong: there stands the stop.
 * Fails where the support is the last one before a fall, as news makes it, and in thin markets, whose candles swallow each other all day. Meant for 15m to 1d. Not ready where no
 * swing low lies below the close. Settles in 197 candles (ATR) and 56 hours.
 */
export const engulfingAtSupport: TraderInput = {
  name: 'Engulfing at support',
  description: 'Buys a rebound: at a former swing low in a rising market a candle swallows the falling one before it. Loses where the support breaks, so the stop stands just below it.',
  side: 'long',
  interval: '15m',
  params: {
    lookback: { value: 100, min: 40, max: 300, step: 10 },
    near: { value: 1, min: 0.25, max: 2, step: 0.25 },
  },
  let: { support: 'swing(lookback).support' },
  where: {
    pattern: 'bullishEngulfing()',
    at_support: 'lowest(low, 2) <= support + near * atr(14)',
    uptrend: 'on("1h", sma(50) > sma(50)[6])',
  },
  universe: { largest: 50, minQuoteVolume: 1_000_000 },
  cooldown: '3h',
  limits: { perHour: 10, perDay: 40 },
  expiry: { candles: 2 },
  execution: {
    entry: 'limit',
    stop: { price: 'support - 0.5 * atr(14)' },
    targets: [{ at: '1.5 * atr(14)', share: 0.5 }, { at: '3 * atr(14)', share: 0.5 }],
    timeStop: { candles: 48 },
  },
};
