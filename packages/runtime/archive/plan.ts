import { SETTLED_MS } from '../market/candle-check.ts';
import { openTimeOf, ordinalFrom, ordinalOf, periodsOf, type Range } from './calendar.ts';
import type { TimeRange } from './archive.ts';
import type { SeriesKey } from './segment.ts';
import { clip, subtract, union } from './ranges.ts';

/** How long after its close a candle that is not there may still come: the exchange may be late, but not by an hour. */
const LATEST_MS = 3_600_000;

/** One file's share of what is to be fetched, oldest first. Different works never touch the same file. */
export interface Work { key: SeriesKey; ranges: Range[]; settled: number }

/**
 * What must be fetched so that the archive knows all closed candles that open in [from, to): everything that it does not know, file by file.
 * @param exchange.now its clock; left out are the candle under way and one that closed a moment ago, to which the exchange may still be adding.
 * @param exchange.first open time of the symbol's first candle at or after `from`: before it there is nothing to ask for, and nothing to note.
 */
export function planDownload(key: SeriesKey, wanted: TimeRange, known: { candles: readonly Range[]; gaps: readonly Range[] }, exchange: { now: number; first: number }): Work[] {
  const { interval } = key;
  const open = ordinalOf(interval, exchange.now - SETTLED_MS);
  const range = { from: Math.max(ordinalFrom(interval, wanted.from), ordinalFrom(interval, exchange.first)), to: Math.min(ordinalFrom(interval, wanted.to), open) };
  return worksFor(key, subtract([range], [...known.candles, ...known.gaps]), exchange.now);
}

/** The same for given stretches. */
export function worksFor(key: SeriesKey, ranges: readonly Range[], now: number): Work[] {
  const settled = ordinalOf(key.interval, now - LATEST_MS);
  const parts = union(ranges).flatMap((range) => periodsOf(key.interval, range));
  const periods = new Map(parts.map(({ period }) => [period.name, period]));
  return [...periods.values()].map((period) => ({ key, ranges: clip(ranges, period), settled }));
}

/** True when nothing is known before `from`: then the symbol may be younger than what is asked for. */
export function mayBeYounger({ interval }: SeriesKey, from: number, known: { candles: readonly Range[]; gaps: readonly Range[] }): boolean {
  return ![...known.candles, ...known.gaps].some((range) => openTimeOf(interval, range.from) <= from);
}
