import type { Candle, Interval } from '@trademind/core';
import type { BookedTrader, RunningTrader } from '@trademind/engine';

/** A series in shared memory, under a number by which the two threads speak of it. */
export interface SharedSeries { readonly key: number; readonly symbol: string; readonly interval: Interval; readonly capacity: number; readonly memory: SharedArrayBuffer }

/** What the main thread asks of a screening worker, in order; each `task` is answered by one `Answer` of that number. */
export type Request =
  /**
   * The whole state, first of all. `lanes` are snapshots of lanes that were screened elsewhere; without them they begin with the stored candles. Matches up to the close times in `told`
   * are known already, but for those of the traders in `fresh`.
   */
  | { readonly type: 'begin'; readonly task: number; readonly series: readonly SharedSeries[]; readonly traders: readonly RunningTrader[]; readonly universes: readonly (readonly [string, ReadonlySet<string>])[]; readonly lanes: readonly Uint8Array[] | undefined; readonly told: readonly (readonly [key: number, closeTime: number])[]; readonly fresh: readonly string[] }
  | { readonly type: 'series'; readonly series: SharedSeries }
  | { readonly type: 'forget'; readonly key: number }
  | { readonly type: 'traders'; readonly task: number; readonly traders: readonly RunningTrader[] }
  | { readonly type: 'universe'; readonly task: number; readonly id: string; readonly symbols: ReadonlySet<string> | undefined }
  | { readonly type: 'advance'; readonly task: number; readonly keys: readonly number[] }
  | { readonly type: 'peek'; readonly task: number; readonly candles: readonly (readonly [key: number, candle: Candle])[] }
  | { readonly type: 'save'; readonly task: number };

/** The book of a lane that is new. */
export interface SharedBook { readonly symbol: string; readonly interval: Interval; readonly traders: readonly BookedTrader[]; readonly memory: SharedArrayBuffer }

export interface Answer {
  readonly task: number;
  /** What was found, as numbers; the traders are those that were named last. */
  readonly matches: Float64Array;
  /** Series that were screened, by their number, and the close time (ms) up to which. */
  readonly screened: readonly (readonly [key: number, closeTime: number])[];
  readonly books: readonly SharedBook[];
  /** Lanes that are no more, by symbol and interval. */
  readonly gone: readonly (readonly [symbol: string, interval: Interval])[];
  /** Time that the work took, ms. */
  readonly busyMs: number;
  readonly lanes?: Uint8Array;
}
