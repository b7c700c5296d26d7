import { TradeMindError } from '@trademind/core';
import { importFiles } from '@trademind/runtime/archive';
import { resolve } from 'node:path';
import { EXIT } from '../../exit-codes.ts';
import type { Io } from '../../io.ts';
import { count, utc } from '../../output/format.ts';
import { createTerminal } from '../../output/terminal.ts';
import { offGridText, openArchiveWriter, parseIntervals, parseSymbols } from '../../services/archive.ts';
import { event, type DataOptions } from './run.ts';

interface Options extends DataOptions { symbol?: string; interval?: string; replace?: boolean }

/** Lines of a file that are named one by one; the rest is counted. */
const MOST_LISTED = 10;
const listed = (lines: readonly number[]) => `${lines.slice(0, MOST_LISTED).join(', ')}${lines.length > MOST_LISTED ? ` and ${lines.length - MOST_LISTED} more` : ''}`;

/** `trademind data import FILE…`: all files, or none. */
export async function importCandles(options: Options, io: Io, ...files: string[]): Promise<number> {
  const symbols = options.symbol === undefined ? [] : parseSymbols(options.symbol);
  const intervals = options.interval === undefined ? [] : parseIntervals(options.interval);
  if (symbols.length > 1 || intervals.length > 1) throw new TradeMindError({ code: 'usage', message: 'A file holds one symbol and one interval.', nextStep: 'Import files of different series one after the other, or name them as BTCUSDT-1m-2025-01.csv.' });
  const terminal = createTerminal(io.streams.stderr, io.color.stderr);
  const writer = openArchiveWriter(options.data, io);
  try {
    const result = await importFiles({
      writer, files: files.flat().map((file) => resolve(io.cwd, file)), symbol: symbols[0], interval: intervals[0], replace: options.replace === true,
      onFile: (name, candles) => terminal.transient(`Read ${name}: ${count(candles, 'candle')}`),
    });
    terminal.transient(null);
    if (options.json) {
      event(io, 'done', result);
      return EXIT.ok;
    }
    for (const file of result.files) {
      const span = file.from === null || file.to === null ? '' : `, ${utc(file.from)} to ${utc(file.to)}`;
      io.stdout(`${file.name}: ${count(file.candles, 'candle')} of ${file.symbol} ${file.interval}${span}\n`);
      if (file.offGrid.length > 0) io.stderr(`trademind: ${file.name}: ${offGridText(file.offGrid.map(({ openTime }) => openTime), file.interval)}: lines ${listed(file.offGrid.map(({ line }) => line))}\n`);
    }
    const rest = [result.known > 0 ? `${count(result.known, 'candle')} were there already` : '', result.replaced > 0 ? `${count(result.replaced, 'candle')} were replaced` : ''].filter(Boolean).join(', ');
    io.stdout(`Stored ${count(result.added, 'new candle')}${rest ? `; ${rest}` : ''}.\n`);
    return EXIT.ok;
  } finally {
    terminal.transient(null);
    writer.close();
  }
}
