import type { Candle, Interval } from '@trademind/core';
import type { BookedTrader, RunningTrader, ScreenedTo } from '@trademind/engine';

/** A series in shared memory, under a number by which the two threads speak of it. */
export interface SharedSeries { readonly key: number; readonly symbol: string; readonly interval: Interval; readonly capacity: number; readonly memory: SharedArrayBuffer }

/** What the main thread tells a screening worker, in order. */
export type Word =
  | { readonly type: 'series'; readonly series: SharedSeries }
  | { readonly type: 'forget'; readonly key: number };

/** What it asks, in order with the words; each is answered. */
export type Request =
  /** The whole state, first of all. `lanes` are snapshots of lanes that were screened elsewhere; those that are in none, are `voided` (symbol and interval: the series was begun anew), or no longer fit, begin with the oldest stored candle. What is `told` need not be told again. */
  | { readonly type: 'begin'; readonly series: readonly SharedSeries[]; readonly traders: readonly RunningTrader[]; readonly universes: readonly (readonly [string, ReadonlySet<string>])[]; readonly lanes: readonly Uint8Array[]; readonly voided: ReadonlySet<string>; readonly told: readonly ScreenedTo[] }
  | { readonly type: 'traders'; readonly traders: readonly RunningTrader[] }
  | { readonly type: 'universe'; readonly id: string; readonly symbols: ReadonlySet<string> | undefined }
  | { readonly type: 'advance'; readonly keys: readonly number[] }
  | { readonly type: 'peek'; readonly candles: readonly (readonly [key: number, candle: Candle])[] }
  | { readonly type: 'save' };

/** A request with the number that its answer bears. */
export type Numbered = Request & { readonly task: number };

/** The book of a lane that is new. */
export interface SharedBook { readonly symbol: string; readonly interval: Interval; readonly traders: readonly BookedTrader[]; readonly memory: SharedArrayBuffer }

export interface Answer {
  readonly task: number;
  /** What was found, as numbers; the traders are those that were named last. */
  readonly matches: Float64Array;
  /** Lanes that have come further or serve other traders, two numbers each: that of their series, and the close time (ms) up to which the traders in their books have now found all there is. */
  readonly screened: Float64Array;
  readonly books: readonly SharedBook[];
  /** Lanes that are no more, by symbol and interval. */
  readonly gone: readonly (readonly [symbol: string, interval: Interval])[];
  /** Time that the work took, ms; and the processor's time in it for candles that came, which pauses by other programs do not lengthen. */
  readonly busyMs: number;
  readonly candlesMs: number;
  readonly lanes?: Uint8Array;
  /** Why the compiled kernels do not run on that thread; said once, with the answer to `begin`. */
  readonly kernelFault?: string;
}
