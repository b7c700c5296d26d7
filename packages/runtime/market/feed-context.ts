import type { Candle, Interval } from '@trademind/core';
import type { Log } from '../log.ts';
import type { Wall } from '../time.ts';
import type { BinanceRest } from './binance-rest.ts';
import type { CandleMarks } from './candle-marks.ts';
import type { MarketClock } from './market-clock.ts';
import type { StoredHistory } from './stored-history.ts';

/** What all feeds of a market share. */
export interface FeedContext {
  rest: Pick<BinanceRest, 'klines'>;
  clock: MarketClock;
  wall: Wall;
  log: Log;
  signal: AbortSignal;
  marks: CandleMarks;
  /** History that lies on this computer. */
  stored?: StoredHistory | undefined;
  /** Makes sure that the clock was set a moment ago. */
  refreshClock(): Promise<void>;
  /** Whether the exchange itself says that the symbol does not trade now. */
  saysHalted(symbol: string): Promise<boolean>;
  /** Open time of the first candle that a series needs. */
  startOf(symbol: string, interval: Interval): number;
  /** Longer intervals that are made of the symbol's candles. */
  longer(symbol: string): readonly Interval[];
  /** Fetches the past of those, as the exchange has it: it must be there before the symbol's own history goes on. */
  before(symbol: string): Promise<void>;
  /** A closed candle, in order, exactly once. */
  take(symbol: string, interval: Interval, candle: Candle): void;
  /** The series begins anew (a hole that the exchange never filled, or a longer history): what is known of it must be forgotten. */
  restart(symbol: string, interval: Interval): void;
  /** The newest candles that are held of a series, oldest first; none where nobody holds them. */
  held(symbol: string, interval: Interval, limit: number): readonly Candle[];
  /** Open time of the oldest candle that is held of a series; undefined where there is none. */
  heldFrom(symbol: string, interval: Interval): number | undefined;
  /** What was said of a series does not fit what is held: it should be compared. */
  doubt(symbol: string, interval: Interval): void;
  /** Something worth showing changed: history fetched, a halt, an end of one. */
  onProgress(): void;
}
