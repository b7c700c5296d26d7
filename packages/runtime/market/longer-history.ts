import { intervalClose, type Candle } from '@trademind/core';
import { askPage, type AskOptions } from './ask-rows.ts';
import { SETTLED_MS } from './candle-check.ts';
import type { MarketClock } from './market-clock.ts';
import type { StoredHistory } from './stored-history.ts';

export interface LongerOptions extends Omit<AskOptions, 'priority'> {
  clock: Pick<MarketClock, 'now' | 'seen' | 'isAhead'>;
  /** What is stored on this computer need not be asked for. */
  stored?: StoredHistory | undefined;
}

/**
 * The closed candles of a series from `from` (ms) on, as the exchange has them, oldest first: of a longer interval that nobody streams, whose newest are made of shorter ones. Throws
 * what the exchange client throws.
 */
export async function longerHistory({ stored, ...options }: LongerOptions, from: number): Promise<Candle[]> {
  const { clock, interval } = options;
  const candles: Candle[] = [];
  let expected: number | undefined;
  for (let next = from; ;) {
    const settled = clock.seen() - SETTLED_MS;
    const ask = { ...options, priority: 'backfill' as const };
    const { rows, more } = next === from && stored ? await stored.page(ask, next) : await askPage(ask, next);
    for (const row of rows) {
      // Beyond a hole nothing before it counts. A row that has only just closed is none: it is left for later, and the one under way stands behind it.
      if (expected !== undefined && row.openTime > expected) candles.length = 0;
      expected = intervalClose(interval, row.openTime);
      if (expected <= settled) candles.push(row);
    }
    const last = rows.at(-1);
    if (last === undefined || !more) return candles;
    next = intervalClose(interval, last.openTime);
  }
}
