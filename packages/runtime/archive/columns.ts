import type { Candle } from '@trademind/core';

/** The columns of a candle, by the names of the engine. */
export const COLUMN_NAMES = ['openTime', 'open', 'high', 'low', 'close', 'volume', 'quoteVolume', 'trades', 'takerBuy'] as const;
export type ColumnName = (typeof COLUMN_NAMES)[number];

export const REQUIRED_COLUMNS = ['openTime', 'open', 'high', 'low', 'close', 'volume'] as const;

/** Columns that a source may not have; then they hold NaN. */
export const OPTIONAL_COLUMNS = ['quoteVolume', 'trades', 'takerBuy'] as const;
export type OptionalColumn = (typeof OPTIONAL_COLUMNS)[number];

/**
 * Candles as columns: index i of each is one candle, ascending by open time. Units as in core's `Candle`; NaN in an optional column says that the
 * source did not have it.
 */
export type CandleColumns = { readonly length: number } & Readonly<Record<ColumnName, Float64Array>>;

/** Room for `length` candles. */
export function allocateColumns(length: number): CandleColumns {
  const columns = { length } as { length: number } & Record<ColumnName, Float64Array>;
  for (const name of COLUMN_NAMES) columns[name] = new Float64Array(length);
  return columns;
}

/** Candles `from` to `to` (exclusive) of the same memory. */
export function sliceColumns(columns: CandleColumns, from: number, to: number): CandleColumns {
  if (from === 0 && to === columns.length) return columns;
  const slice = { length: Math.max(0, to - from) } as { length: number } & Record<ColumnName, Float64Array>;
  for (const name of COLUMN_NAMES) slice[name] = columns[name].subarray(from, to);
  return slice;
}

/** One after the other, in new memory. */
export function joinColumns(parts: readonly CandleColumns[]): CandleColumns {
  if (parts.length === 1) return parts[0]!;
  const joined = allocateColumns(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    for (const name of COLUMN_NAMES) joined[name].set(part[name], at);
    at += part.length;
  }
  return joined;
}

/** Copies one candle between columns. */
export function copyCandle(from: CandleColumns, index: number, to: CandleColumns, at: number): void {
  for (const name of COLUMN_NAMES) to[name][at] = from[name][index]!;
}

/** Candles as columns, in their order; an optional value that is absent is NaN. */
export function columnsOf(candles: readonly Candle[]): CandleColumns {
  const columns = allocateColumns(candles.length);
  for (const [index, candle] of candles.entries()) for (const name of COLUMN_NAMES) columns[name][index] = candle[name];
  return columns;
}

/** The candle at an index; optional columns that are absent stay NaN. */
export function candleAt(columns: CandleColumns, index: number): Candle {
  return {
    openTime: columns.openTime[index]!, open: columns.open[index]!, high: columns.high[index]!, low: columns.low[index]!, close: columns.close[index]!,
    volume: columns.volume[index]!, quoteVolume: columns.quoteVolume[index]!, trades: columns.trades[index]!, takerBuy: columns.takerBuy[index]!,
  };
}

/** True when two candles are the same to the last bit in these columns, NaN included. */
export function sameCandle(a: CandleColumns, i: number, b: CandleColumns, j: number, columns: readonly ColumnName[] = COLUMN_NAMES): boolean {
  return columns.every((name) => Object.is(a[name][i], b[name][j]));
}
