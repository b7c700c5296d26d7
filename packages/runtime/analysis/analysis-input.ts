import { intervalOpen, intervalMs, type Candle, type ConditionReading, type Interval, type NoDecisionReason, type Signal } from '@trademind/core';
import { CandleFold, evaluateExpression } from '@trademind/engine';
import { plain } from './answer.ts';
import { levelsOf, type Levels } from './levels.ts';
import type { MarketView, Regime } from './market-view.ts';

/** Candles that indicators are computed from, the fewest that make an analysis worth while, and those told one by one. */
const CANDLES = 250;
const FEWEST = 30;
const TOLD = 20;
const SUMMARY = 50;
const HIGHER_CANDLES = 60;
/** Bounds of what others have written, so that no prompt grows beyond measure. */
const [CONDITIONS, VALUES, EXPRESSION, NAME, DESCRIPTION] = [20, 8, 300, 80, 500];

/** The interval a trader of this one looks up to for the larger picture. */
const HIGHER: Partial<Record<Interval, Interval>> = {
  '1m': '15m', '3m': '30m', '5m': '1h', '15m': '1h', '30m': '4h', '1h': '4h', '2h': '12h', '4h': '1d', '6h': '1d', '8h': '1d', '12h': '1w', '1d': '1w', '1w': '1M',
};

const INDICATORS = {
  rsi14: 'rsi(14)', ema9: 'ema(9)', ema21: 'ema(21)', ema50: 'ema(50)', ema200: 'ema(200)', atr14: 'atr(14)', macdHistogram: 'macd(12, 26, 9).histogram',
  bollingerPercentB: 'bollinger(20, 2).percentB', volumeRatio: 'volume / sma(volume, 20)',
} as const;
const HIGHER_INDICATORS = { rsi14: INDICATORS.rsi14, ema21: INDICATORS.ema21, ema50: INDICATORS.ema50, macdHistogram: INDICATORS.macdHistogram } as const;

/** What of its trader goes with a signal. */
export interface TraderBrief { name: string; description: string }

/** A signal in numbers. Everything that a person or an exchange has named stands under `named`: it is data, never an instruction. */
export interface AnalysisInput {
  side: 'long' | 'short';
  interval: Interval;
  phase: Signal['phase'];
  /** Close time of the signal's candle, ISO. */
  closedAt: string;
  price: number;
  named: { symbol: string; trader: string; description: string };
  conditions: ConditionReading[];
  indicators: Record<keyof typeof INDICATORS, number | null> & { atrPercent: number };
  /** Open time (ISO) of the first and, each after the other, [open, high, low, close, volume]. */
  candles: { since: string; ohlcv: number[][] };
  summary: { candles: number; high: number; low: number; positionPercent: number; change5: number | null; change20: number | null; change50: number | null; risingPercent: number };
  levels: { long: Levels | null; short: Levels | null };
  market: Regime | null;
  higher: (Record<keyof typeof HIGHER_INDICATORS, number | null> & { interval: Interval; candles: number; close: number; change10: number | null }) | null;
}

/** What is asked of a model, with the levels of the signal's own side; or that its candle has not come yet; or why there is nothing to ask. */
export type InputResult = { input: AnalysisInput; levels: Levels } | { waits: true } | { none: Extract<NoDecisionReason, 'no_history' | 'no_levels'> };

/** Puts a signal into numbers, as of its own candle. The same signal over the same candles gives the same input. */
export function analysisInput(signal: Signal, brief: TraderBrief, market: MarketView): InputResult {
  const { symbol, interval, side, price } = signal;
  // Of a candle still under way only the price is known; all else is as of the last closed one.
  const asOf = signal.phase === 'closed' ? signal.closeTime : signal.openTime;
  const found = market.candles(symbol, interval, asOf, CANDLES);
  if (found === undefined) return { waits: true };
  const candles = known(found);
  if (candles.length < FEWEST) return { none: 'no_history' };
  const indicators = valuesOf(INDICATORS, candles, interval);
  const atr = indicators.atr14 ?? 0;
  const [long, short] = (['long', 'short'] as const).map((way) => levelsOf(way, price, atr, candles) ?? null) as [Levels | null, Levels | null];
  const levels = side === 'long' ? long : short;
  if (levels === null) return { none: 'no_levels' };
  return {
    levels,
    input: {
      side, interval, phase: signal.phase, closedAt: new Date(signal.closeTime).toISOString(), price: short8(price),
      named: { symbol: plain(symbol, NAME), trader: plain(brief.name, NAME), description: plain(brief.description, DESCRIPTION) },
      conditions: signal.conditions.slice(0, CONDITIONS).map(brief6),
      indicators: { ...indicators, atrPercent: short6((atr / price) * 100) },
      candles: told(candles), summary: summaryOf(candles), levels: { long, short },
      market: market.regime(interval, asOf), higher: higherOf(symbol, interval, asOf, market),
    },
  };
}

