import type { TraderInput } from '@trademind/core';

/**
 * Buys the end of a fall rather than the fall itself: not while RSI is low, but on the candle on which it comes back above the limit. The short
 * RSI of 7 suits one-minute candles. Settles in 100 candles.
 */
export const rsiOversoldTurn: TraderInput = {
  name: 'RSI oversold turn',
  description: 'Buys a rebound: RSI was oversold and comes back above its limit.',
  side: 'long',
  interval: '1m',
  params: { length: 7, oversold: 30 },
  where: {
    turn: 'crossover(rsi(length), oversold)',
  },
};
