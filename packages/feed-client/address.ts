import type { FeedSubscription } from '@trademind/core';

interface Going extends FeedSubscription { epoch?: string; seq?: number; attempt: number }

/** Where to go on and what to hear; none of it is a secret, so it may stand in the address. */
export function feedAddress(feed: string, { epoch, seq, types, symbols, everyMs, attempt }: Going): URL {
  const address = new URL(feed);
  const query = { epoch, seq, types: types?.join(','), symbols: symbols?.join(','), every: everyMs, attempt };
  for (const [name, value] of Object.entries(query)) if (value !== undefined) address.searchParams.set(name, String(value));
  return address;
}
