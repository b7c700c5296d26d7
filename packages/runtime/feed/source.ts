import type { AnalysisOutcome, Candle, Interval, LogEntry, MachineStatus, MarketRow, Signal, TraderDocument } from '@trademind/core';
import type { CandleMark } from '../market/candle-marks.ts';

/** Something that changed on the machine and that its feed passes on at once. */
export type FeedEvent =
  | { type: 'status'; data: MachineStatus }
  | { type: 'metrics'; data: { marketTime: number; markets: MarketRow[] } }
  | { type: 'signal'; data: Signal }
  | { type: 'analysis'; data: AnalysisOutcome }
  | { type: 'log'; data: LogEntry };

/**
 * What the feed reads from the machine: all answers come from memory, at once. An event may be told before or after the state shows it;
 * clients take both for one fact (signals by id, the others by replacement).
 */
export interface FeedSource {
  readonly machineId: string;
  readonly userId: string;
  /** New at every boot: a resume under another boot id gets a snapshot. */
  readonly bootId: string;
  status(): MachineStatus;
  markets(): MarketRow[];
  /** At most `limit` signals, newest first. */
  signals(limit: number): Signal[];
  /** At most `limit` outcomes of signals, newest first. */
  analyses(limit: number): AnalysisOutcome[];
  /** The last log entries, oldest first; bounded by the source. */
  log(): LogEntry[];
  traders(): { id: string; version: number; document: TraderDocument }[];
  /** At most `limit` closed candles, oldest first; empty for an unknown series. */
  candles(symbol: string, interval: Interval, limit: number): Candle[];
  /** What is to be known of the series beyond its candles (holes, corrections, …): at most `limit` marks, the newest, oldest first. */
  marks(symbol: string, interval: Interval, limit: number): CandleMark[];
  /** Which conditions of a trader hold on a symbol now, with their values; undefined when either is unknown. */
  explain(traderId: string, symbol: string): unknown;
  /** Calls the listener with every event from now on; the answer ends it. */
  subscribe(listener: (event: FeedEvent) => void): () => void;
}
