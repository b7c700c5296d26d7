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
  for (let next = from; ;) {
    const settled = clock.seen() - SETTLED_MS;
    const rows = await askRows({ ...options, priority: 'backfill' }, next);
    for (const row of rows) {
      const expected = candles.length === 0 ? row.openTime : intervalClose(interval, candles.at(-1)!.openTime);
      // Beyond a hole nothing before it counts.
      if (row.openTime > expected) candles.length = 0;
      if (intervalClose(interval, row.openTime) <= settled) candles.push(row);
    }
    const last = rows.at(-1);
    if (last === undefined || rows.length < KLINES_PER_CALL) return candles;
    next = intervalClose(interval, last.openTime);
  }
}
