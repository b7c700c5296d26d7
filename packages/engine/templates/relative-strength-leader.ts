import type { TraderInput } from '@trademind/core';

/**
 * What is strong stays strong for a while: the symbol is among the strongest tenth of all that are screened over the last day, is traded a lot, Bitcoin itself is not falling, and the price
 * breaks to a new high of 20 candles. It looks at the whole market, so each close is screened once all candles are there (or after 5 s without those that are missing, which the signal names).
 * Fails when leadership changes: the strongest fall the most on the day the market turns, so Bitcoin below its average of a day stops it. Meant for 15m to 4h, over a wide universe: of three symbols
 * the strongest tenth is just the first. Settles in 97 candles, a day, and as many of BTCUSDT.
 */
export const relativeStrengthLeader: TraderInput = {
  name: 'Relative strength leader',
  description: 'Buys the strongest: among the top tenth of the market over a day and heavily traded, it makes a new high while Bitcoin is above its average of a day. Loses when leadership changes, as on the day the market turns.',
  side: 'long',
  interval: '15m',
  params: {
    top: { value: 90, min: 70, max: 99, step: 1 },
    liquid: { value: 50, min: 10, max: 200, step: 10 },
    high_of: { value: 20, min: 10, max: 96, step: 1 },
  },
  where: {
    leader: 'percentile(roc(close, 96)) >= top',
    traded: 'rank(quoteVolume24h) <= liquid',
    new_high: 'close > highest(high, high_of)[1]',
    bitcoin_holds: 'of("BTCUSDT", close > sma(96))',
  },
  universe: { largest: 100, minQuoteVolume: 1_000_000 },
  cooldown: '8h',
  limits: { perHour: 10, perDay: 40 },
  expiry: { candles: 2 },
  execution: {
    stop: '2 * atr(14)',
    targets: [{ at: '3 * atr(14)', share: 0.4 }, { at: '6 * atr(14)', share: 0.3 }],
    trail: '3 * atr(14)',
    timeStop: '2d',
  },
};
