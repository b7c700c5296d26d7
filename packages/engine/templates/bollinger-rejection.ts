import type { TraderInput } from '@trademind/core';

/**
 * Sells into a spent rise: the high of the candle before still reached beyond the upper band, this one no longer does. It is a bet on the return
 * to the mean, so it stands against the EMA cross. 1.9 deviations rather than 2: in a thin market on a coarse price grid a band of 2 often falls exactly
 * on a price (4 of 20 closes one step higher put it on that step), and a tie is no rejection. Settles in 21 candles.
 */
export const bollingerRejection: TraderInput = {
  name: 'Bollinger rejection',
  description: 'Sells a spent rise: the price has reached beyond the upper Bollinger band and no longer does.',
  side: 'short',
  interval: '1m',
  params: { length: 20, width: 1.9 },
  let: { upper: 'bollinger(length, width).upper' },
  where: {
    rejected: 'crossunder(high, upper)',
  },
};
