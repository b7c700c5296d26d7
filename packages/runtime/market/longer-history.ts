import { intervalClose, type Candle } from '@trademind/core';
import { askRows, type AskOptions } from './ask-rows.ts';
import { KLINES_PER_CALL } from './binance-rest.ts';
import { SETTLED_MS } from './candle-check.ts';
import type { MarketClock } from './market-clock.ts';

/**
 * The closed candles of a series from `from` (ms) on, as the exchange has them, oldest first: of a longer interval that nobody streams, whose newest are made of shorter ones. Throws
 * what the exchange client throws.
 */
export async function longerHistory(options: Omit<AskOptions, 'priority'> & { clock: Pick<MarketClock, 'seen' | 'isAhead'> }, from: number): Promise<Candle[]> {
  const { clock, interval } = options;
  const candles: Candle[] = [];
  let expected: number | undefined;
  for (let next = from; ;) {
    const settled = clock.seen() - SETTLED_MS;
    const rows = await askRows({ ...options, priority: 'backfill' }, next);
    for (const row of rows) {
      // Beyond a hole nothing before it counts. A row that has only just closed is none: it is left for later, and the one under way stands behind it.
      if (expected !== undefined && row.openTime > expected) candles.length = 0;
      expected = intervalClose(interval, row.openTime);
      if (expected <= settled) candles.push(row);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < KLINES_PER_CALL) return candles;
    next = intervalClose(interval, last.openTime);
  }
}
