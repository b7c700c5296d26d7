import { OPTIONAL_COLUMNS, type CandleColumns } from './columns.ts';

/** What is wrong with a candle's values, as a sentence; undefined when an exchange may have given it. `slack`: prices that were rounded may stick out by so much of themselves. */
export function impossibility({ open, high, low, close, volume, quoteVolume, trades, takerBuy }: CandleColumns, i: number, slack = 0): string | undefined {
  const [o, h, l, c, v] = [open[i]!, high[i]!, low[i]!, close[i]!, volume[i]!];
  if (!(o > 0 && h > 0 && l > 0 && c > 0 && o + h + l + c < Infinity)) return 'a price is not above 0';
  const [most, least] = [h * (1 + slack), l * (1 - slack)];
  if (most < o || most < c || most < l || least > o || least > c) return 'high and low do not enclose open and close';
  if (!(v >= 0 && v < Infinity)) return 'the volume is below 0';
  for (const value of [quoteVolume[i]!, trades[i]!, takerBuy[i]!]) if (value < 0 || value === Infinity) return 'a volume or the number of trades is below 0';
  return undefined;
}

/** True when its source had no quote volume, trades or taker volume. */
export function isIncomplete(columns: CandleColumns, i: number): boolean {
  return OPTIONAL_COLUMNS.some((name) => Number.isNaN(columns[name][i]!));
}
