import type { MarketRow } from '@trademind/core';
import { percent, price } from './format.ts';

export interface MarketView { symbol: string; price: string; change: string | null; direction: 'up' | 'down' | 'flat'; matches: readonly string[]; halted: boolean }

const rank = (row: MarketRow): number => (row.halted ? 2 : row.matches.length > 0 ? 0 : 1);

/** Rows of the table: those that match now first, then by what was traded in 24 h, halted ones last. */
export function marketViews(markets: ReadonlyMap<string, MarketRow>): MarketView[] {
  return [...markets.values()]
    .sort((a, b) => rank(a) - rank(b) || (b.quoteVolume24h ?? 0) - (a.quoteVolume24h ?? 0) || a.symbol.localeCompare(b.symbol))
    .map((row) => ({
      symbol: row.symbol, price: price(row.price), change: row.change24h === null ? null : percent(row.change24h),
      direction: (row.change24h ?? 0) > 0 ? 'up' : (row.change24h ?? 0) < 0 ? 'down' : 'flat',
      matches: row.matches, halted: row.halted,
    }));
}
