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
    name: 'Volume breakout', side: 'long', needs: ['donchian20', 'volumeSma20', 'adx14'],
    where: { breakout: 'close > donchian(20).upper[1]', busy: 'volume > 3 * sma(volume, 20)', trend: 'adx(14).value > 25' },
    holds: (now, before) => now.close > before.donchianUpper && now.volume > 3 * now.volumeSma20 && now.adx > 25,
  },
  {
    name: 'Breakdown', side: 'short', needs: ['donchian20', 'volumeSma20', 'ema9', 'ema21', 'ema50', 'ema200'],
    where: { breakdown: 'close < donchian(20).lower[1]', busy: 'volume > 3 * sma(volume, 20)', short: 'ema(9) < ema(21)', long: 'ema(50) < ema(200)' },
    holds: (now, before) => now.close < before.donchianLower && now.volume > 3 * now.volumeSma20 && now.ema9 < now.ema21 && now.ema50 < now.ema200,
  },
  {
    name: 'StochRSI hook', side: 'long', needs: ['stochRsi', 'sma200', 'volumeSma20'],
    where: { hook: 'crossover(stochRsi(14, 14, 3, 3).k, 20)', trend: 'close > sma(200)', busy: 'volume > 1.5 * sma(volume, 20)' },
    holds: (now, before) => now.stochRsiK > 20 && before.stochRsiK <= 20 && now.close > now.sma200 && now.volume > 1.5 * now.volumeSma20,
  },
  {
    name: 'A trend begins', side: 'long', needs: ['adx14', 'ema50'],
    where: { cross: 'crossover(adx(14).plusDi, adx(14).minusDi)', strong: 'adx(14).value > 25', above: 'close > ema(50)' },
    holds: (now, before) => now.plusDi > now.minusDi && before.plusDi <= before.minusDi && now.adx > 25 && now.close > now.ema50,
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
    name: 'Momentum thrust', side: 'long', where: { thrust: 'roc(12) > 1', strong: 'rsi(14) > 70', above: 'close > keltner(20, 2, 10).upper' }, needs: ['roc12', 'rsi14', 'keltner'],
    holds: (now) => now.roc12 > 1 && now.rsi14 > 70 && now.close > now.keltnerUpper,
  },
  {
    name: 'Fast reversion', side: 'long', where: { drained: 'cci(20) < -250', outside: 'close < bollinger(20, 2).lower', trend: 'ema(50) > ema(200)' }, needs: ['cci20', 'bollinger', 'ema50', 'ema200'],
    holds: (now) => now.cci20 < -250 && now.close < now.bbLower && now.ema50 > now.ema200,
  },
  {
    name: 'Squeeze release', side: 'long', needs: ['bollinger', 'keltner', 'volumeSma20'],
    where: { squeezed: 'bollinger(20, 2).upper[1] < keltner(20, 2, 10).upper[1]', release: 'close > bollinger(20, 2).upper', busy: 'volume > 3 * sma(volume, 20)' },
    holds: (now, before) => before.bbUpper < before.keltnerUpper && now.close > now.bbUpper && now.volume > 3 * now.volumeSma20,
  },
  {
    name: 'Money flows in', side: 'long', where: { turn: 'crossover(mfi(14), 20)', flow: 'change(obv(), 5) > 0', up: 'close > open', busy: 'volume > 1.5 * sma(volume, 20)' }, needs: ['mfi14', 'obv', 'volumeSma20'],
    holds: (now, before) => now.mfi14 > 20 && before.mfi14 <= 20 && now.obvChange5 > 0 && now.close > now.open && now.volume > 1.5 * now.volumeSma20,
  },
  {
    name: 'Falling cross', side: 'short', needs: ['ema9', 'ema21', 'rsi14', 'ema200', 'volumeSma20'],
    where: { cross: 'crossunder(ema(9), ema(21))', weak: 'rsi(14) < 40', trend: 'close < ema(200)', busy: 'volume > sma(volume, 20)' },
    holds: (now, before) => now.ema9 < now.ema21 && before.ema9 >= before.ema21 && now.rsi14 < 40 && now.close < now.ema200 && now.volume > now.volumeSma20,
  },
  {
    name: 'Overbought fade', side: 'short', needs: ['rsi14', 'stoch', 'williamsR14'],
    where: { overbought: 'rsi(14) > 70', turn: 'crossunder(stochastic(14, 3, 3).k, stochastic(14, 3, 3).d)', top: 'williamsR(14) > -20' },
    holds: (now, before) => now.rsi14 > 70 && now.stochK < now.stochD && before.stochK >= before.stochD && now.williamsR14 > -20,
  },
  {
    name: 'Band ride', side: 'long', where: { outside: 'bollinger(20, 2).percentB > 1', steps: 'rising(close, 3)', busy: 'volume > 3 * sma(volume, 20)' }, needs: ['bollinger', 'steps', 'volumeSma20'],
    holds: (now) => now.percentB > 1 && now.risen >= 3 && now.volume > 3 * now.volumeSma20,
  },
  {
    name: 'Histogram turn', side: 'long', needs: ['macd', 'stoch', 'supertrend'],
    where: { turn: 'crossover(macd(12, 26, 9).histogram, 0)', low: 'stochastic(14, 3, 3).k < 50', trend: 'supertrend(10, 3).direction == 1' },
    holds: (now, before) => now.macdHistogram > 0 && before.macdHistogram <= 0 && now.stochK < 50 && now.direction === 1,
  },
  {
    name: 'SuperTrend flip', side: 'long', needs: ['supertrend', 'volumeSma20'],
    where: { up: 'supertrend(10, 3).direction == 1', was_down: 'supertrend(10, 3).direction[1] == -1', busy: 'volume > 3 * sma(volume, 20)' },
    holds: (now, before) => now.direction === 1 && before.direction === -1 && now.volume > 3 * now.volumeSma20,
  },
  {
    name: 'Aroon turn', side: 'long', needs: ['aroon25', 'ema9', 'ema21', 'volumeSma20'],
    where: { turn: 'crossover(aroon(25).up, aroon(25).down)', trend: 'ema(9) > ema(21)', busy: 'volume > 2 * sma(volume, 20)' },
    holds: (now, before) => now.aroonUp > now.aroonDown && before.aroonUp <= before.aroonDown && now.ema9 > now.ema21 && now.volume > 2 * now.volumeSma20,
  },
];

/** A trader to run, with an id of its own for each number. */
export const running = (index: number, document: { name: string; side: Side; interval?: Interval; where: Readonly<Record<string, string>> }, version = 1): RunningTrader => ({
  id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, version,
  document: TraderDocument.parse({ name: document.name, side: document.side, interval: document.interval, where: document.where }),
});

/** The twenty traders to run. */
export const runningTraders = (version = 1): RunningTrader[] => TRADERS.map((trader, index) => running(index, trader, version));
