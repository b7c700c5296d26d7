import type { TraderInput } from '@trademind/core';

/**
 * Follows a trend as it turns up: the short average crosses above the long one on a candle that more than the usual volume stands behind. Without
 * the volume most crossings in a sideways market are noise. Settles in 92 candles.
 */
export const emaCrossWithVolume: TraderInput = {
  name: 'EMA cross with volume',
  description: 'Buys a turn of the short trend: the fast average crosses above the slow one on above-average volume.',
  side: 'long',
  interval: '1m',
  params: { fast: 5, slow: 13, average: 20 },
  where: {
    cross: 'crossover(ema(fast), ema(slow))',
    busy: 'volume > sma(volume, average)',
  },
};
