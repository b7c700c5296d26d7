import type { TraderInput } from '@trademind/core';

/**
 * Sells into a spent rise: the high of the candle before still reached beyond the upper band, this one no longer does. It is a bet on the return
 * to the mean, so it stands against the EMA cross. Settles in 21 candles.
 */
export const bollingerRejection: TraderInput = {
  name: 'Bollinger rejection',
  description: 'Sells a spent rise: the price has reached beyond the upper Bollinger band and no longer does.',
  side: 'short',
  interval: '1m',
  params: { length: 20, width: 2 },
  let: { upper: 'bollinger(length, width).upper' },
  where: {
    rejected: 'crossunder(high, upper)',
  },
};
