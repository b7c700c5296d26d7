import type { TraderInput } from '@trademind/core';

/**
 * Sells a rise that loses its breath: a higher high on a lower RSI, and then the price itself turns below the lows of three candles. The divergence alone is no signal: it can be there for long
 * while the price climbs on, so the turn is waited for, and RSI must have been high at all. The stop stands above the high that the divergence is about.
 * Fails in strong trends, which diverge again and again before they end. Meant for 15m to 1d: on short intervals pivots are noise. A divergence is known three candles after its high, when the
 * pivot is confirmed, never before. Settles in 287 candles (a first pivot is waited for).
 */
export const bearishRsiDivergence: TraderInput = {
  name: 'Bearish RSI divergence',
  description: 'Sells a tired rise: the price made a higher high on a lower RSI and now breaks the lows of the last candles. Loses in strong trends, which diverge several times before they end.',
  side: 'short',
  interval: '15m',
  params: {
    high_rsi: { value: 60, min: 55, max: 75, step: 1 },
    fresh: { value: 8, min: 3, max: 15, step: 1 },
  },
  let: { strength: 'rsi(14)' },
  where: {
    divergence: 'within(bearishDivergence(strength, 5, 3), fresh)',
    was_high: 'highest(strength, 30) > high_rsi',
    turn: 'close < lowest(low, 3)[1]',
  },
  universe: { largest: 50, minQuoteVolume: 1_000_000 },
  cooldown: '3h',
  limits: { perHour: 10, perDay: 40 },
  expiry: { candles: 2 },
  execution: {
    stop: { price: 'highest(high, 12) + 0.25 * atr(14)' },
    targets: [{ at: '2 * atr(14)', share: 0.5 }, { at: '4 * atr(14)', share: 0.5 }],
    timeStop: { candles: 32 },
  },
};
