import { createWriteStream, renameSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { codeOf, TradeMindError } from '@trademind/core';
import { candleAt, columnsPresent, csvHeader, csvRows, summarize, type CandleArchive, type SeriesKey, type TimeRange } from '@trademind/runtime/archive';
import { EXIT } from '../../exit-codes.ts';
import type { Io } from '../../io.ts';
import { count } from '../../output/format.ts';
import { openArchive, parseIntervals, parseSymbols, parseTime, tornText } from '../../services/archive.ts';
import { event, type DataOptions } from './run.ts';

interface Options extends DataOptions { symbol: string; interval: string; from?: string; to?: string; out?: string }
/** What was found on the way. */
interface Tally { candles: number; missing: number; gaps: number }

/** `trademind data export`: CSV (or, with --json, JSON lines) on stdout, or a CSV file that is there whole or not at all. */
export async function exportCandles(options: Options, io: Io): Promise<number> {
  const [symbol, ...moreSymbols] = parseSymbols(options.symbol);
  const [interval, ...moreIntervals] = parseIntervals(options.interval);
  if (symbol === undefined || moreSymbols.length > 0) throw oneSeries('--symbol', options.symbol);
  if (moreIntervals.length > 0) throw oneSeries('--interval', options.interval);
  const key: SeriesKey = { symbol, interval: interval! };
  const range: Partial<TimeRange> = { ...(options.from === undefined ? {} : { from: parseTime(options.from, '--from') }), ...(options.to === undefined ? {} : { to: parseTime(options.to, '--to') }) };
  if (range.from !== undefined && range.to !== undefined && range.from >= range.to) throw new TradeMindError({ code: 'usage', field: '--to', message: `--to must be later than --from ${options.from}.` });
  const archive = openArchive(options.data, io);
  const tally = { candles: 0, missing: 0, gaps: 0 };
  if (options.out !== undefined) {
    const file = resolve(io.cwd, options.out);
    await writeWhole(file, csv(archive, key, range, tally));
    if (options.json) event(io, 'done', { file, ...key, ...tally });
    else io.stdout(`Wrote ${count(tally.candles, 'candle')} of ${key.symbol} ${key.interval} to ${options.out}.\n`);
  } else {
    const lines = options.json ? jsonLines(archive, key, range, tally) : csv(archive, key, range, tally);
    try {
      await pipeline(Readable.from(lines), io.streams.stdout, { end: false });
    } catch (error) {
      // Whoever read has enough (`| head`).
      if (codeOf(error) !== 'EPIPE') throw error;
    }
  }
  const torn = archive.tornAt(key);
  if (torn !== undefined && torn < (range.to ?? Infinity)) io.stderr(`trademind: ${tornText(key, torn)}\n`);
  if (tally.missing > 0 && !options.json) io.stderr(`trademind: ${count(tally.missing, 'stretch', 'stretches')} of this range ${tally.missing === 1 ? 'is' : 'are'} missing in the archive.\n  → ${remedy(archive, key, range)}\n`);
  return EXIT.ok;
}

function oneSeries(field: string, text: string): TradeMindError {
  return new TradeMindError({ code: 'usage', field, message: `${field} ${text}: an export is of one series.`, nextStep: 'Name one symbol and one interval; export the others one after the other.' });
}

/** A repair fetches what is missing between the first and the last candle; what lies before or behind is for a download. */
function remedy(archive: CandleArchive, key: SeriesKey, range: Partial<TimeRange>): string {
  const { from, to } = summarize(archive, key);
  if (from !== null && to !== null && (range.from ?? from) >= from && (range.to ?? to) <= to) return 'npx trademind data verify --repair';
  const date = (name: string, ms: number | undefined) => (ms === undefined ? '' : ` --${name} ${new Date(ms).toISOString().slice(0, 16)}`);
  return `npx trademind data download --symbols ${key.symbol} --interval ${key.interval}${date('from', range.from ?? from ?? range.to)}${date('to', range.to)}`;
}

function* csv(archive: CandleArchive, key: SeriesKey, range: Partial<TimeRange>, tally: Tally): Generator<string> {
  const columns = columnsPresent(archive.chunks(key, range));
  yield csvHeader(columns);
  for (const { candles, missing, gaps } of archive.chunks(key, range)) {
    add(tally, candles.length, missing.length, gaps.length);
    yield csvRows(candles, columns);
  }
}

function* jsonLines(archive: CandleArchive, key: SeriesKey, range: Partial<TimeRange>, tally: Tally): Generator<string> {
  for (const { candles, missing, gaps } of archive.chunks(key, range)) {
    add(tally, candles.length, missing.length, gaps.length);
    // What is absent (NaN) becomes null.
    for (let index = 0; index < candles.length; index++) yield `${JSON.stringify(candleAt(candles, index))}\n`;
  }
}

function add(tally: Tally, candles: number, missing: number, gaps: number): void {
  tally.candles += candles;
  tally.missing += missing;
  tally.gaps += gaps;
}

async function writeWhole(file: string, text: Iterable<string>): Promise<void> {
  const temporary = `${file}.${process.pid}.tmp`;
  try {
    const out = createWriteStream(temporary);
    if (file.endsWith('.gz')) await pipeline(Readable.from(text), createGzip(), out);
    else await pipeline(Readable.from(text), out);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    if (error instanceof TradeMindError) throw error;
    const full = codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT';
    throw new TradeMindError({
      code: full ? 'disk_full' : 'file_unwritable', field: '--out', message: full ? `The disk is full: ${file} was not written.` : `${file} cannot be written: ${(error as Error).message}`,
      nextStep: full ? 'Free some space, or name a file on another disk with --out.' : 'Name a file that you may write with --out.', cause: error,
    });
  }
}
