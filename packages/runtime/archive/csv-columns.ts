import { REQUIRED_COLUMNS, type ColumnName } from './columns.ts';

/** Under which names a column may stand in a header; lower case, without "_", "-" and spaces. */
const NAMES: Readonly<Record<ColumnName, readonly string[]>> = {
  openTime: ['opentime', 'date', 'datetime', 'timestamp', 'time'],
  open: ['open'], high: ['high'], low: ['low'], close: ['close'], volume: ['volume'],
  quoteVolume: ['quotevolume', 'quoteassetvolume'],
  trades: ['trades', 'count', 'numberoftrades', 'tradecount'],
  takerBuy: ['takerbuy', 'takerbase', 'takerbuybase', 'takerbuyvolume', 'takerbuybaseassetvolume', 'takerbuybasevolume'],
};
/** The exchange's own dumps have these columns, mostly without a header line. */
const DUMP = 'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore'.split(',');

const plain = (titles: readonly string[]) => titles.map((title) => title.toLowerCase().replace(/[_\-\s]/g, ''));

/** Where each column stands in a row. `isDump`: as the exchange's own dumps have them. */
export interface Layout { at: Partial<Record<ColumnName, number>>; width: number; hasHeader: boolean; isDump: boolean }

/** The layout by a file's first line; a sentence where it says none. */
export function layoutOf(firstLine: readonly string[]): Layout | string {
  const hasHeader = !/^\d/.test(firstLine[0] ?? '');
  if (!hasHeader && firstLine.length !== DUMP.length) {
    return `the first line is no header, and only Binance's own dumps (12 columns) may come without; begin the file with openTime,open,high,low,close,volume`;
  }
  const titles = plain(hasHeader ? firstLine : DUMP);
  const at: Layout['at'] = {};
  for (const [name, known] of Object.entries(NAMES)) {
    const index = titles.findIndex((title) => known.includes(title));
    if (index >= 0) at[name as ColumnName] = index;
  }
  const missing = REQUIRED_COLUMNS.filter((name) => at[name] === undefined);
  if (missing.length > 0) return `the column ${missing.join(', ')} is missing; the header must name openTime (or date),open,high,low,close,volume`;
  return { at, width: titles.length, hasHeader, isDump: titles.join() === plain(DUMP).join() };
}

const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?\s*(Z|UTC|[+-]\d\d:?\d\d)?)?$/i;

/**
 * An instant in ms: a date (UTC unless it says otherwise), or a number of seconds, milliseconds or microseconds, told apart by its size: candles are of the years
 * 1973 to 5138. NaN for what is none of these, or falls between two milliseconds.
 */
export function parseInstant(text: string): number {
  if (/^\d{9,17}(\.0*)?$/.test(text)) {
    const number = Number(text);
    if (number < 1e11) return number * 1_000;
    const ms = number < 1e14 ? number : number / 1_000;
    return Number.isInteger(ms) ? ms : Number.NaN;
  }
  const [, day = '', minute = '00:00', second = ':00', zone = 'Z'] = DATE.exec(text) ?? [];
  const midnight = Date.parse(`${day}T00:00Z`);
  // JavaScript takes 30 February for 2 March.
  if (Number.isNaN(midnight) || new Date(midnight).toISOString().slice(0, 10) !== day) return Number.NaN;
  return Date.parse(`${day}T${minute}${second}${/^(z|utc)$/i.test(zone) ? 'Z' : zone.replace(/^([+-]\d\d)(\d\d)$/, '$1:$2')}`);
}
