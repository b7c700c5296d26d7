import type { Candle, Interval } from '@trademind/core';
import { CandleFold } from '../../packages/engine/candles/candle-fold.ts';
import { simulateCandles } from '../../packages/engine/testing/simulate.ts';
import { readRecordedCandles, recordings } from './recordings.ts';

const DAY_MS = 86_400_000;

/**
 * One-minute candles of several symbols that begin at the same instant: the recorded ones, moved by whole days onto the first of them so that the time of day stays, or simulated ones where the recordings
 * are absent. A recording has no quote volume, trades and taker volume: the first is volume × close, the others are 0.
 */
export function alignedMarkets(): { recorded: boolean; markets: ReadonlyMap<string, readonly Candle[]> } {
  const folder = recordings('klines');
  if (folder === null) {
    const markets = ['BTCUSDT', 'BUSDT', 'CUSDT'].map((symbol, index): [string, Candle[]] => [symbol, simulateCandles(10_080, { seed: index + 1, flatness: index / 10, openTime: 1_613_692_800_000 })]);
    return { recorded: false, markets: new Map(markets) };
  }
  const rows = [...readRecordedCandles(folder)];
  const first = rows[0]![1][0]!.openTime;
  const markets = rows.map(([symbol, candles]): [string, Candle[]] => {
    const shift = Math.round((first - candles[0]!.openTime) / DAY_MS) * DAY_MS;
    return [symbol, candles.map((row) => ({ ...row, openTime: row.openTime + shift, quoteVolume: row.volume * row.close, trades: 0, takerBuy: 0 }))];
  });
  return { recorded: true, markets: new Map(markets) };
}

/** Longer candles made of one-minute ones. */
export function folded(candles: readonly Candle[], interval: Interval): readonly Candle[] {
  if (interval === '1m') return candles;
  const fold = new CandleFold('1m', interval);
  return candles.flatMap((candle) => fold.push(candle));
}

/** The candles of all symbols in the order in which they close; of one instant in the order of the symbols. */
export function inOrder(markets: ReadonlyMap<string, readonly Candle[]>): [symbol: string, candle: Candle][] {
  return [...markets].flatMap(([symbol, candles]) => candles.map((candle): [string, Candle] => [symbol, candle])).sort(([, a], [, b]) => a.openTime - b.openTime);
}
