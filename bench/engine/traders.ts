import { TraderDocument, type Interval, type Side } from '@trademind/core';
import type { RunningTrader } from '@trademind/engine';
import type { IndicatorName, Readings } from './peers/readings.ts';

/** A trader in the language, and the same one as a programmer writes it by hand over readings of this candle and the one before. */
export interface BenchTrader {
  name: string;
  side: Side;
  where: Readonly<Record<string, string>>;
  /** Indicators that its hand-written form needs. */
  needs: readonly IndicatorName[];
  holds: (now: Readings, before: Readings) => boolean;
}

const stochTurn = 'crossover(stochastic(14, 3, 3).k, stochastic(14, 3, 3).d)';

/** Twenty traders with two to four conditions each, over 22 distinct indicators, as practitioners write them: each matches a symbol once in some hundred candles or less. */
export const TRADERS: readonly BenchTrader[] = [
  {
    name: 'Oversold turn', side: 'long', where: { oversold: 'rsi(14) < 30', turn: stochTurn, low: 'stochastic(14, 3, 3).k < 20', up: 'close > open' }, needs: ['rsi14', 'stoch'],
    holds: (now, before) => now.rsi14 < 30 && now.stochK > now.stochD && before.stochK <= before.stochD && now.stochK < 20 && now.close > now.open,
  },
  {
    name: 'Average cross with volume', side: 'long', where: { cross: 'crossover(ema(9), ema(21))', busy: 'volume > 2 * sma(volume, 20)', trend: 'close > ema(50)' }, needs: ['ema9', 'ema21', 'ema50', 'volumeSma20'],
    holds: (now, before) => now.ema9 > now.ema21 && before.ema9 <= before.ema21 && now.volume > 2 * now.volumeSma20 && now.close > now.ema50,
  },
  {
    name: 'MACD cross below zero', side: 'long', needs: ['macd', 'ema21', 'ema50', 'ema200'],
    where: { cross: 'crossover(macd(12, 26, 9).line, macd(12, 26, 9).signal)', below: 'macd(12, 26, 9).line < 0', trend: 'ema(50) > ema(200)', strong: 'close > ema(21)' },
    holds: (now, before) => now.macdLine > now.macdSignal && before.macdLine <= before.macdSignal && now.macdLine < 0 && now.ema50 > now.ema200 && now.close > now.ema21,
  },
  {
    name: 'Bollinger rejection', side: 'long', needs: ['bollinger', 'rsi14'],
    where: { pierced: 'low < bollinger(20, 2).lower', back: 'close > bollinger(20, 2).lower', weak: 'rsi(14) < 30', up: 'close > open' },
    holds: (now) => now.low < now.bbLower && now.close > now.bbLower && now.rsi14 < 30 && now.close > now.open,
  },
  {
    name: 'Volume breakout', side: 'long', needs: ['highest50', 'volumeSma20', 'trueRange', 'atr14'],
    where: { breakout: 'close > highest(high, 50)[1]', busy: 'volume > 3 * sma(volume, 20)', wide: 'trueRange() > 2 * atr(14)' },
    holds: (now, before) => now.close > before.highest50 && now.volume > 3 * now.volumeSma20 && now.trueRange > 2 * now.atr14,
  },
  {
    name: 'Breakdown', side: 'short', needs: ['lowest20', 'volumeSma20', 'ema9', 'ema21', 'ema50', 'ema200'],
    where: { breakdown: 'close < lowest(low, 20)[1]', busy: 'volume > 3 * sma(volume, 20)', short: 'ema(9) < ema(21)', long: 'ema(50) < ema(200)' },
    holds: (now, before) => now.close < before.lowest20 && now.volume > 3 * now.volumeSma20 && now.ema9 < now.ema21 && now.ema50 < now.ema200,
  },
  {
    name: 'Stochastic hook', side: 'long', where: { low: 'stochastic(14, 3, 3).k < 20', turn: stochTurn, trend: 'close > sma(200)', busy: 'volume > 1.5 * sma(volume, 20)' }, needs: ['stoch', 'sma200', 'volumeSma20'],
    holds: (now, before) => now.stochK < 20 && now.stochK > now.stochD && before.stochK <= before.stochD && now.close > now.sma200 && now.volume > 1.5 * now.volumeSma20,
  },
  {
    name: 'Golden cross', side: 'long', where: { cross: 'crossover(sma(50), sma(200))', strong: 'rsi(14) > 50' }, needs: ['sma50', 'sma200', 'rsi14'],
    holds: (now, before) => now.sma50 > now.sma200 && before.sma50 <= before.sma200 && now.rsi14 > 50,
  },
  {
    name: 'Pullback in a trend', side: 'long', needs: ['ema21', 'ema50', 'ema200', 'rsi14', 'volumeSma20'],
    where: { trend: 'ema(50) > ema(200)', reclaim: 'crossover(close, ema(21))', strong: 'rsi(14) > 50', busy: 'volume > 2 * sma(volume, 20)' },
    holds: (now, before) => now.ema50 > now.ema200 && now.close > now.ema21 && before.close <= before.ema21 && now.rsi14 > 50 && now.volume > 2 * now.volumeSma20,
  },
  {
    name: 'Wide candle', side: 'long', where: { wide: 'high - low > 3 * atr(14)', up: 'close > open', busy: 'volume > 3 * sma(volume, 20)' }, needs: ['atr14', 'volumeSma20'],
    holds: (now) => now.high - now.low > 3 * now.atr14 && now.close > now.open && now.volume > 3 * now.volumeSma20,
  },
  {
    name: 'Momentum thrust', side: 'long', where: { thrust: 'roc(12) > 2', strong: 'rsi(14) > 70', above: 'close > sma(20)' }, needs: ['roc12', 'rsi14', 'sma20'],
    holds: (now) => now.roc12 > 2 && now.rsi14 > 70 && now.close > now.sma20,
  },
  {
    name: 'Fast reversion', side: 'long', where: { drained: 'rsi(7) < 10', outside: 'close < bollinger(20, 2).lower', trend: 'ema(50) > ema(200)' }, needs: ['rsi7', 'bollinger', 'ema50', 'ema200'],
    holds: (now) => now.rsi7 < 10 && now.close < now.bbLower && now.ema50 > now.ema200,
  },
  {
    name: 'Squeeze release', side: 'long', needs: ['stdev20', 'atr14', 'bollinger', 'volumeSma20'],
    where: { squeezed: 'stdev(20)[1] < atr(14)[1]', release: 'close > bollinger(20, 2).upper', busy: 'volume > 3 * sma(volume, 20)' },
    holds: (now, before) => before.stdev20 < before.atr14 && now.close > now.bbUpper && now.volume > 3 * now.volumeSma20,
  },
  {
    name: 'Momentum turn', side: 'long', where: { turn: 'crossover(momentum(10), 0)', trend: 'close > sma(50)', busy: 'volume > 3 * sma(volume, 20)' }, needs: ['momentum10', 'sma50', 'volumeSma20'],
    holds: (now, before) => now.momentum10 > 0 && before.momentum10 <= 0 && now.close > now.sma50 && now.volume > 3 * now.volumeSma20,
  },
  {
    name: 'Falling cross', side: 'short', where: { cross: 'crossunder(ema(9), ema(21))', weak: 'rsi(14) < 40', trend: 'close < ema(200)', busy: 'volume > sma(volume, 20)' }, needs: ['ema9', 'ema21', 'rsi14', 'ema200', 'volumeSma20'],
    holds: (now, before) => now.ema9 < now.ema21 && before.ema9 >= before.ema21 && now.rsi14 < 40 && now.close < now.ema200 && now.volume > now.volumeSma20,
  },
  {
    name: 'Overbought fade', side: 'short', needs: ['rsi14', 'stoch', 'highest20'],
    where: { overbought: 'rsi(14) > 70', turn: 'crossunder(stochastic(14, 3, 3).k, stochastic(14, 3, 3).d)', top: 'high >= highest(high, 20)' },
    holds: (now, before) => now.rsi14 > 70 && now.stochK < now.stochD && before.stochK >= before.stochD && now.high >= now.highest20,
  },
  {
    name: 'Band ride', side: 'long', where: { outside: 'bollinger(20, 2).percentB > 1', steps: 'rising(close, 3)', busy: 'volume > 3 * sma(volume, 20)' }, needs: ['bollinger', 'steps', 'volumeSma20'],
    holds: (now) => now.percentB > 1 && now.risen >= 3 && now.volume > 3 * now.volumeSma20,
  },
  {
    name: 'Histogram turn', side: 'long', needs: ['macd', 'stoch', 'smma30'],
    where: { turn: 'crossover(macd(12, 26, 9).histogram, 0)', low: 'stochastic(14, 3, 3).k < 50', above: 'close > smma(30)' },
    holds: (now, before) => now.macdHistogram > 0 && before.macdHistogram <= 0 && now.stochK < 50 && now.close > now.smma30,
  },
  {
    name: 'Three pushes down', side: 'long', where: { pushes: 'falling(close, 3)', drained: 'rsi(7) < 20', wide: 'trueRange() > 2 * atr(14)' }, needs: ['steps', 'rsi7', 'trueRange', 'atr14'],
    holds: (now) => now.fallen >= 3 && now.rsi7 < 20 && now.trueRange > 2 * now.atr14,
  },
  {
    name: 'Channel reclaim', side: 'long', needs: ['highest20', 'lowest20', 'ema9', 'ema21', 'smma30', 'volumeSma20'],
    where: { reclaim: 'crossover(close, (highest(high, 20) + lowest(low, 20)) / 2)', trend: 'ema(9) > ema(21)', above: 'close > smma(30)', busy: 'volume > 2 * sma(volume, 20)' },
    holds: (now, before) => now.close > (now.highest20 + now.lowest20) / 2 && before.close <= (before.highest20 + before.lowest20) / 2 && now.ema9 > now.ema21 && now.close > now.smma30 && now.volume > 2 * now.volumeSma20,
  },
];

/** A trader to run, with an id of its own for each number. */
export const running = (index: number, document: { name: string; side: Side; interval?: Interval; where: Readonly<Record<string, string>> }, version = 1): RunningTrader => ({
  id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, version,
  document: TraderDocument.parse({ name: document.name, side: document.side, interval: document.interval, where: document.where }),
});

/** The twenty traders to run. */
export const runningTraders = (version = 1): RunningTrader[] => TRADERS.map((trader, index) => running(index, trader, version));
