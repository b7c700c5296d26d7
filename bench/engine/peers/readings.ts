/** The 22 distinct indicators that the traders read, and steps up or down in a row. */
export const INDICATORS = [
  'ema9', 'ema21', 'ema50', 'ema200', 'sma200', 'volumeSma20', 'rsi14', 'stochRsi', 'stoch', 'macd', 'bollinger', 'atr14', 'adx14', 'cci20', 'mfi14', 'obv', 'williamsR14', 'roc12', 'supertrend',
  'keltner', 'donchian20', 'aroon25', 'steps',
] as const;
export type IndicatorName = (typeof INDICATORS)[number];

/** What an expression of the language is called among the readings. */
export const EXPRESSIONS = {
  ema9: 'ema(9)', ema21: 'ema(21)', ema50: 'ema(50)', ema200: 'ema(200)', sma200: 'sma(200)', volumeSma20: 'sma(volume, 20)', rsi14: 'rsi(14)', stochRsiK: 'stochRsi(14, 14, 3, 3).k',
  stochK: 'stochastic(14, 3, 3).k', stochD: 'stochastic(14, 3, 3).d', macdLine: 'macd(12, 26, 9).line', macdSignal: 'macd(12, 26, 9).signal', macdHistogram: 'macd(12, 26, 9).histogram',
  bbUpper: 'bollinger(20, 2).upper', bbLower: 'bollinger(20, 2).lower', percentB: 'bollinger(20, 2).percentB', atr14: 'atr(14)', adx: 'adx(14).value', plusDi: 'adx(14).plusDi',
  minusDi: 'adx(14).minusDi', cci20: 'cci(20)', mfi14: 'mfi(14)', obvChange5: 'change(obv(), 5)', williamsR14: 'williamsR(14)', roc12: 'roc(12)', direction: 'supertrend(10, 3).direction',
  keltnerUpper: 'keltner(20, 2, 10).upper', donchianUpper: 'donchian(20).upper', donchianLower: 'donchian(20).lower', aroonUp: 'aroon(25).up', aroonDown: 'aroon(25).down',
} as const;
export type ReadingName = keyof typeof EXPRESSIONS;

/** All that the hand-written traders read on one candle; NaN: not there yet. */
export interface Readings extends Record<ReadingName, number> {
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  /** Consecutive closes, each above the one before. */
  risen: number;
}

export const noReadings = (): Readings => ({
  open: NaN, high: NaN, low: NaN, close: NaN, volume: NaN, risen: 0,
  ema9: NaN, ema21: NaN, ema50: NaN, ema200: NaN, sma200: NaN, volumeSma20: NaN, rsi14: NaN, stochRsiK: NaN, stochK: NaN, stochD: NaN, macdLine: NaN, macdSignal: NaN, macdHistogram: NaN,
  bbUpper: NaN, bbLower: NaN, percentB: NaN, atr14: NaN, adx: NaN, plusDi: NaN, minusDi: NaN, cci20: NaN, mfi14: NaN, obvChange5: NaN, williamsR14: NaN, roc12: NaN, direction: NaN,
  keltnerUpper: NaN, donchianUpper: NaN, donchianLower: NaN, aroonUp: NaN, aroonDown: NaN,
});

/** What SuperTrend carries from candle to candle. */
export interface TrendState { upper: number; lower: number; close: number; direction: number }

/** One step of SuperTrend by hand, for the library that lacks it. */
export function supertrendStep(state: TrendState, high: number, low: number, close: number, range: number, factor: number): void {
  const middle = (high + low) / 2;
  const upper = middle + factor * range;
  const lower = middle - factor * range;
  state.upper = !(upper >= state.upper) || state.close > state.upper ? upper : state.upper;
  state.lower = !(lower <= state.lower) || state.close < state.lower ? lower : state.lower;
  if (state.direction === 0) state.direction = close >= middle ? 1 : -1;
  if (state.direction === 1 && close < state.lower) state.direction = -1;
  else if (state.direction === -1 && close > state.upper) state.direction = 1;
  state.close = close;
}
