import { ordinalOf, periodsOf, type Period, type Range } from './calendar.ts';
import type { CandleColumns } from './columns.ts';
import { candlesWithin } from './merge.ts';
import { clip, subtract } from './ranges.ts';
import { encodeSegment, type SeriesKey } from './segment.ts';

/** What of these candles and gaps belongs into which file. */
export function byPeriod({ interval }: SeriesKey, candles: CandleColumns, gaps: readonly Range[]): { period: Period; part: CandleColumns; partGaps: Range[] }[] {
  const ordinal = (index: number) => ordinalOf(interval, candles.openTime[index]!);
  const stretches = [...gaps, ...(candles.length > 0 ? [{ from: ordinal(0), to: ordinal(candles.length - 1) + 1 }] : [])];
  const all = { from: Math.min(...stretches.map(({ from }) => from)), to: Math.max(...stretches.map(({ to }) => to)) };
  return periodsOf(interval, all)
    .map(({ period }) => ({ period, part: candlesWithin(interval, candles, period.from, period.to), partGaps: clip(gaps, period) }))
    .filter(({ part, partGaps }) => part.length > 0 || partGaps.length > 0);
}

/** A whole file; a gap ends where candles contradict it. */
export function encodedFile(key: SeriesKey, period: Period, candles: CandleColumns, gaps: readonly Range[]): Uint8Array {
  if (gaps.length === 0) return encodeSegment(key, period, candles, gaps);
  const held = Array.from(candles.openTime, (openTime) => ordinalOf(key.interval, openTime)).map((from) => ({ from, to: from + 1 }));
  return encodeSegment(key, period, candles, subtract(gaps, held));
}
