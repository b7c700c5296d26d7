import * as z from 'zod/mini';

/** Length of each fixed interval in ms. A month (1M) has no fixed length: see `intervalOpen` and `intervalClose`. */
const FIXED_MS = {
  '1m': 60_000, '3m': 180_000, '5m': 300_000, '15m': 900_000, '30m': 1_800_000,
  '1h': 3_600_000, '2h': 7_200_000, '4h': 14_400_000, '6h': 21_600_000, '8h': 28_800_000, '12h': 43_200_000,
  '1d': 86_400_000, '1w': 604_800_000,
} as const;

/** Candle intervals of Binance Spot that a trader may use: all but 1s, and 3d, which opens on days that nobody can know beforehand (ADR 15). */
export const INTERVALS = [...(Object.keys(FIXED_MS) as (keyof typeof FIXED_MS)[]), '1M'] as const;
/** Why an interval that the exchange has is refused. */
export const NO_3D = '3d candles are not supported: the exchange does not say on which days they open. Use 1d or 1w';
export const Interval = z.enum(INTERVALS, { error: ({ input }) => (input === '3d' ? NO_3D : undefined) });
export type Interval = z.infer<typeof Interval>;

/** The Unix epoch was a Thursday; weeks open on Monday 00:00 UTC, four days later. */
const WEEK_OFFSET_MS = 4 * 86_400_000;

/** Open time (ms) of the candle of `interval` that contains the instant `ms`. All in UTC. */
export function intervalOpen(interval: Interval, ms: number): number {
  if (interval === '1M') {
    const date = new Date(ms);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1);
  }
  const length = FIXED_MS[interval];
  const offset = interval === '1w' ? WEEK_OFFSET_MS : 0;
  return Math.floor((ms - offset) / length) * length + offset;
}

/** Close time (ms, exclusive: the next candle's open time) of the candle of `interval` that opens at `openTime`. */
export function intervalClose(interval: Interval, openTime: number): number {
  if (interval === '1M') {
    const date = new Date(openTime);
    return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1);
  }
  return openTime + FIXED_MS[interval];
}

/** Length in ms; a month counts as 30 days here: use it for sizes and waits, never to step from candle to candle. */
export function intervalMs(interval: Interval): number {
  return interval === '1M' ? 30 * 86_400_000 : FIXED_MS[interval];
}

/** A candle. Times in ms UTC; prices in the quote asset; volume and takerBuy in the base asset, quoteVolume in the quote asset. */
export interface Candle {
  openTime: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
  quoteVolume: number;
  /** Number of trades. */
  trades: number;
  /** Base volume bought by takers. */
  takerBuy: number;
}

/** A tradable pair as the exchange describes it. */
export interface SymbolInfo {
  symbol: string;
  baseAsset: string;
  quoteAsset: string;
  /** TRADING, BREAK, HALT … as the exchange says it. */
  status: string;
  /** Leveraged tokens (BTCUP …) by the exchange's own permission, never by name. */
  leveraged: boolean;
  /** False where the exchange does not let anybody trade it on the spot market; absent = it does. */
  spot?: boolean;
}

export type Side = 'long' | 'short';
