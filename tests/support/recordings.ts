import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** Folder of the real recordings (`TRADEMIND_DATA`, default beside the project), or null with a word on stderr when it is absent. */
export function recordings(...path: string[]): string | null {
  const folder = resolve(process.env['TRADEMIND_DATA'] ?? join(import.meta.dirname, '../../../shared/data'), ...path);
  if (existsSync(folder)) return folder;
  process.stderr.write('The real recordings are absent (TRADEMIND_DATA): this test runs on the simulated market instead.\n');
  return null;
}

export interface RecordedRow { openTime: number; open: number; high: number; low: number; close: number; volume: number }

/** Every `<SYMBOL>-1m-….csv[.gz]` of a folder, as written: no shift, no aggregation. */
export function readRecordedCandles(folder: string): Map<string, RecordedRow[]> {
  const markets = new Map<string, RecordedRow[]>();
  for (const name of readdirSync(folder).filter((file) => /^[A-Z0-9]+-1m-.*\.csv(\.gz)?$/.test(file))) {
    const bytes = readFileSync(join(folder, name));
    const text = (name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
    const rows = text.trim().split('\n').slice(1).map((line) => {
      const [openTime, open, high, low, close, volume] = line.split(',').map(Number) as [number, number, number, number, number, number];
      return { openTime, open, high, low, close, volume };
    });
    markets.set(name.split('-')[0]!, rows);
  }
  return markets;
}

/** The 502 daily candles from which the reference series of the recorded indicators were computed. */
export function readDailyCandles(folder: string): RecordedRow[] {
  return readFileSync(join(folder, 'quotes-daily-502.csv'), 'utf8').trim().split('\n').slice(1).map((line) => {
    const [date, ...numbers] = line.split(',');
    const [open, high, low, close, volume] = numbers.map(Number) as [number, number, number, number, number];
    return { openTime: Date.parse(date!), open, high, low, close, volume };
  });
}
