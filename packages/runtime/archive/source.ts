import { TradeMindError, type Candle, type Interval } from '@trademind/core';
import { isOpenTime, openTimeOf, ordinalOf, type Range } from './calendar.ts';
import { columnsOf, type CandleColumns } from './columns.ts';
import type { SeriesKey } from './segment.ts';

/** What the archive asks of an exchange. It rejects with TradeMindErrors and keeps to the exchange's limits by itself. */
export interface CandleSource {
  /** At most `limit` (1 to ROWS_PER_CALL) candles from the one that opens at `startTime` or later on, oldest first. The last may still be forming. */
  klines(symbol: string, interval: Interval, startTime: number, limit: number): Promise<readonly Candle[]>;
  /** The exchange's clock, ms. */
  time(): Promise<number>;
}

export const ROWS_PER_CALL = 1_000;

/** Candles of a stretch, and the stretches in between of which the exchange has none. Together they cover it from where the page before ended to `to`. */
export interface Page { candles: CandleColumns; gaps: Range[]; to: number }

/**
 * All candles of a stretch, a page at a time, in order. That there is none somewhere is believed only when the exchange, asked again for just that place, has
 * none either. Where it has nothing up to the end of the stretch, only what lies before `settled` counts as a gap: later ones may still come.
 * Rejects with the source's error, or `exchange_malformed` when rows do not ascend or open where none can.
 */
export async function* fetchPages(source: CandleSource, key: SeriesKey, range: Range, settled: number): AsyncGenerator<Page> {
  for (let next = range.from; next < range.to;) {
    const { rows, end } = await ask(source, key, { from: next, to: range.to });
    const { between, last } = holes(next, rows);
    const to = end ? Math.max(last, Math.min(range.to, settled)) : last;
    if (to > last) between.push({ from: last, to });
    const gaps: Range[] = [];
    for (const hole of between) {
      const sure = await confirm(source, key, hole);
      rows.push(...sure.rows);
      gaps.push(...sure.gaps);
    }
    if (to > next) yield { candles: columnsOf(rows.sort((a, b) => a.ordinal - b.ordinal).map(({ candle }) => candle)), gaps, to };
    if (end) return;
    next = to;
  }
}

interface Row { ordinal: number; candle: Candle }

/** One answer, cut to the stretch. `end`: the exchange has nothing more in it. */
async function ask(source: CandleSource, { symbol, interval }: SeriesKey, { from, to }: Range): Promise<{ rows: Row[]; end: boolean }> {
  const limit = Math.min(ROWS_PER_CALL, to - from);
  const answer = await source.klines(symbol, interval, openTimeOf(interval, from), limit);
  let expected = from;
  const rows = answer.map((candle) => {
    const ordinal = ordinalOf(interval, candle.openTime);
    if (!isOpenTime(interval, candle.openTime) || ordinal < expected) throw malformed(symbol, interval, candle.openTime);
    expected = ordinal + 1;
    return { ordinal, candle };
  });
  const inside = rows.filter(({ ordinal }) => ordinal < to);
  return { rows: inside, end: answer.length < limit || inside.length < rows.length };
}

/** The stretches that rows leave out, and where they end. */
function holes(from: number, rows: readonly Row[]): { between: Range[]; last: number } {
  const between: Range[] = [];
  let expected = from;
  for (const { ordinal } of rows) {
    if (ordinal > expected) between.push({ from: expected, to: ordinal });
    expected = ordinal + 1;
  }
  return { between, last: expected };
}

interface Found { rows: Row[]; gaps: Range[] }

/** Asks again where an answer had nothing: a gap is what two answers in a row say. */
async function confirm(source: CandleSource, key: SeriesKey, hole: Range): Promise<Found> {
  const answer = await ask(source, key, hole);
  return answer.rows.length === 0 ? { rows: [], gaps: [hole] } : resolve(source, key, hole, answer);
}

/** The rest of a stretch of which the first answer is known. */
async function resolve(source: CandleSource, key: SeriesKey, range: Range, { rows, end }: Awaited<ReturnType<typeof ask>>): Promise<Found> {
  const { between, last } = holes(range.from, rows);
  const rest = { from: last, to: range.to };
  const parts: Found[] = [{ rows, gaps: [] }];
  for (const hole of end && last < range.to ? [...between, rest] : between) parts.push(await confirm(source, key, hole));
  if (!end && last < range.to) parts.push(await resolve(source, key, rest, await ask(source, key, rest)));
  return { rows: parts.flatMap((part) => part.rows), gaps: parts.flatMap((part) => part.gaps) };
}

function malformed(symbol: string, interval: Interval, openTime: number): TradeMindError {
  return new TradeMindError({
    code: 'exchange_malformed', message: `The exchange's ${interval} candles of ${symbol} do not follow each other: one opens at ${new Date(openTime).toISOString()}.`,
    nextStep: 'Check that the host is a Binance Spot API.',
  });
}
