import type { TraderInput } from '@trademind/core';

/**
 * The turtles' entry: a close above everything of the last 20 candles, taken only where ADX says that the market goes somewhere, the hour above agrees, and volume stands behind it. Most
 * breakouts fail and the few that run pay for them, so the stop is wide, only a third is closed early, and the rest trails until the other side of a shorter channel breaks.
 * Fails in a sideways market, which breaks out on both sides in turn, and after news that is traded away within an hour. Meant for 15m to 4h: below that fees and noise
 * eat the many small losses. `[1]` because the channel includes the current candle. Settles in 392 candles (ADX) and 50 hours.
 */
export const donchianBreakout: TraderInput = {
  name: 'Donchian breakout',
  description: 'Buys strength: the close breaks above the highest high of the last 20 candles in a trend that ADX and the hour confirm, on more than usual volume. Many small losses, above all in sideways markets, are paid for by few large gains.',
  side: 'long',
  interval: '15m',
  params: {
    channel: { value: 20, min: 10, max: 60, step: 5 },
    strength: { value: 20, min: 15, max: 35, step: 1 },
    push: { value: 1.5, min: 1, max: 4, step: 0.25 },
  },
  where: {
    breakout: 'close > donchian(channel).upper[1]',
    trending: 'adx(14).value > strength',
    busy: 'volume > push * sma(volume, 20)',
    uptrend: 'on("1h", close > sma(50))',
  },
  universe: { largest: 50, minQuoteVolume: 1_000_000 },
  cooldown: '4h',
  limits: { perHour: 10, perDay: 40 },
  expiry: { candles: 2 },
  execution: {
    stop: '2 * atr(14)',
    targets: [{ at: '3 * atr(14)', share: 0.33 }],
    trail: '3 * atr(14)',
    exit: 'close < donchian(10).lower[1]',
  },
};
