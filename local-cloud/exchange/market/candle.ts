/**
 * One candle in the exchange's own exactness: every price and volume is a whole number of 1e-8 units, so that sums,
 * minima and maxima are exact. Prices fit a double (below 9e7), volumes do not and are bigint.
 */
export interface Candle {
  /** Start of the candle, ms since 1970 in market time. */
  openTime: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: bigint;
  quoteVolume: bigint;
  trades: number;
  takerBase: bigint;
  takerQuote: bigint;
}

export const UNITS = 100_000_000;

/** 1e-8 units → the eight decimals that Binance writes: 5155261000000 → "51552.61000000". */
export function formatUnits(units: number | bigint): string {
  const negative = units < 0;
  const digits = (negative ? -units : units).toString().padStart(9, '0');
  const at = digits.length - 8;
  return `${negative ? '-' : ''}${digits.slice(0, at)}.${digits.slice(at)}`;
}

/** Decimal text → 1e-8 units; null when it is no plain decimal, or has digits below 1e-8. */
export function parseUnits(text: string): bigint | null {
  const match = /^(\d{1,18})(?:\.(\d*))?$/.exec(text);
  if (!match) return null;
  const fraction = (match[2] ?? '').replace(/0+$/, '');
  if (fraction.length > 8) return null;
  return BigInt(match[1] + fraction.padEnd(8, '0'));
}

/** volume × price, both in 1e-8 units. */
export function notional(volume: bigint, price: bigint): bigint {
  return (volume * price) / BigInt(UNITS);
}

/** Joins two candles of which `later` follows `earlier`; the result carries the earlier one's open time. */
export function join(earlier: Candle, later: Candle): Candle {
  return {
    openTime: earlier.openTime,
    open: earlier.open,
    high: Math.max(earlier.high, later.high),
    low: Math.min(earlier.low, later.low),
    close: later.close,
    volume: earlier.volume + later.volume,
    quoteVolume: earlier.quoteVolume + later.quoteVolume,
    trades: earlier.trades + later.trades,
    takerBase: earlier.takerBase + later.takerBase,
    takerQuote: earlier.takerQuote + later.takerQuote,
  };
}
