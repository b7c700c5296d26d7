import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { notional, parseUnits, type Candle } from './candle.ts';
import { MINUTE } from './intervals.ts';
import { exchangeError } from './state.ts';

/** `BTCUSDT-1m-2021-02-19-7d.csv.gz` → symbol and interval. */
export const FILE_NAME = /^([A-Z0-9]{2,30})-(\d+[smhdwM])(?:-.*)?\.csv(?:\.gz)?$/;

/** The names under which a column may stand, lower case, without `_` and spaces. */
const COLUMNS: Record<string, readonly string[]> = {
  openTime: ['opentime', 'timestamp', 'time'],
  open: ['open'], high: ['high'], low: ['low'], close: ['close'], volume: ['volume'],
  quoteVolume: ['quotevolume', 'quoteassetvolume'],
  trades: ['trades', 'count', 'numberoftrades', 'tradecount'],
  takerBase: ['takerbase', 'takerbuybase', 'takerbuyvolume', 'takerbuybaseassetvolume', 'takerbuybasevolume'],
  takerQuote: ['takerquote', 'takerbuyquote', 'takerbuyquotevolume', 'takerbuyquoteassetvolume'],
};
const REQUIRED = ['openTime', 'open', 'high', 'low', 'close', 'volume'] as const;
const OPTIONAL = ['quoteVolume', 'trades', 'takerBase', 'takerQuote'] as const;
/** Binance's own archive files have these columns and (mostly) no header line. */
const ARCHIVE = 'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore';
/** Above this an open time is in microseconds (Binance's archive from 2025 on). */
const MICROSECONDS = 1e14;

export interface RecordedFile { file: string; symbol: string; candles: Candle[]; derived: string[] }

/**
 * Reads one file of one-minute candles. Throws `candles_malformed` with the file, the line and the reason: nothing is
 * guessed, sorted or skipped.
 */
export function readRecordedFile(path: string): RecordedFile {
  const file = basename(path);
  const refuse = (line: number, reason: string) => exchangeError('candles_malformed', `${file}, line ${line}: ${reason}`);
  const [, symbol, interval] = FILE_NAME.exec(file) ?? [];
  if (!symbol) throw refuse(0, 'the name must be <SYMBOL>-<interval>-….csv or .csv.gz, e.g. BTCUSDT-1m-2021-02.csv.gz.');
  if (interval !== '1m') throw refuse(0, `the interval is ${interval}; only 1m candles can be served, every other interval is made from them.`);

  const bytes = readFileSync(path);
  let text: string;
  try {
    text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  } catch (error) {
    throw refuse(0, `it cannot be unpacked (${(error as Error).message}).`);
  }
  const lines = text.split(/\r?\n/);
  const headed = !/^\d/.test(lines[0] ?? '');
  const header = (headed ? lines[0] ?? '' : ARCHIVE).replace(/^\uFEFF/, '').split(',').map((name) => name.trim().toLowerCase().replace(/[_ ]/g, ''));
  const column = (name: string) => header.findIndex((title) => COLUMNS[name]?.includes(title));
  for (const name of REQUIRED) if (column(name) < 0) throw refuse(1, `the column ${name} is missing; the header must name openTime,open,high,low,close,volume.`);
  const at = Object.fromEntries([...REQUIRED, ...OPTIONAL].map((name) => [name, column(name)])) as Record<string, number>;

  const candles: Candle[] = [];
  for (let i = headed ? 1 : 0; i < lines.length; i++) {
    const line = lines[i] as string;
    if (line.trim() === '') continue;
    const cells = line.split(',');
    const candle = toCandle(cells, at, header.length, (reason) => refuse(i + 1, reason));
    const before = candles.at(-1);
    if (before && candle.openTime <= before.openTime) throw refuse(i + 1, `openTime ${candle.openTime} does not come after ${before.openTime}; rows must ascend without repeats.`);
    candles.push(candle);
  }
  if (candles.length === 0) throw refuse(1, 'there is no candle in it.');
  return { file, symbol, candles, derived: OPTIONAL.filter((name) => (at[name] as number) < 0) };
}

function toCandle(cells: string[], at: Record<string, number>, width: number, refuse: (reason: string) => Error): Candle {
  if (cells.length !== width) throw refuse(`${cells.length} columns where ${width} were expected.`);
  const cell = (name: string) => (cells[at[name] as number] as string).trim();
  const amount = (name: string): bigint => {
    const units = parseUnits(cell(name));
    if (units === null) throw refuse(`${name} "${cell(name).slice(0, 40)}" is not a plain decimal number of at most 8 decimals.`);
    return units;
  };
  const price = (name: string): number => {
    const units = Number(amount(name));
    if (units <= 0 || !Number.isSafeInteger(units)) throw refuse(`${name} "${cell(name)}" is not a price above 0 and below 90 million.`);
    return units;
  };
  if (!/^\d{1,17}$/.test(cell('openTime'))) throw refuse(`openTime "${cell('openTime').slice(0, 40)}" is not a number of milliseconds or microseconds.`);
  const stamp = Number(cell('openTime'));
  const openTime = stamp > MICROSECONDS ? stamp / 1000 : stamp;
  if (openTime % MINUTE !== 0) throw refuse(`openTime ${cell('openTime')} does not fall on a whole minute.`);
  const [open, high, low, close] = [price('open'), price('high'), price('low'), price('close')];
  if (high < Math.max(open, close, low) || low > Math.min(open, close)) throw refuse('high and low do not enclose open and close.');
  const volume = amount('volume');
  const has = (name: string) => (at[name] as number) >= 0;
  // hlc3 × volume is the usual estimate of the quote volume; half of it is said to be the takers'.
  const quoteVolume = has('quoteVolume') ? amount('quoteVolume') : notional(volume, BigInt(high + low + close) / 3n);
  const trades = has('trades') ? Number(cell('trades')) : 0;
  if (!Number.isSafeInteger(trades) || trades < 0) throw refuse(`trades "${cell('trades').slice(0, 40)}" is not a whole number.`);
  return {
    openTime, open, high, low, close, volume, quoteVolume, trades,
    takerBase: has('takerBase') ? amount('takerBase') : volume / 2n,
    takerQuote: has('takerQuote') ? amount('takerQuote') : quoteVolume / 2n,
  };
}
