import type { FunctionDefinition } from '../indicators/definition.ts';

/** Families of functions, as a reader looks for them, each with the names that belong to it. */
const FAMILIES = {
  'Averages': 'sma ema wma vwma hma dema tema smma kama',
  'Oscillators and momentum': 'rsi stochRsi stochastic macd roc momentum percentChange change cci williamsR awesome trix ultimate tsi',
  'Trend': 'adx aroon vortex supertrend psar ichimoku choppiness linreg',
  'Range and bands': 'trueRange atr bollinger keltner donchian stdev zScore',
  'Volume': 'obv adl cmf mfi vwap rollingVwap volumeProfile',
  'Highs, lows and levels': 'highest lowest highestBars lowestBars pivotHigh pivotLow swing',
  'Candle patterns and divergences': 'doji hammer shootingStar bullishEngulfing bearishEngulfing morningStar eveningStar insideBar bullishDivergence bearishDivergence',
  'Events over time': 'crossover crossunder rising falling within held count barsSince',
  'Arithmetic': 'abs sqrt log round min max',
} as const;

/** Functions that look at candles elsewhere say so themselves; whatever nobody has placed yet comes last. */
const ELSEWHERE = 'Other intervals, other symbols, the market';
const REST = 'More';

export const FAMILY_NAMES: readonly string[] = [...Object.keys(FAMILIES), ELSEWHERE, REST];

const BY_NAME = new Map(Object.entries(FAMILIES).flatMap(([family, names]) => names.split(' ').map((name) => [name, family] as const)));

/** The family under which people find a function. */
export function familyOf(definition: FunctionDefinition): string {
  return definition.elsewhere !== undefined ? ELSEWHERE : (BY_NAME.get(definition.name) ?? REST);
}
