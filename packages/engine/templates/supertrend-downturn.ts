import type { TraderInput } from '@trademind/core';

/**
 * Sells a trend that has just turned down: SuperTrend changes sides on this candle, sellers already outweigh buyers by direction (−DI above +DI), and the hour above was weak before. Without the
 * last two most turns of SuperTrend in a range are bought back. The stop is SuperTrend itself, which after the turn lies above the price and comes down with it: where it turns back, the idea is over.
 * Fails in ranges, and late in a fall, when the turn comes after most of the way. Meant for 15m to 4h. Settles in 232 candles (SuperTrend) and 20 hours.
 */
export const supertrendDownturn: TraderInput = {
  name: 'SuperTrend downturn',
  description: 'Sells a turn of the trend: SuperTrend changes to falling while sellers lead by direction and the hour is weak. Loses in ranges, where the trend turns to and fro.',
  side: 'short',
  interval: '15m',
  params: {
    length: { value: 10, min: 7, max: 30, step: 1 },
    factor: { value: 3, min: 1.5, max: 5, step: 0.5 },
  },
  let: { direction: 'supertrend(length, factor).direction' },
  where: {
    turn: 'crossunder(direction, 0)',
    sellers_lead: 'adx(14).minusDi > adx(14).plusDi',
    weak_hour: 'on("1h", close < sma(20))',
  },
  universe: { largest: 50, minQuoteVolume: 1_000_000 },
  cooldown: '4h',
  limits: { perHour: 10, perDay: 40 },
  expiry: { candles: 2 },
  execution: {
    stop: { price: 'supertrend(length, factor).value' },
    targets: [{ at: '2.5 * atr(14)', share: 0.4 }, { at: '5 * atr(14)', share: 0.3 }],
    trail: '3 * atr(14)',
    exit: 'crossover(direction, 0)',
  },
};
