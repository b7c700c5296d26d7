import { TradeMindError, type Interval } from '@trademind/core';
import { readCandleTexts, seriesOfName } from './candle-file.ts';
import type { CandleColumns } from './columns.ts';
import { readCandleCsv, type OffGridRow } from './csv-read.ts';
import { mergeCandles } from './merge.ts';
import type { SeriesKey } from './segment.ts';
import type { ArchiveWriter, MergeEntry } from './writer.ts';

export interface ImportOptions {
  writer: ArchiveWriter;
  files: readonly string[];
  /** Left out: as the file's name says (`BTCUSDT-1m-….zip`). */
  symbol: string | undefined;
  interval: Interval | undefined;
  /** Candles that the archive has otherwise are replaced; without it they are refused. */
  replace: boolean;
  /** After each file that was read. */
  onFile?: (name: string, candles: number) => void;
}

export interface ImportResult {
  /** `from`, `to`: open times of the first and the last candle, null where there is none. `offGrid`: rows that open between two candles; they are not taken. */
  files: { name: string; symbol: string; interval: Interval; candles: number; from: number | null; to: number | null; offGrid: OffGridRow[] }[];
  added: number;
  /** Were there already, the same. */
  known: number;
  replaced: number;
}

/**
 * Brings candles from files into the archive: all of them, or, when anything is wrong with one, none. Throws `usage` (no symbol or interval), `not_found`,
 * `candles_malformed` (with file and line), `candles_conflict`, `disk_full`.
 */
export async function importFiles({ writer, files, symbol, interval, replace, onFile }: ImportOptions): Promise<ImportResult> {
  const result: ImportResult = { files: [], added: 0, known: 0, replaced: 0 };
  const entries = new Map<string, MergeEntry>();
  for (const path of files) {
    const texts = await readCandleTexts(path);
    const key = seriesFor(path, symbol, interval);
    for (const { name, bytes } of texts) {
      const offGrid: OffGridRow[] = [];
      const candles = readCandleCsv(name, bytes, key.interval, (row) => offGrid.push(row));
      const id = `${key.symbol} ${key.interval}`;
      const before = entries.get(id);
      entries.set(id, { key, candles: before ? joined(before.candles, candles, name) : candles, gaps: [] });
      result.files.push({ name, ...key, candles: candles.length, from: candles.openTime[0] ?? null, to: candles.openTime[candles.length - 1] ?? null, offGrid });
      onFile?.(name, candles.length);
    }
  }
  const all = [...entries.values()];
  const merged = writer.merge(all, { onConflict: replace ? 'new' : 'refuse' });
  const total = all.reduce((sum, { candles }) => sum + candles.length, 0);
  return { ...result, added: merged.added, replaced: merged.replaced, known: total - merged.added - merged.replaced };
}

function seriesFor(path: string, symbol: string | undefined, interval: Interval | undefined): SeriesKey {
  const named = seriesOfName(path);
  const key = { symbol: symbol ?? named?.symbol, interval: interval ?? named?.interval };
  if (key.symbol === undefined || key.interval === undefined) {
    const option = key.symbol === undefined ? '--symbol' : '--interval';
    throw new TradeMindError({ code: 'usage', field: option, message: `${path}: its name does not say which ${option.slice(2)} it holds.`, nextStep: `Add ${option}, or name files as BTCUSDT-1m-2025-01.csv.` });
  }
  return { symbol: key.symbol, interval: key.interval };
}

/** Files may overlap where they agree. */
function joined(before: CandleColumns, candles: CandleColumns, name: string): CandleColumns {
  const merged = mergeCandles(before, candles, 'stored');
  if (merged.firstDiffering === undefined) return merged.candles;
  throw new TradeMindError({
    code: 'candles_conflict', field: 'file', message: `${name} says otherwise than a file before it about the candle of ${new Date(merged.firstDiffering).toISOString()}. Nothing was imported.`,
    nextStep: 'Import them one after the other, the right one last with --replace.',
  });
}
