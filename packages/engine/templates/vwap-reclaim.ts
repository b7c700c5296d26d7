import type { TraderInput } from '@trademind/core';

/**
 * The day's VWAP is what the average buyer has paid today: below it the day's buyers lose and sell into every rise, above it they hold. So the candle on which a price that was below it for an hour
 * comes back above, on volume, is a change of hands. Not in the first two hours of the UTC day, when the average is that of few candles, nor in the last, when the day is over.
 * Fails on days that go sideways around their VWAP, which is why it must have been below for long, and in a steady fall, whose rebounds end at the VWAP; the stop lies an ATR and a bit
 * below it, where the reclaim has failed. Meant for 1m to 15m, within the day.
 * Settles in 300 candles of 5m: VWAP takes a day.
 */
export const vwapReclaim: TraderInput = {
  name: 'VWAP reclaim',
  description: "Buys within the day: after an hour below it the price comes back above the day's volume-weighted average price, on volume. Loses on days that swing around their average.",
  side: 'long',
  interval: '5m',
  params: {
    below: { value: 10, min: 8, max: 12, step: 1 },
    push: { value: 1.5, min: 1, max: 4, step: 0.25 },
  },
  where: {
    reclaim: 'crossover(close, vwap())',
    was_below: 'count(close < vwap(), 12)[1] >= below',
    busy: 'volume > push * sma(volume, 20)',
    session: 'hour >= 2 && hour < 23',
  },
  universe: { largest: 30, minQuoteVolume: 1_000_000 },
  cooldown: '2h',
  limits: { perHour: 10, perDay: 40 },
  expiry: { candles: 2 },
  execution: {
    stop: { price: 'vwap() - 1.25 * atr(14)' },
    targets: [{ at: '1.5 * atr(14)', share: 0.5 }, { at: '3 * atr(14)', share: 0.5 }],
    timeStop: '4h',
  },
};
