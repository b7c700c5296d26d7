import { codeOf, sentenceOf, TradeMindError } from '@trademind/core';
import { download, type DownloadResult, type OffGridSeries, type SeriesKey } from '@trademind/runtime/archive';
import { EXIT } from '../../exit-codes.ts';
import type { Io } from '../../io.ts';
import { count, duration } from '../../output/format.ts';
import { createProgress } from '../../output/progress.ts';
import { archiveFolder, offGridText, openArchiveWriter, openHistoryExchange, parseIntervals, parseSymbols, parseTime } from '../../services/archive.ts';
import { event, interruptible, type DataOptions } from './run.ts';

interface Options extends DataOptions { symbols?: string; quote?: string; largest: string; interval: string; from: string; to?: string; exchange?: string }

/** Requests under way at a time: as many as the weight budget allows at the exchange's usual delay. */
const CONCURRENCY = 8;

/** The last instant that a date can have: the exchange's clock ends the range before. */
const LATEST = 8.64e15;

/** `trademind data download`: fetches what the archive does not have, and may be ended and called again at any time. */
export async function downloadCandles(options: Options, io: Io): Promise<number> {
  const json = options.json === true;
  const intervals = parseIntervals(options.interval);
  const range = { from: parseTime(options.from, '--from'), to: options.to === undefined ? LATEST : parseTime(options.to, '--to') };
  if (range.from >= range.to) throw new TradeMindError({ code: 'usage', field: '--to', message: `--to must be later than --from ${options.from}.` });
  const wish = symbolsWished(options);
  return interruptible(io, json, async (signal) => {
    const source = openHistoryExchange(options.exchange, io, signal);
    const writer = openArchiveWriter(options.data, io);
    const progress = createProgress('Download', json, io);
    const began = io.now();
    try {
      const symbols = Array.isArray(wish) ? wish : await source.largest(wish.quote, wish.largest);
      const keys = symbols.flatMap((symbol) => intervals.map((interval): SeriesKey => ({ symbol, interval })));
      const result = await download({
        writer, source, keys, range, concurrency: CONCURRENCY, signal,
        onProgress: (now) => progress.update(now, now.seriesPlanned < now.series ? ` (looked at ${now.seriesPlanned} of ${now.series} series)` : ''),
      });
      progress.end();
      tell({ ...result, offGrid: source.offGrid() }, keys, io.now() - began, options, io);
      return result.failed.length > 0 ? EXIT.failed : EXIT.ok;
    } finally {
      progress.end();
      writer.close();
    }
  });
}

function symbolsWished({ symbols, quote, largest }: Options): string[] | { quote: string; largest: number } {
  if ((symbols === undefined) === (quote === undefined)) {
    throw new TradeMindError({ code: 'usage', field: '--symbols', message: 'Say which symbols: either --symbols or --quote.', nextStep: 'For example --symbols BTCUSDT,ETHUSDT, or --quote USDT --largest 100.' });
  }
  if (quote !== undefined) {
    const number = Number(largest);
    if (!Number.isInteger(number) || number < 1 || number > 500) throw new TradeMindError({ code: 'usage', field: '--largest', message: `--largest ${largest}: give a whole number from 1 to 500.` });
    return { quote: quote.toUpperCase(), largest: number };
  }
  const named = parseSymbols(symbols ?? '');
  if (named.length === 0) throw new TradeMindError({ code: 'usage', field: '--symbols', message: '--symbols names no symbol.', nextStep: 'For example --symbols BTCUSDT,ETHUSDT.' });
  return named;
}

function tell({ candles, gaps, empty, failed, offGrid }: DownloadResult & { offGrid: readonly OffGridSeries[] }, keys: readonly SeriesKey[], ms: number, options: Options, io: Io): void {
  if (options.json) {
    event(io, 'done', {
      series: keys.length, candles, gaps, empty, offGrid, folder: archiveFolder(options.data, io),
      failed: failed.map(({ key, error }) => ({ ...key, code: codeOf(error), message: sentenceOf(error) })),
    });
    return;
  }
  const halts = gaps > 0 ? ` ${count(gaps, 'candle')} were never there (halts) and are marked.` : '';
  const there = keys.length - empty.length - failed.length;
  if (candles + gaps > 0) io.stdout(`Stored ${count(candles, 'candle')} of ${keys.length} series in ${duration(ms)}.${halts}\n`);
  else if (there > 0) io.stdout(`All of ${there} series was there already.\n`);
  if (empty.length > 0) io.stdout(`The exchange has no candles in this range: ${empty.map(({ symbol, interval }) => `${symbol} ${interval}`).join(', ')}.\n`);
  for (const { symbol, interval, openTimes } of offGrid) io.stderr(`trademind: ${symbol} ${interval}: ${offGridText(openTimes, interval)}\n`);
  for (const { key, error } of failed) io.stderr(`trademind: ${key.symbol} ${key.interval}: ${sentenceOf(error)}\n`);
}
