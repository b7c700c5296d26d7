import { SETTLED_MS } from '../market/candle-check.ts';
import { ordinalOf, periodNamed, type Range } from './calendar.ts';
import { joinColumns, type CandleColumns } from './columns.ts';
import type { Prefer } from './merge.ts';
import { worksFor } from './plan.ts';
import { span, subtract, union } from './ranges.ts';
import { candlesIn, type SeriesKey } from './segment.ts';
import { impossibility, isIncomplete } from './soundness.ts';
import { fetchPages, type CandleSource, type Page } from './source.ts';
import type { ArchiveWriter, Healed } from './writer.ts';

export interface RepairResult {
  healed: Healed[];
  /** Candles that were missing, and are there now. */
  added: number;
  /** Candles that could not be, or lacked a column, and now are as the exchange says. */
  replaced: number;
  /** Candles of stretches that are now known never to have been. */
  gaps: number;
}

export interface RepairOptions {
  writer: ArchiveWriter;
  source: CandleSource;
  signal: AbortSignal;
  /** Also fetch the quote volumes, trades and taker volumes that a source did not have, where prices and volume are the exchange's. */
  complete: boolean;
  /** Candles asked for so far, and in all as far as known. */
  onProgress?: (done: number, total: number) => void;
}


/**
 * Brings a series in order: half-written ends are cut off, damaged files set aside with all that is intact kept, and then everything that is missing between its
 * first and last candle, or cannot be, is asked of the exchange. Of a last file that ended half-written nobody knows how far it went: it is filled to the end of its
 * period, or up to now. Rejects with the exchange's error; what was repaired until then stays.
 */
export async function repairSeries(key: SeriesKey, { writer, source, signal, complete, onProgress }: RepairOptions): Promise<RepairResult> {
  const { archive } = writer;
  const result: RepairResult = { healed: [], added: 0, replaced: 0, gaps: 0 };
  const before = archive.coverage(key);
  const lost: Range[] = [];
  const periods = archive.periods(key);
  let torn = false;
  for (const period of periods) {
    const header = archive.segment(key, period)?.header;
    const healed = writer.heal(key, period);
    if (!healed) continue;
    result.healed.push(healed);
    lost.push(...healed.damage.flatMap((damage) => damage.lost ?? []));
    // A finished file held its whole period.
    if (header?.sealed) lost.push({ from: header.from, to: header.to });
    torn = period === periods.at(-1) && healed.damage.some(({ kind }) => kind === 'torn');
  }
  const now = await source.time();
  const { candles, gaps } = archive.coverage(key);
  // What a damaged file held at its end is missing too, though nothing follows it any more.
  const known = union([...before.candles, ...candles, ...lost]);
  const end = torn ? endOfPeriod(key, periods.at(-1)!, now) : undefined;
  const held = end === undefined || known.length === 0 ? known : union([...known, { from: known.at(-1)!.from, to: end }]);
  const [first, last] = [held[0], held.at(-1)];
  const missing = first && last ? subtract([{ from: first.from, to: last.to }], [...candles, ...gaps]) : [];
  const impossible = archive.periods(key).flatMap((period) => rangesWhere(writer, key, period, (columns, i) => impossibility(columns, i) !== undefined));
  const incomplete = complete ? archive.periods(key).flatMap((period) => rangesWhere(writer, key, period, isIncomplete)) : [];
  const total = span(missing) + span(impossible) + span(incomplete);
  let done = 0;
  await fetchInto(missing, 'stored');
  await fetchInto(impossible, 'new');
  await fetchInto(incomplete, 'complete');
  return result;

  async function fetchInto(ranges: readonly Range[], prefer: Prefer): Promise<void> {
    for (const work of worksFor(key, ranges, now)) {
      const pages: Page[] = [];
      for (const range of work.ranges) {
        for await (const page of fetchPages(source, key, range, work.settled)) {
          signal.throwIfAborted();
          pages.push(page);
          done += page.candles.length + span(page.gaps);
          onProgress?.(done, total);
        }
      }
      if (pages.length === 0) continue;
      const found = pages.flatMap((page) => page.gaps);
      const merged = writer.merge([{ key, candles: joinColumns(pages.map((page) => page.candles)), gaps: found }], { onConflict: prefer });
      result.added += merged.added;
      result.replaced += merged.replaced;
      if (prefer === 'stored') result.gaps += span(found);
    }
  }
}

/** Up to where a file can hold final candles by now. */
function endOfPeriod({ interval }: SeriesKey, name: string, now: number): number | undefined {
  const period = periodNamed(interval, name);
  return period && Math.min(period.to, ordinalOf(interval, now - SETTLED_MS));
}

/** Stretches of candles of which something holds. */
function rangesWhere({ archive }: ArchiveWriter, key: SeriesKey, period: string, holds: (columns: CandleColumns, i: number) => boolean): Range[] {
  const segment = archive.segment(key, period);
  if (!segment) return [];
  const columns = candlesIn(segment, key.interval);
  const ranges: Range[] = [];
  for (let i = 0; i < columns.length; i++) {
    if (!holds(columns, i)) continue;
    const from = ordinalOf(key.interval, columns.openTime[i]!);
    ranges.push({ from, to: from + 1 });
  }
  return union(ranges);
}
