import { PACKED_LIMIT } from './bit-packing.ts';
import type { CandleColumns } from './columns.ts';

/** Candles of one block at most: what one damaged spot on the disk can cost, and what a short read decodes too much. */
export const BLOCK_CANDLES = 4_096;

/** Which parts a block has; a bit each in its frame's flags. */
export const FLAGS = { skips: 1, quoteVolume: 2, trades: 4, takerBuy: 8 } as const;

/** A payload begins with a scale per column: prices, volume, quoteVolume, trades, takerBuy; the rest are zero. */
export const SCALES_BYTES = 8;

/** Bound of differences, each way: they lose a bit to their sign. */
export const DIFFERENCE_LIMIT = PACKED_LIMIT / 2;

/** What of a block's frame its decoding needs. */
export interface BlockShape { flags: number; first: number; count: number }

/**
 * volume × hlc3 in units of 1 / `power`: what a candle's quote volume is near to. Each step is an exactly defined IEEE operation, so that reader and writer agree to the bit.
 */
export function expectedQuoteVolume({ volume, high, low, close }: CandleColumns, i: number, power: number): number {
  const guess = Math.round(volume[i]! * ((high[i]! + low[i]! + close[i]!) / 3) * power);
  return guess < PACKED_LIMIT ? guess : 0;
}
