import { intervalClose, TradeMindError, type Interval } from '@trademind/core';
import { isOpenTime, ordinalOf } from './calendar.ts';
import { allocateColumns, COLUMN_NAMES, sliceColumns, type CandleColumns } from './columns.ts';
import { layoutOf, parseInstant, type Layout } from './csv-columns.ts';
import { impossibility } from './soundness.ts';

const NEWLINE = 10;
/** Of candles that some other program has written. */
const ROUNDING = 1e-9;
const NUMBER = /^(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d{1,3})?$/i;

/** A row that opens between two candles: where it stands in its file, and when it opens (ms). */
export interface OffGridRow { line: number; openTime: number }

/**
 * Reads candles from the text of a CSV file: Binance's own dumps (with or without header, ms or µs), or any with a header that names at least
 * `openTime|date,open,high,low,close,volume`. Rows must ascend; nothing is guessed or sorted, and nothing skipped unsaid. Throws `candles_malformed` that names file and line.
 * @param interval the interval that the candles must be of; without it they may stand at any times, and prices may be rounded
 * @param onOffGrid is told of rows of the exchange's own dumps that open where no candle can, an interval or more after the row before: its outages of 2017 and 2018 have left such. They
 * are no candles; the answer may then be empty. Without it, and in any other file, such a row is refused.
 */
export function readCandleCsv(file: string, bytes: Uint8Array, interval?: Interval, onOffGrid?: (row: OffGridRow) => void): CandleColumns {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let layout: Layout | undefined;
  let count = 0;
  let columns = allocateColumns(Math.ceil(bytes.byteLength / 40) + 1);
  let line = 0;
  let before: number | undefined;
  const refuse = (reason: string) => malformed(file, line, reason);
  for (let at = 0; at < text.length;) {
    const newline = text.indexOf(NEWLINE, at);
    const end = newline < 0 ? text.length : newline;
    const row = text.toString('utf8', at, end).trim();
    at = end + 1;
    line++;
    if (row === '') continue;
    const cells = cellsOf(row);
    if (!layout) {
      const found = layoutOf(cells);
      if (typeof found === 'string') throw refuse(`${found}.`);
      layout = found;
      if (layout.hasHeader) continue;
    }
    if (count === columns.length) columns = grown(columns);
    readRow(cells, layout, columns, count, interval === undefined ? ROUNDING : 0, refuse);
    const openTime = columns.openTime[count]!;
    checkOrder(openTime, before, refuse);
    if (interval === undefined || isOpenTime(interval, openTime)) count++;
    else if (!onOffGrid || !layout.isDump || openTime < intervalClose(interval, before ?? -Infinity)) throw refuse(`no ${interval} candle opens at ${iso(openTime)}.`);
    else onOffGrid({ line, openTime });
    before = openTime;
  }
  if (before === undefined) throw refuse('there is no candle in it.');
  const candles = sliceColumns(columns, 0, count);
  if (interval !== undefined) checkSteps(candles, interval, (reason) => malformed(file, 0, reason));
  return candles;
}

function cellsOf(row: string): string[] {
  return row.replace(/^\uFEFF/, '').split(',').map((cell) => cell.trim().replace(/^"(.*)"$/, '$1'));
}

function readRow(cells: readonly string[], { at, width }: Layout, columns: CandleColumns, index: number, slack: number, refuse: (reason: string) => Error): void {
  if (cells.length !== width) throw refuse(`it has ${cells.length} columns where ${width} were expected.`);
  for (const name of COLUMN_NAMES) {
    const place = at[name];
    const cell = place === undefined ? '' : cells[place]!;
    if (name === 'openTime') {
      columns.openTime[index] = parseInstant(cell);
      if (Number.isNaN(columns.openTime[index])) throw refuse(`openTime "${shown(cell)}" is neither a date nor a time in seconds, ms or µs.`);
    } else if (cell === '' && (name === 'quoteVolume' || name === 'trades' || name === 'takerBuy')) {
      columns[name][index] = Number.NaN;
    } else {
      const value = NUMBER.test(cell) ? Number(cell) : Number.NaN;
      const counted = name === 'trades';
      if (!Number.isFinite(value) || (counted && !Number.isSafeInteger(value))) throw refuse(`${name} "${shown(cell)}" is not a ${counted ? 'whole ' : ''}number of 0 or more.`);
      columns[name][index] = value;
    }
  }
  const wrong = impossibility(columns, index, slack);
  if (wrong !== undefined) throw refuse(`${wrong}.`);
}

const iso = (ms: number) => new Date(ms).toISOString();

function checkOrder(now: number, before: number | undefined, refuse: (reason: string) => Error): void {
  if (before !== undefined && now <= before) throw refuse(`${now === before ? `the candle of ${iso(now)} is there twice` : `${iso(now)} comes after ${iso(before)}`}; rows must ascend without repeats.`);
}

/** Candles of an hour in a file that is said to hold minutes would be sixty times too few. */
function checkSteps({ openTime, length }: CandleColumns, interval: Interval, refuse: (reason: string) => Error): void {
  let least = Infinity;
  for (let i = 1; i < length && least > 1; i++) least = Math.min(least, ordinalOf(interval, openTime[i]!) - ordinalOf(interval, openTime[i - 1]!));
  if (length > 2 && least > 1) throw refuse(`its candles are never closer than ${least} × ${interval}: it is of another interval.`);
}

const shown = (cell: string) => (cell.length > 40 ? `${cell.slice(0, 40)}…` : cell);

function grown(columns: CandleColumns): CandleColumns {
  const larger = allocateColumns(columns.length * 2);
  for (const name of COLUMN_NAMES) larger[name].set(columns[name]);
  return larger;
}

function malformed(file: string, line: number, reason: string): TradeMindError {
  return new TradeMindError({
    code: 'candles_malformed', field: 'file', message: `${file}${line > 0 ? `, line ${line}` : ''}: ${reason}`,
    nextStep: 'Nothing was imported. Mend the file (or name the right --symbol and --interval) and import it again.',
  });
}
