import { codeOf, INTERVALS, Interval, sentenceOf, TradeMindError } from '@trademind/core';
import { ArchiveWriter, CandleArchive, connectExchange, nodeDisk, parseInstant, type ArchiveExchange, type Healed, type SeriesKey } from '@trademind/runtime/archive';
import { foldersOf } from '../dev/data-folder.ts';
import { LIVE_REST } from '../dev/market.ts';
import type { Io } from '../io.ts';
import { count, duration, utc } from '../output/format.ts';
import { dataFolder } from '../paths.ts';

/** Where the candles lie: `archive/` of the data folder. */
export function archiveFolder(data: string | undefined, io: Io): string {
  return foldersOf(dataFolder(data, io.cwd)).archive;
}

/** The archive for reading; nothing is locked, and nothing need be there. */
export function openArchive(data: string | undefined, io: Io): CandleArchive {
  return new CandleArchive(archiveFolder(data, io), nodeDisk);
}

/** Takes the archive for writing; a file that had to be brought in order is said on stderr. */
export function openArchiveWriter(data: string | undefined, io: Io): ArchiveWriter {
  return new ArchiveWriter(archiveFolder(data, io), { disk: nodeDisk, pid: process.pid, onHealed: (healed) => io.stderr(`trademind: ${healedText(healed)}\n`) });
}

/** What was done to a file that was found torn or damaged, as a sentence. */
export function healedText({ key, period, keptAs }: Healed): string {
  const name = `${key.symbol} ${key.interval} ${period}`;
  return keptAs === undefined ? `${name} ended half-written; its end was cut off.` : `${name} was damaged; what is intact of it was kept, and the damaged file lies at ${keptAs}.`;
}

/** Rows that the exchange has where no candle can open, in words. */
export function offGridText(openTimes: readonly number[], interval: Interval): string {
  return `${count(openTimes.length, 'row')} left out, for no ${interval} candle opens at ${new Date(openTimes[0]!).toISOString()}${openTimes.length > 1 ? ' and so on' : ''} (an outage of the exchange)`;
}

/** Of a series whose last file ends half-written after `end` (ms; 0: no candle is left). */
export function tornText({ symbol, interval }: SeriesKey, end: number): string {
  const where = end === 0 ? 'holds no whole candle' : `is whole up to ${utc(end)}`;
  return `${symbol} ${interval} ends half-written and ${where}; there may have been more. Another command writes to it now, or was killed while it did.\n  → npx trademind data verify --repair`;
}

/** The exchange of `--exchange`, of BINANCE_REST_URL, or Binance's public market data. Waits are said on stderr, once for each cause. */
export function openHistoryExchange(option: string | undefined, io: Io, signal: AbortSignal): ArchiveExchange {
  let told = '';
  return connectExchange({
    url: exchangeUrl(option ?? io.environment.binanceRestUrl ?? LIVE_REST, option === undefined ? 'BINANCE_REST_URL' : '--exchange'), signal,
    onWait: (error, ms) => {
      if (codeOf(error) === told) return;
      told = codeOf(error);
      io.stderr(`trademind: ${sentenceOf(error)} Asking again in ${duration(ms)}.\n`);
    },
  });
}

function exchangeUrl(text: string, field: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '') return url.origin + url.pathname.replace(/\/+$/, '');
  throw new TradeMindError({ code: 'usage', field, message: `${field} must be a URL that begins with https:// or http://.`, nextStep: `For example ${LIVE_REST}, or https://api.binance.us in the United States.` });
}

/** `BTCUSDT,ETHUSDT` */
export function parseSymbols(text: string): string[] {
  return [...new Set(text.split(',').map((symbol) => symbol.trim().toUpperCase()).filter((symbol) => symbol !== ''))];
}

/** `1m`, or several: `1m,1h`. Throws `usage`. */
export function parseIntervals(text: string): Interval[] {
  const names = text.split(',').map((name) => name.trim());
  for (const name of names) {
    if (!Interval.safeParse(name).success) throw new TradeMindError({ code: 'usage', field: '--interval', message: `--interval ${text}: there is no interval "${name}".`, nextStep: `Choose from ${INTERVALS.join(', ')}.` });
  }
  return [...new Set(names as Interval[])];
}

/** A date or an instant, UTC. Throws `usage`. */
export function parseTime(text: string, field: string): number {
  const ms = parseInstant(text);
  if (!Number.isNaN(ms)) return ms;
  throw new TradeMindError({ code: 'usage', field, message: `${field} ${text}: this is no date.`, nextStep: 'Dates are written 2025-01-31 or 2025-01-31T16:00, in UTC.' });
}

/** The series of an archive that the options name; all of them where none do. Throws `not_found`. */
export function chosenSeries(archive: CandleArchive, options: { symbols?: string | undefined; interval?: string | undefined }): SeriesKey[] {
  const symbols = options.symbols === undefined ? undefined : parseSymbols(options.symbols);
  const intervals = options.interval === undefined ? undefined : parseIntervals(options.interval);
  const held = archive.series();
  const chosen = held.filter(({ symbol, interval }) => symbols?.includes(symbol) !== false && intervals?.includes(interval) !== false);
  const absent = symbols?.find((symbol) => !chosen.some((key) => key.symbol === symbol));
  if (absent === undefined && (chosen.length > 0 || held.length === 0)) return chosen;
  throw new TradeMindError({
    code: 'not_found', message: `The archive holds no ${intervals?.join(', ') ?? ''}${intervals ? ' ' : ''}candles${absent === undefined ? '' : ` of ${absent}`}.`,
    nextStep: '`npx trademind data list` shows what it holds; `npx trademind data download` brings more.',
  });
}
