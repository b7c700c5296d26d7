import type { Candle, Interval } from '@trademind/core';
import type { LaneBook } from './lane-book.ts';
import type { SavedLane } from './lane-set.ts';
import type { Match } from './match.ts';
import type { ActiveTrader } from './screening-graph.ts';
import type { SnapshotReader, SnapshotWriter } from './snapshot.ts';

/**
 * Whoever screens the symbols for the traders that look at one symbol at a time: a `LaneSet` on this thread, or one behind worker threads. The latter answers without matches
 * and tells them later.
 */
export interface LaneHost {
  /** Makes the running set equal the given one. New traders warm up from the stored candles; the matches found in that, oldest first. */
  setTraders(traders: readonly ActiveTrader[]): Match[];
  /** Which symbols a trader screens, whether it runs yet or not; undefined: it is gone. The matches found in the candles of newly included symbols, oldest first. */
  setUniverse(traderId: string, symbols: ReadonlySet<string> | undefined): Match[];
  /** Screens what a series has beyond what was screened of it; the matches, in the order of candles. */
  advance(symbol: string, interval: Interval): readonly Match[];
  /** What the candle under way would give if it closed now, to traders that ask for it; it leaves no trace. */
  peek(symbol: string, interval: Interval, candle: Candle): Match[];
  /** Drops all that was computed from a series, before it is begun anew. */
  forget(symbol: string, interval: Interval): void;
  book(symbol: string, interval: Interval): LaneBook | undefined;
  books(interval: Interval): Iterable<LaneBook>;
  /** Every lane as it stands, for `restore`. */
  save(writer: SnapshotWriter): SavedLane[];
  /** Puts the lanes of a snapshot in place, for the traders that run now, over candles restored before. One that no longer fits what they compute begins anew from the stored candles. */
  restore(saved: readonly SavedLane[], reader: SnapshotReader): void;
}
