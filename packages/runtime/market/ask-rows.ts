import { TradeMindError, type Candle, type Interval } from '@trademind/core';
import { pause, type Wall } from '../time.ts';
import { KLINES_PER_CALL, type BinanceRest } from './binance-rest.ts';
import { agrees, sameCandle } from './candle-check.ts';
import type { MarketClock } from './market-clock.ts';
import type { Priority } from './weight-budget.ts';

/** What an answer says that can hardly be is asked for once more after so long (wall ms). */
const CONFIRM_MS = 300;

export interface AskOptions {
  rest: Pick<BinanceRest, 'klines'>;
  clock: Pick<MarketClock, 'isAhead'>;
  wall: Pick<Wall, 'after'>;
  signal: AbortSignal;
  symbol: string;
  interval: Interval;
  priority: Priority;
  /** Candles that were taken before: an answer that covers them should say the same of them. */
  held?: readonly Candle[];
}

/**
 * Asks for a series' rows. Of an answer that can hardly be (rows of the future, rows that contradict themselves or what is held) the exchange is
 * asked once more, and believed when it says the same again. Throws `exchange_malformed` when it does not, and what the client throws.
 */
export async function askRows(options: AskOptions, from: number, until?: number): Promise<Candle[]> {
  const { rest, wall, signal, symbol, interval, priority } = options;
  const ask = () => rest.klines(symbol, interval, from, { ...(until === undefined ? {} : { until }), priority });
  const rows = await ask();
  const doubts = doubtsOf(rows, options, from, until);
  if (doubts.size === 0) return rows;
  await pause(CONFIRM_MS, signal, wall);
  const again = await ask();
  for (const doubt of doubtsOf(again, options, from, until)) {
    if (!doubts.has(doubt)) throw new TradeMindError({ code: 'exchange_malformed', message: `The exchange's ${interval} candles of ${symbol} contradict what is known, each time in another way.`, nextStep: 'They are asked for again.' });
  }
  return again;
}

/** Rows of a series, oldest first. `more`: the answer was full, there are later ones. */
export interface Page { rows: Candle[]; more: boolean }

/** One answer's rows from `from` on. Throws as `askRows`. */
export async function askPage(options: AskOptions, from: number): Promise<Page> {
  const rows = await askRows(options, from);
  return { rows, more: rows.length >= KLINES_PER_CALL };
}

/** What can hardly be, each thing as a text by which it is known again. */
function doubtsOf(rows: readonly Candle[], { clock, held = [] }: AskOptions, from: number, until = Infinity): Set<string> {
  const doubts = new Set<string>();
  const told = new Map(rows.map((row) => [row.openTime, row]));
  for (const before of held) {
    const now = told.get(before.openTime);
    if (before.openTime >= from && before.openTime <= until && !(now && sameCandle(before, now))) doubts.add(JSON.stringify(now ?? before.openTime));
  }
  // The last may still be forming.
  for (const row of rows.slice(0, -1)) if (!agrees(row)) doubts.add(JSON.stringify(row));
  for (const { openTime } of rows) if (clock.isAhead(openTime)) doubts.add(String(openTime));
  return doubts;
}
