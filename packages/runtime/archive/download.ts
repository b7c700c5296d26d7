import { codeOf } from '@trademind/core';
import type { TimeRange } from './archive.ts';
import { ordinalFrom } from './calendar.ts';
import { fetchPages, type CandleSource } from './source.ts';
import { mayBeYounger, planDownload, type Work } from './plan.ts';
import { clip, span } from './ranges.ts';
import type { SeriesKey } from './segment.ts';
import type { ArchiveWriter } from './writer.ts';

/** How far a download is. Candles count as done when they are stored or known never to have been. */
export interface Progress {
  seriesPlanned: number;
  series: number;
  done: number;
  total: number;
}

export interface DownloadResult {
  /** Candles stored by this download. */
  candles: number;
  /** Candles of stretches that the exchange never had. */
  gaps: number;
  /** Series of which nothing lies in the range: the exchange has no candle there, and none was known. */
  empty: SeriesKey[];
  /** Series that could not be had, and why; what was stored of them stays. */
  failed: { key: SeriesKey; error: unknown }[];
}

export interface DownloadOptions {
  writer: ArchiveWriter;
  source: CandleSource;
  keys: readonly SeriesKey[];
  range: TimeRange;
  /** Requests under way at a time; the source itself keeps to the exchange's limits. */
  concurrency: number;
  signal: AbortSignal;
  onProgress: (progress: Progress) => void;
}

/** Errors of one symbol alone; all others end the download. */
const OF_ONE_SERIES = new Set(['exchange_refused', 'exchange_malformed']);

/**
 * Fetches what the archive does not know of these series. It may be ended at any moment, and goes on where it was when it is called again. Rejects with the
 * signal's reason, or with what stops all of it (the exchange is away, the disk is full).
 */
export async function download(options: DownloadOptions): Promise<DownloadResult> {
  const { writer, source, keys, range, onProgress } = options;
  const result: DownloadResult = { candles: 0, gaps: 0, empty: [], failed: [] };
  const progress: Progress = { seriesPlanned: 0, series: keys.length, done: 0, total: 0 };
  const now = await source.time();

  const queue: Work[] = [];
  await inParallel(keys, options.concurrency, options.signal, async (key) => {
    await ofOneSeries(key, result, async () => {
      const works = await planSeries(options, key, now);
      progress.total += span(works.flatMap(({ ranges }) => ranges));
      queue.push(...works);
    });
    progress.seriesPlanned++;
    onProgress(progress);
  });

  await inParallel(queue, options.concurrency, options.signal, (work, signal) => ofOneSeries(work.key, result, async () => {
    for (const stretch of work.ranges) {
      let at = stretch.from;
      for await (const page of fetchPages(source, work.key, stretch, work.settled)) {
        signal.throwIfAborted();
        writer.append(work.key, page.candles, page.gaps);
        result.candles += page.candles.length;
        result.gaps += span(page.gaps);
        progress.done += page.to - at;
        at = page.to;
        onProgress(progress);
      }
      // What is too young to be called a gap is asked for again next time.
      progress.done += stretch.to - at;
    }
  }));
  writer.sync();
  result.empty = keys.filter((key) => !result.failed.some((one) => one.key === key) && !hasCandles(writer, key, range));
  onProgress(progress);
  return result;
}

async function planSeries({ writer, source, range }: DownloadOptions, key: SeriesKey, now: number): Promise<Work[]> {
  for (const period of writer.archive.periods(key)) if (!writer.archive.isFinished(key, period)) writer.finish(key, period);
  const known = writer.archive.coverage(key);
  let first = range.from;
  if (mayBeYounger(key, range.from, known)) {
    const [row] = await source.klines(key.symbol, key.interval, range.from, 1);
    if (!row) return [];
    first = row.openTime;
  }
  return planDownload(key, range, known, { now, first });
}

function hasCandles({ archive }: ArchiveWriter, key: SeriesKey, { from, to }: TimeRange): boolean {
  return clip(archive.coverage(key).candles, { from: ordinalFrom(key.interval, from), to: ordinalFrom(key.interval, to) }).length > 0;
}

/** Notes the error of one series, once, and lets the others go on. */
async function ofOneSeries(key: SeriesKey, result: DownloadResult, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!OF_ONE_SERIES.has(codeOf(error))) throw error;
    if (!result.failed.some((one) => one.key === key)) result.failed.push({ key, error });
  }
}

/** Runs `each` over the items, so many at a time, in order. The first error ends all; it is passed on once nothing runs any more. */
async function inParallel<T>(items: readonly T[], concurrency: number, outer: AbortSignal, each: (item: T, signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController();
  const signal = AbortSignal.any([outer, stop.signal]);
  let next = 0;
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, async () => {
    while (next < items.length && !signal.aborted) {
      try {
        await each(items[next++]!, signal);
      } catch (error) {
        stop.abort(error);
      }
    }
  }));
  signal.throwIfAborted();
}
