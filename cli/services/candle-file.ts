import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { TradeMindError, type Candle } from '@trademind/core';
import { parse } from 'csv-parse';
import { parseOpenTime } from './open-time.ts';

/** Names of the columns, lower case, without `_` and spaces. */
const NAMES: Readonly<Record<keyof Candle, readonly string[]>> = {
  openTime: ['opentime', 'date', 'datetime', 'timestamp', 'time'],
  open: ['open'], high: ['high'], low: ['low'], close: ['close'], volume: ['volume'],
  quoteVolume: ['quotevolume', 'quoteassetvolume'],
  trades: ['trades', 'numberoftrades', 'count'],
  takerBuy: ['takerbuy', 'takerbuyvolume', 'takerbuybaseassetvolume', 'takerbase'],
};
const REQUIRED = ['openTime', 'open', 'high', 'low', 'close', 'volume'] as const;
/** Almost four years of 1m candles. */
export const MAX_CANDLES = 2_000_000;
/** Prices that other programs rounded may stick out of their candle by so much of themselves. */
const ROUNDING = 1e-9;

export interface CandleFile {
  readonly candles: readonly Candle[];
  /** Whether the file has no quote volume: then it is volume × (high + low + close) / 3. */
  readonly quoteVolumeEstimated: boolean;
}

/**
 * Reads candles from a CSV file, plain or gzip: a header with `openTime` or `date`, open, high, low, close, volume, in any order, and where they are there
 * quoteVolume, trades, takerBuy. The rows must ascend in time. Nothing is guessed, sorted or skipped: throws `candles_malformed` with file and line,
 * `column_missing`, `too_many_candles`, `not_found`, `file_unreadable`.
 * @param needed columns that are read: one of trades and takerBuy that is not there is an error only then.
 */
export async function readCandleFile(file: string, cwd: string, needed: ReadonlySet<string> = new Set()): Promise<CandleFile> {
  const path = resolve(cwd, file);
  const candles: Candle[] = [];
  let row: RowReader | undefined;
  const take = async (rows: AsyncIterable<{ record: string[]; info: { lines: number } }>): Promise<void> => {
    for await (const { record, info } of rows) {
      if (row === undefined) {
        row = new RowReader(file, record, needed);
        continue;
      }
      const candle = row.read(record, info.lines, candles.at(-1));
      if (candles.push(candle) > MAX_CANDLES) {
        throw new TradeMindError({ code: 'too_many_candles', field: '--candles', message: `${file} has more than ${MAX_CANDLES.toLocaleString('en-US')} candles.`, nextStep: 'Give a part of it, or candles of a longer interval.' });
      }
    }
  };
  try {
    const packed = await isGzip(path);
    const source = createReadStream(path, { highWaterMark: 262_144 });
    const parser = parse({ bom: true, info: true, relax_column_count: true, skip_empty_lines: true, max_record_size: 65_536 });
    await (packed ? pipeline(source, createGunzip(), parser, take) : pipeline(source, parser, take));
  } catch (error) {
    throw tell(error, file);
  }
  if (row === undefined || candles.length === 0) throw malformed(file, 1, 'there is no candle in it.');
  return { candles, quoteVolumeEstimated: !row.has('quoteVolume') };
}

async function isGzip(path: string): Promise<boolean> {
  const handle = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await handle.close();
  }
}

/** Reads the rows of one file by its header. */
class RowReader {
  readonly #file: string;
  readonly #width: number;
  readonly #at: Readonly<Record<string, number>>;

  constructor(file: string, header: readonly string[], needed: ReadonlySet<string>) {
    const titles = header.map((name) => name.trim().toLowerCase().replaceAll(/[_ ]/g, ''));
    const indexOf = (name: keyof Candle): number => NAMES[name].map((title) => titles.indexOf(title)).find((index) => index >= 0) ?? -1;
    this.#file = file;
    this.#width = header.length;
    this.#at = Object.fromEntries((Object.keys(NAMES) as (keyof Candle)[]).map((name) => [name, indexOf(name)]));
    for (const name of [...REQUIRED, 'trades', 'takerBuy'] as const) {
      if (this.has(name) || !((REQUIRED as readonly string[]).includes(name) || needed.has(name))) continue;
      const called = name === 'openTime' ? 'openTime (or date)' : name;
      throw new TradeMindError({
        code: 'column_missing', field: name, message: `${file}, line 1: there is no column ${called}${needed.has(name) ? ', which the expression reads' : ''}.`,
        nextStep: 'The first line must name the columns: openTime,open,high,low,close,volume and, if the expression reads them, quoteVolume,trades,takerBuy.',
      });
    }
  }

  has(name: string): boolean {
    return this.#at[name]! >= 0;
  }

  read(cells: readonly string[], line: number, before: Candle | undefined): Candle {
    if (cells.length !== this.#width) throw malformed(this.#file, line, `${cells.length} columns where the header has ${this.#width}.`);
    const text = (name: string): string => cells[this.#at[name]!]!.trim();
    const number = (name: keyof Candle): number => {
      const cell = text(name);
      const value = cell === '' ? Number.NaN : Number(cell);
      if (!Number.isFinite(value) || value < 0) throw malformed(this.#file, line, `${name} is ${shown(cell)}, not a number of at least 0.`);
      return value;
    };
    const openTime = parseOpenTime(text('openTime'));
    if (openTime === undefined) throw malformed(this.#file, line, `the time is ${shown(text('openTime'))}: neither seconds, milliseconds or microseconds since 1970 nor ISO text such as 2026-11-22T18:05:00Z.`);
    if (before !== undefined && openTime <= before.openTime) {
      throw malformed(this.#file, line, `its time, ${iso(openTime)}, does not come after ${iso(before.openTime)} of the row before.`, 'Sort the rows by time, oldest first, and keep one of each.');
    }
    const [opening, high, low, close, volume] = [number('open'), number('high'), number('low'), number('close'), number('volume')];
    const slack = high * ROUNDING;
    if (high + slack < Math.max(opening, close, low) || low - slack > Math.min(opening, close)) throw malformed(this.#file, line, `high ${high} and low ${low} do not enclose open ${opening} and close ${close}.`);
    return {
      openTime, open: opening, high, low, close, volume,
      quoteVolume: this.has('quoteVolume') ? number('quoteVolume') : volume * ((high + low + close) / 3),
      // Nothing reads what is not there: see `needed`.
      trades: this.has('trades') ? number('trades') : Number.NaN,
      takerBuy: this.has('takerBuy') ? number('takerBuy') : Number.NaN,
    };
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
const shown = (cell: string): string => (cell === '' ? 'empty' : `"${cell.slice(0, 40).replaceAll(/\p{C}/gu, ' ')}"`);

const malformed = (file: string, line: number, reason: string, nextStep?: string): TradeMindError =>
  new TradeMindError({ code: 'candles_malformed', field: '--candles', message: `${file}, line ${line}: ${reason}`, nextStep });

function tell(error: unknown, file: string): unknown {
  if (error instanceof TradeMindError || !(error instanceof Error)) return error;
  const { code = '', lines } = error as NodeJS.ErrnoException & { lines?: number };
  if (code.startsWith('CSV_')) return malformed(file, lines ?? 1, `this is no CSV: ${error.message.replace(/ at line .*$/s, '')}.`);
  if (code.startsWith('Z_')) return malformed(file, 1, `it cannot be unpacked: ${error.message}.`);
  const missing = code === 'ENOENT';
  return new TradeMindError({ code: missing ? 'not_found' : 'file_unreadable', field: '--candles', message: missing ? `There is no file ${file}.` : `${file} cannot be read: ${error.message}`, cause: error });
}
