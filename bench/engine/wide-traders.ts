import type { RunningTrader } from '@trademind/engine';
import { seeded } from '../frame/chaos.ts';
import { running } from './traders.ts';

/** Conditions that a crowd of traders picks from: rare ones first, of which each trader has one, and common ones. */
const RARE = [
  'crossover(ema(9), ema(21))', 'crossunder(ema(9), ema(21))', 'crossover(ema(21), ema(50))', 'crossunder(ema(21), ema(50))', 'crossover(close, ema(50))', 'crossunder(close, ema(50))',
  'crossover(close, sma(200))', 'crossunder(close, sma(200))', 'crossover(sma(50), sma(200))', 'crossover(macd(12, 26, 9).line, macd(12, 26, 9).signal)',
  'crossunder(macd(12, 26, 9).line, macd(12, 26, 9).signal)', 'crossover(macd(5, 35, 5).histogram, 0)', 'crossover(rsi(14), 30)', 'crossunder(rsi(14), 70)', 'crossover(rsi(7), 20)',
  'crossunder(rsi(7), 80)', 'crossover(stochastic(14, 3, 3).k, stochastic(14, 3, 3).d)', 'crossunder(stochastic(14, 3, 3).k, stochastic(14, 3, 3).d)', 'crossover(momentum(10), 0)',
  'crossover(roc(24), 0)', 'close > highest(high, 20)[1]', 'close < lowest(low, 20)[1]', 'close > highest(high, 50)[1]', 'close < lowest(low, 50)[1]', 'close > highest(high, 100)[1]',
  'close > bollinger(20, 2).upper', 'close < bollinger(20, 2).lower', 'bollinger(50, 2).percentB > 1', 'high - low > 3 * atr(14)', 'trueRange() > 2.5 * atr(50)', 'rising(close, 4)', 'falling(close, 4)',
];
const COMMON = [
  'rsi(14) < 30', 'rsi(14) > 70', 'rsi(14) > 50', 'rsi(7) < 20', 'rsi(7) > 80', 'rsi(21) > 55', 'rsi(21) < 45', 'close > ema(200)', 'close < ema(200)', 'ema(50) > ema(200)', 'ema(50) < ema(200)',
  'ema(9) > ema(21)', 'close > sma(20)', 'close < sma(50)', 'close > sma(100)', 'sma(20) > sma(50)', 'volume > 1.5 * sma(volume, 20)', 'volume > 2 * sma(volume, 20)', 'volume > 3 * sma(volume, 20)',
  'volume > sma(volume, 50)', 'macd(12, 26, 9).line < 0', 'macd(12, 26, 9).histogram > 0', 'stochastic(14, 3, 3).k < 20', 'stochastic(14, 3, 3).k > 80', 'stdev(20) > stdev(50)', 'atr(14) > atr(50)',
  'bollinger(20, 2).width < 0.01', 'roc(12) > 1', 'roc(12) < -1', 'momentum(10) > 0', 'close > open', 'close < open', 'close > smma(30)', 'change(close) > 0',
];

/** `count` traders, each one rare condition and one to three common ones, the same for the same seed. */
export function crowd(count: number, seed = 1): RunningTrader[] {
  const random = seeded(seed);
  const pick = (pool: readonly string[]): string => pool[Math.floor(random() * pool.length)]!;
  return Array.from({ length: count }, (_, index) => {
    const conditions = new Set([pick(RARE)]);
    const wanted = 2 + Math.floor(random() * 3);
    while (conditions.size < wanted) conditions.add(pick(COMMON));
    return running(index, { name: `trader ${index}`, side: 'long', where: Object.fromEntries([...conditions].map((condition, k) => [`c${k}`, condition])) });
  });
}
