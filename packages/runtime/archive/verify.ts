import type { CandleArchive, TimeRange } from './archive.ts';
import { openTimeOf, type Range } from './calendar.ts';
import { OPTIONAL_COLUMNS, type OptionalColumn } from './columns.ts';
import { span, subtract, union } from './ranges.ts';
import { candlesIn, coverageOf, type Damage, type SeriesKey } from './segment.ts';
import { impossibility } from './soundness.ts';

/**
 * What is wrong with a series. `damaged`: bytes do not match their checksum; `torn`: a half-written end; `missing`: candles between the first and the last that
 * the archive does not know; `impossible`: values that no candle can have.
 */
export type Problem =
  | { code: 'damaged' | 'torn'; period: string; damage: Damage[] }
  | { code: 'missing'; count: number; ranges: TimeRange[] }
  | { code: 'impossible'; count: number; openTimes: number[] };

export interface SeriesReport extends SeriesKey {
  candles: number;
  /** Open time of the first candle, and the end of the last; null when there is none. */
  from: number | null;
  to: number | null;
  files: number;
  bytes: number;
  /** Halts: the exchange itself had no candles there. */
  gaps: TimeRange[];
  /** Candles without an optional column, as their source had none. */
  absent: Record<OptionalColumn, number>;
  problems: Problem[];
}

/** Looks at every byte and every candle of a series. Order and repeats need no check of their own: a block out of order counts as damaged. */
export function verifySeries(archive: CandleArchive, key: SeriesKey): SeriesReport {
  const report: SeriesReport = { ...key, candles: 0, from: null, to: null, files: 0, bytes: 0, gaps: [], absent: { quoteVolume: 0, trades: 0, takerBuy: 0 }, problems: [] };
  const candles: Range[] = [];
  const gaps: Range[] = [];
  const impossible: number[] = [];
  for (const period of archive.periods(key)) {
    const segment = archive.segment(key, period);
    if (!segment) continue;
    report.files++;
    report.bytes += segment.bytes.byteLength;
    if (segment.damage.length > 0) report.problems.push({ code: segment.damage.every(({ kind }) => kind === 'torn') ? 'torn' : 'damaged', period, damage: segment.damage });
    const covered = coverageOf(segment);
    candles.push(...covered.candles);
    gaps.push(...covered.gaps);
    const columns = candlesIn(segment, key.interval);
    report.candles += columns.length;
    for (let i = 0; i < columns.length; i++) if (impossibility(columns, i) !== undefined) impossible.push(columns.openTime[i]!);
    for (const name of OPTIONAL_COLUMNS) report.absent[name] += columns[name].reduce((sum, value) => sum + (Number.isNaN(value) ? 1 : 0), 0);
  }
  const known = union(candles);
  const [first, last] = [known[0], known.at(-1)];
  if (first && last) {
    report.from = openTimeOf(key.interval, first.from);
    report.to = openTimeOf(key.interval, last.to);
    const missing = subtract([{ from: first.from, to: last.to }], [...known, ...gaps]);
    if (missing.length > 0) report.problems.push({ code: 'missing', count: span(missing), ranges: timesOf(key, missing) });
  }
  if (impossible.length > 0) report.problems.push({ code: 'impossible', count: impossible.length, openTimes: impossible.slice(0, 20) });
  report.gaps = timesOf(key, union(gaps));
  return report;
}

function timesOf({ interval }: SeriesKey, ranges: readonly Range[]): TimeRange[] {
  return ranges.map(({ from, to }) => ({ from: openTimeOf(interval, from), to: openTimeOf(interval, to) }));
}