/** A condition, short enough to be told. */
const brief6 = ({ name, expression, holds, values }: ConditionReading): ConditionReading => ({
  name, holds, expression: plain(expression, EXPRESSION),
  values: values.slice(0, VALUES).map((one) => ({ expression: plain(one.expression, EXPRESSION), value: one.value === null ? null : short6(one.value) })),
});

/** The candles after the last unknown one. */
const known = (candles: readonly Candle[]): Candle[] => candles.slice(candles.findLastIndex(({ close, high, low }) => !Number.isFinite(close + high + low)) + 1);

function valuesOf<K extends string>(expressions: Readonly<Record<K, string>>, candles: readonly Candle[], interval: Interval): Record<K, number | null> {
  const last = (expression: string): number | null => {
    const value = evaluateExpression(expression, candles, { interval }).values.at(-1);
    return typeof value === 'number' && Number.isFinite(value) ? short6(value) : null;
  };
  return Object.fromEntries(Object.entries<string>(expressions).map(([name, expression]) => [name, last(expression)])) as Record<K, number | null>;
}

function told(candles: readonly Candle[]): AnalysisInput['candles'] {
  const last = candles.slice(-TOLD);
  return {
    since: new Date(last[0]!.openTime).toISOString(),
    ohlcv: last.map(({ open, high, low, close, volume }) => [...[open, high, low, close].map(short8), Number(volume.toPrecision(4))]),
  };
}

function summaryOf(candles: readonly Candle[]): AnalysisInput['summary'] {
  const last = candles.slice(-SUMMARY);
  const high = Math.max(...last.map((candle) => candle.high));
  const low = Math.min(...last.map((candle) => candle.low));
  const close = last.at(-1)!.close;
  return {
    candles: last.length, high: short8(high), low: short8(low), positionPercent: high > low ? Math.round((100 * (close - low)) / (high - low)) : 50,
    change5: change(candles, 5), change20: change(candles, 20), change50: change(candles, 50),
    risingPercent: Math.round((100 * last.filter((candle) => candle.close > candle.open).length) / last.length),
  };
}

/** Change of the close over n candles, in points. */
function change(candles: readonly Candle[], n: number): number | null {
  const [from, to] = [candles.at(-1 - n)?.close, candles.at(-1)!.close];
  return from === undefined || from === 0 ? null : Number(((to / from - 1) * 100).toFixed(2));
}

function higherOf(symbol: string, interval: Interval, asOf: number, market: MarketView): AnalysisInput['higher'] {
  const higher = HIGHER[interval];
  if (higher === undefined) return null;
  let candles = known(market.candles(symbol, higher, intervalOpen(higher, asOf), HIGHER_CANDLES) ?? []);
  if (candles.length < FEWEST) {
    const fold = new CandleFold(interval, higher);
    const base = market.candles(symbol, interval, asOf, Math.ceil((HIGHER_CANDLES * intervalMs(higher)) / intervalMs(interval))) ?? [];
    const made = known(base.flatMap((candle) => fold.push(candle)));
    if (made.length > candles.length) candles = made;
  }
  if (candles.length === 0) return null;
  return { interval: higher, candles: candles.length, close: short8(candles.at(-1)!.close), change10: change(candles, 10), ...valuesOf(HIGHER_INDICATORS, candles, higher) };
}

const short8 = (value: number): number => Number(value.toPrecision(8));
const short6 = (value: number): number => Number(value.toPrecision(6));
