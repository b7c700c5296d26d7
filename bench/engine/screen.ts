import type { Candle, Interval } from '@trademind/core';
import { Screener, type RunningTrader } from '@trademind/engine';
import type { Market } from './market.ts';

/** A screener that holds the first `length` candles of every symbol, and knows that these traders screen all of them: they still have to be set. */
export function stored(market: Market, traders: readonly RunningTrader[], length: number, intervals: readonly Interval[] = ['1m']): Screener {
  const screener = new Screener({ defaultInterval: '1m', capacity: () => 500 });
  for (const { id } of traders) screener.setUniverse(id, new Set(market.symbols));
  for (const interval of intervals) {
    for (let n = 0; n < length; n++) for (const [index, symbol] of market.symbols.entries()) screener.onCandle(symbol, interval, market.candle(index, n, interval));
  }
  return screener;
}

/** A screener that has screened the first `length` candles of every symbol for these traders. */
export function screened(market: Market, traders: readonly RunningTrader[], length: number): Screener {
  const screener = stored(market, traders, 0);
  screener.setTraders(traders);
  for (let n = 0; n < length; n++) for (const [index, symbol] of market.symbols.entries()) screener.onCandle(symbol, '1m', market.candle(index, n));
  return screener;
}

/**
 * The ms that one pass takes: a closed candle of every symbol, one symbol after the other as they come in life, each as fresh as a feed brings it. `found` is told
 * what each gave.
 */
export function timePass<T>(market: Market, n: number, take: (candle: Candle, symbol: number) => T, found?: (answer: T, symbol: number) => void): number {
  const candles = market.symbols.map((_, symbol) => market.candle(symbol, n));
  const answers: T[] = Array.from({ length: candles.length });
  const began = performance.now();
  for (let symbol = 0; symbol < candles.length; symbol++) answers[symbol] = take(candles[symbol]!, symbol);
  const took = performance.now() - began;
  if (found) for (const [symbol, answer] of answers.entries()) found(answer, symbol);
  return took;
}
