import { OPTIONAL_COLUMNS, type CandleColumns, type OptionalColumn } from './columns.ts';

/** Digits after the point that the exchange writes. */
const DIGITS = 8;

/** A number as the exchange writes it: plain, with at least eight decimals, and more where it takes more to come back to the same double. */
export function decimalText(value: number): string {
  const short = String(value);
  if (short.includes('e')) return plain(short);
  const point = short.indexOf('.');
  return point < 0 ? `${short}.${'0'.repeat(DIGITS)}` : short.padEnd(point + 1 + DIGITS, '0');
}

/** `1.5e-7` → `0.00000015`, `1e21` → `1000000000000000000000.00000000`. */
function plain(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text) ?? [];
  const point = whole.length + Number(exponent);
  const digits = `${'0'.repeat(Math.max(0, 1 - point))}${whole}${fraction}`.padEnd(point, '0');
  const at = Math.max(1, point);
  return `${sign}${digits.slice(0, at)}.${digits.slice(at).padEnd(DIGITS, '0')}`;
}

/** The optional columns of which these candles have any value. */
export function columnsPresent(parts: Iterable<{ candles: CandleColumns; absent: Record<OptionalColumn, number> }>): OptionalColumn[] {
  const present = new Set<OptionalColumn>();
  for (const { candles, absent } of parts) for (const name of OPTIONAL_COLUMNS) if (absent[name] < candles.length) present.add(name);
  return OPTIONAL_COLUMNS.filter((name) => present.has(name));
}

/** The first line, with its newline: the six columns that every candle has, then the optional ones. */
export function csvHeader(columns: readonly OptionalColumn[]): string {
  return `${['openTime', 'open', 'high', 'low', 'close', 'volume', ...columns].join(',')}\n`;
}

/** Rows as text, each ended by a newline; an optional value that is absent is an empty cell. */
export function csvRows(candles: CandleColumns, columns: readonly OptionalColumn[]): string {
  const { openTime, open, high, low, close, volume } = candles;
  let text = '';
  for (let i = 0; i < candles.length; i++) {
    text += `${openTime[i]},${decimalText(open[i]!)},${decimalText(high[i]!)},${decimalText(low[i]!)},${decimalText(close[i]!)},${decimalText(volume[i]!)}`;
    for (const name of columns) {
      const value = candles[name][i]!;
      text += `,${Number.isNaN(value) ? '' : name === 'trades' ? String(value) : decimalText(value)}`;
    }
    text += '\n';
  }
  return text;
}
