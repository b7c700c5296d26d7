import { basename, resolve } from 'node:path';
import { TradeMindError, type Candle } from '@trademind/core';
import { candleAt, readCandleCsv, readCandleTexts, type CandleColumns } from '@trademind/runtime/archive';

/** Almost four years of 1m candles. */
const MAX_CANDLES = 2_000_000;
/** Columns that a file may lack as long as nothing reads them. */
const OPTIONAL = ['trades', 'takerBuy'] as const;

export interface CandleFile {
  readonly candles: readonly Candle[];
  /** Whether the file has no quote volume: then it is volume × (high + low + close) / 3. */
  readonly quoteVolumeEstimated: boolean;
}

/**
 * Reads candles from a CSV file, plain, gzip or zip, as `trademind data import` does, but of whatever interval: a header with `openTime` or `date`, open, high, low,
 * close, volume, in any order, and where they are there quoteVolume, trades, takerBuy; or Binance's own dump. The rows must ascend in time. Nothing is guessed, sorted or
 * skipped: throws `candles_malformed` with file and line, `column_missing`, `too_many_candles`, `not_found`, `file_unreadable`.
 * @param needed columns that are read: one of trades and takerBuy that is not there is an error only then.
 */
export async function readCandleFile(file: string, cwd: string, needed: ReadonlySet<string> = new Set()): Promise<CandleFile> {
  const path = resolve(cwd, file);
  const columns = await read(path);
  if (columns.length > MAX_CANDLES) {
    throw new TradeMindError({ code: 'too_many_candles', field: '--candles', message: `${file} has more than ${MAX_CANDLES.toLocaleString('en-US')} candles.`, nextStep: 'Give a part of it, or candles of a longer interval.' });
  }
  for (const name of OPTIONAL) {
    const lacking = needed.has(name) ? columns[name].findIndex(Number.isNaN) : -1;
    if (lacking < 0) continue;
    const where = columns[name].every(Number.isNaN) ? `there is no column ${name}` : `the candle of ${new Date(columns.openTime[lacking]!).toISOString()} has no ${name}`;
    throw new TradeMindError({
      code: 'column_missing', field: name, message: `${file}: ${where}, which the expression reads.`,
      nextStep: 'Give a file with the column quoteVolume, trades or takerBuy where the expression reads it, for example one that `trademind data export` has written.',
    });
  }
  const candles = Array.from({ length: columns.length }, (_, index) => candleAt(columns, index));
  const estimated = candles.map((candle) => (Number.isNaN(candle.quoteVolume) ? { ...candle, quoteVolume: candle.volume * ((candle.high + candle.low + candle.close) / 3) } : candle));
  return { candles: estimated, quoteVolumeEstimated: candles.some(({ quoteVolume }) => Number.isNaN(quoteVolume)) };
}

async function read(path: string): Promise<CandleColumns> {
  try {
    const [text, ...more] = await readCandleTexts(path);
    if (more.length > 0) throw new TradeMindError({ code: 'candles_malformed', message: `${basename(path)} holds ${more.length + 1} CSV files.` });
    return readCandleCsv(text!.name, text!.bytes);
  } catch (error) {
    // There it is read to be imported, here to be looked at.
    if (!(error instanceof TradeMindError)) throw error;
    throw new TradeMindError({ code: error.code, field: '--candles', message: error.message, nextStep: error.code === 'candles_malformed' ? 'Mend the file, or give another: one file of one series.' : undefined, cause: error });
  }
}
