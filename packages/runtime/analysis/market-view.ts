import { intervalClose, intervalMs, type Candle, type Interval } from '@trademind/core';
import type { CandleSeries, CandleStore } from '@trademind/engine';

const DAY_MS = 86_400_000;
/** Below so many symbols their mean says nothing about the market. */
const FEWEST_SYMBOLS = 5;
const LEADER = 'BTCUSDT';

/** What the whole market did over the last 24 h (or one candle, where that is longer), in points: 5 = 5 %. */
export interface Regime { symbols: number; risingPercent: number; medianChange: number; btcChange: number | null }

/** The market as the analysis sees it: always as of an instant, so that the same signal gives the same question again. */
export interface MarketView {
  /** Market time, ms; undefined while the exchange has not told it. */
  now(): number | undefined;
  /** Seconds of market time that pass in a second of wall time. */
  rate(): number;
  /** At most `limit` closed candles up to the one that closed at `asOf` (ms), oldest first; undefined while that one is not there. */
  candles(symbol: string, interval: Interval, asOf: number, limit: number): Candle[] | undefined;
  /** null where there are too few symbols. */
  regime(interval: Interval, asOf: number): Regime | null;
}

/** The view of the stored candles. */
export function marketViewOf(candles: Pick<CandleStore, 'series' | 'symbols'>, clock: { now(): number; readonly rate: number }): MarketView {
  return {
    now: () => clock.now() || undefined,
    rate: () => clock.rate,
    candles: (symbol, interval, asOf, limit) => {
      const series = candles.series(symbol, interval);
      const end = series === undefined ? 0 : endOf(series, interval, asOf);
      if (series === undefined || end === 0 || intervalClose(interval, series.openTime(end - 1)!) !== asOf) return undefined;
      return Array.from({ length: Math.min(limit, end) }, (_, at) => series.at(Math.max(0, end - limit) + at)!);
    },
    regime: (interval, asOf) => {
      // The candle before: that one has come for every symbol by now.
      const until = asOf - intervalMs(interval);
      const changes = candles.symbols(interval).map((symbol) => ({ symbol, change: changeOf(candles.series(symbol, interval)!, interval, until) })).filter((one) => one.change !== null);
      if (changes.length < FEWEST_SYMBOLS) return null;
      const sorted = changes.map(({ change }) => change!).sort((a, b) => a - b);
      return {
        symbols: sorted.length,
        risingPercent: Math.round((100 * sorted.filter((change) => change > 0).length) / sorted.length),
        medianChange: round(sorted[sorted.length >> 1]!),
        btcChange: changes.find(({ symbol }) => symbol === LEADER)?.change ?? null,
      };
    },
  };
}

/** How many candles of the series had closed by then. */
const endOf = (series: CandleSeries, interval: Interval, asOf: number): number => series.find((openTime) => intervalClose(interval, openTime) > asOf);

function changeOf(series: CandleSeries, interval: Interval, until: number): number | null {
  const last = series.at(endOf(series, interval, until) - 1);
  const first = series.at(endOf(series, interval, until - Math.max(DAY_MS, intervalMs(interval))) - 1);
  return last === undefined || first === undefined || !(first.close > 0) || !Number.isFinite(last.close) ? null : round((last.close / first.close - 1) * 100);
}

const round = (points: number): number => Number(points.toFixed(2));
