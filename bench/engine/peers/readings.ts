/** The 22 distinct indicators that the traders read, and steps up or down in a row. */
export const INDICATORS = [
  'ema9', 'ema21', 'ema50', 'ema200', 'sma20', 'sma50', 'sma200', 'volumeSma20', 'smma30', 'rsi7', 'rsi14', 'macd', 'stoch', 'bollinger', 'stdev20', 'atr14', 'trueRange',
  'highest20', 'highest50', 'lowest20', 'roc12', 'momentum10', 'steps',
] as const;
export type IndicatorName = (typeof INDICATORS)[number];

/** What an expression of the language is called among the readings. */
export const EXPRESSIONS = {
  ema9: 'ema(9)', ema21: 'ema(21)', ema50: 'ema(50)', ema200: 'ema(200)', sma20: 'sma(20)', sma50: 'sma(50)', sma200: 'sma(200)', volumeSma20: 'sma(volume, 20)', smma30: 'smma(30)',
  rsi7: 'rsi(7)', rsi14: 'rsi(14)', macdLine: 'macd(12, 26, 9).line', macdSignal: 'macd(12, 26, 9).signal', macdHistogram: 'macd(12, 26, 9).histogram',
  stochK: 'stochastic(14, 3, 3).k', stochD: 'stochastic(14, 3, 3).d', bbUpper: 'bollinger(20, 2).upper', bbLower: 'bollinger(20, 2).lower', percentB: 'bollinger(20, 2).percentB',
  stdev20: 'stdev(20)', atr14: 'atr(14)', trueRange: 'trueRange()', highest20: 'highest(high, 20)', highest50: 'highest(high, 50)', lowest20: 'lowest(low, 20)', roc12: 'roc(12)',
  momentum10: 'momentum(10)',
} as const;
export type ReadingName = keyof typeof EXPRESSIONS;

/** All that the hand-written traders read on one candle; NaN: not there yet. */
export interface Readings extends Record<ReadingName, number> {
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  /** Consecutive closes, each above (below) the one before. */
  risen: number;
  fallen: number;
}

export const noReadings = (): Readings => ({
  open: NaN, high: NaN, low: NaN, close: NaN, volume: NaN, risen: 0, fallen: 0,
  ema9: NaN, ema21: NaN, ema50: NaN, ema200: NaN, sma20: NaN, sma50: NaN, sma200: NaN, volumeSma20: NaN, smma30: NaN, rsi7: NaN, rsi14: NaN, macdLine: NaN, macdSignal: NaN,
  macdHistogram: NaN, stochK: NaN, stochD: NaN, bbUpper: NaN, bbLower: NaN, percentB: NaN, stdev20: NaN, atr14: NaN, trueRange: NaN, highest20: NaN, highest50: NaN, lowest20: NaN,
  roc12: NaN, momentum10: NaN,
});
