import { openTimeOf, ordinalFrom, ordinalOf, periodsOf, type Range } from './calendar.ts';
import type { TimeRange } from './archive.ts';
import type { SeriesKey } from './segment.ts';
import { clip, subtract, union } from './ranges.ts';

/** How long after its close a candle that is not there may still come: the exchange may be late, but not by an hour. */
const SETTLED_MS = 3_600_000;

/** One file's share of what is to be fetched, oldest first. Different works never touch the same file. */
export interface Work { key: SeriesKey; ranges: Range[]; settled: number }

/**
 * What must be fetched so that the archive knows all closed candles that open in [from, to): everything that it does not know, file by file.
 * @param now the exchange's clock; the candle under way is left out.
 * @param first open time of the symbol's first candle at or after `from`: before it there is nothing to ask for, and nothing to note.
 */
export function planDownload(key: SeriesKey, wanted: TimeRange, known: { candles: readonly Range[]; gaps: readonly Range[] }, exchange: { now: number; first: number }): Work[] {
  const { interval } = key;
  const forming = ordinalOf(interval, exchange.now);
  const range = { from: Math.max(ordinalFrom(interval, wanted.from), ordinalFrom(interval, exchange.first)), to: Math.min(ordinalFrom(interval, wanted.to), forming) };
  return worksFor(key, subtract([range], [...known.candles, ...known.gaps]), exchange.now);
}

/** The same for given stretches. */
export function worksFor(key: SeriesKey, ranges: readonly Range[], now: number): Work[] {
  const settled = ordinalOf(key.interval, now - SETTLED_MS);
  const parts = union(ranges).flatMap((range) => periodsOf(key.interval, range));
  const periods = new Map(parts.map(({ period }) => [period.name, period]));
  return [...periods.values()].map((period) => ({ key, ranges: clip(ranges, period), settled }));
}

/** True when nothing is known before `from`: then the symbol may be younger than what is asked for. */
export function mayBeYounger({ interval }: SeriesKey, from: number, known: { candles: readonly Range[]; gaps: readonly Range[] }): boolean {
  return ![...known.candles, ...known.gaps].some((range) => openTimeOf(interval, range.from) <= from);
}
