import { summarize } from '@trademind/runtime/archive';
import { EXIT } from '../../exit-codes.ts';
import type { Io } from '../../io.ts';
import { utc } from '../../output/format.ts';
import { createTerminal } from '../../output/terminal.ts';
import { archiveFolder, chosenSeries, openArchive, tornText } from '../../services/archive.ts';
import type { DataOptions } from './run.ts';

interface Options extends DataOptions { symbols?: string; interval?: string }

const HEAD = ['symbol', 'interval', 'from', 'to', 'candles', 'halts', 'missing', 'MB', 'bytes/candle'];
/** Numbers stand at the right of their column. */
const FIRST_NUMBER = 4;

/** `trademind data list`: what the archive holds. */
export async function listCandles(options: Options, io: Io): Promise<number> {
  const archive = openArchive(options.data, io);
  const found = chosenSeries(archive, options).map((key) => summarize(archive, key));
  if (options.json) {
    for (const summary of found) io.stdout(`${JSON.stringify(summary)}\n`);
    return EXIT.ok;
  }
  const { colors: c, line } = createTerminal(io.streams.stdout, io.color.stdout);
  if (found.length === 0) {
    line(`No candles in ${archiveFolder(options.data, io)} yet.\n  → npx trademind data download --symbols BTCUSDT --interval 1m --from 2025-01-01`);
    return EXIT.ok;
  }
  const number = (value: number) => value.toLocaleString('en-US');
  const rows = found.map((one) => [
    one.symbol, one.interval, one.from === null ? '' : utc(one.from), one.to === null ? '' : utc(one.to), number(one.candles), number(one.gaps), number(one.missing),
    (one.bytes / 1e6).toFixed(2), one.candles === 0 ? '' : (one.bytes / one.candles).toFixed(1),
  ]);
  const widths = HEAD.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  const text = (row: readonly string[]) => row.map((cell, column) => (column < FIRST_NUMBER ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join('  ').trimEnd();
  line(c.dim(text(HEAD)));
  for (const [index, row] of rows.entries()) line(found[index]!.missing > 0 || found[index]!.torn ? c.yellow(text(row)) : text(row));
  for (const { symbol, interval, to } of found.filter(({ torn }) => torn)) io.stderr(`trademind: ${tornText({ symbol, interval }, to ?? 0)}\n`);
  if (found.some(({ missing }) => missing > 0)) line('  → npx trademind data verify --repair fetches what is missing');
  return EXIT.ok;
}
