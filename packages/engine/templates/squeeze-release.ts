import type { TraderInput } from '@trademind/core';

/**
 * Volatility comes in turns: after it has been low it becomes high. The Bollinger bands lie inside the Keltner channel for six candles or more (J. Carter's squeeze), and then the close leaves the
 * upper band. The squeeze says that a move comes, not where to: so the slope of the last candles must point up, and volume must come with it. The target is where the energy of a
 * quiet market usually ends, the stop lies at the middle of the bands, beyond which there was no release.
 * Fails on false starts that return into the bands, which the stop takes early, and in thin markets, where every lull is a squeeze. Meant for 5m to 1d. Settles in 149 candles (Keltner).
 */
export const squeezeRelease: TraderInput = {
  name: 'Squeeze release',
  description: 'Buys the end of a calm: the Bollinger bands lay inside the Keltner channel, and the close now leaves the upper band with volume behind it. Loses on false starts, and in thin markets, where every lull looks like a squeeze.',
  side: 'long',
  interval: '15m',
  params: {
    length: { value: 20, min: 10, max: 40, step: 1 },
    calm_candles: { value: 6, min: 3, max: 30, step: 1 },
    push: { value: 1.2, min: 1, max: 4, step: 0.1 },
  },
  let: {
    squeezed: 'bollinger(length, 2).upper < keltner(length, 1.5, 10).upper && bollinger(length, 2).lower > keltner(length, 1.5, 10).lower',
  },
  where: {
    calm: 'within(held(squeezed, calm_candles), 4)',
    release: 'close > bollinger(length, 2).upper',
    upward: 'linreg(length).slope > 0',
    busy: 'volume > push * sma(volume, 20)',
  },
  universe: { largest: 50, minQuoteVolume: 1_000_000 },
  cooldown: '3h',
  limits: { perHour: 10, perDay: 40 },
  expiry: { candles: 2 },
  execution: {
    stop: { price: 'bollinger(length, 2).middle' },
    targets: [{ at: '2 * atr(14)', share: 0.5 }, { at: '4 * atr(14)', share: 0.5 }],
    timeStop: { candles: 24 },
  },
};
