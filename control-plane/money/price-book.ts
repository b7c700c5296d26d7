import type { PriceTable } from '@trademind/core';
import type { AccountDatabase } from '../database/account.ts';

/** Today's prices, as bills and budgets are made with. */
export interface PriceBook {
  /** As last read; null: not read yet, and no price is told. */
  now(): PriceTable | null;
  /** Reads them anew. Throws DatabaseError; those read before stay. */
  refresh(): Promise<void>;
}

/** What a request or an event tells of prices costs no question of its own: they are read beside. */
export function createPriceBook(account: Pick<AccountDatabase, 'prices'>): PriceBook {
  let prices: PriceTable | null = null;
  return { now: () => prices, refresh: async () => { prices = await account.prices(); } };
}
