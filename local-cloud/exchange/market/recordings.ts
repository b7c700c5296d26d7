import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MINUTE } from './intervals.ts';
import { FILE_NAME, readRecordedFile, type RecordedFile } from './recorded-file.ts';
import { FRAMES_NAME, readRecordedFrames, type RecordedTrade } from './recorded-frames.ts';
import { exchangeError } from './state.ts';
import type { Candle } from './candle.ts';
import type { Stretch } from './shifts.ts';

/** One symbol's recording as it was made, not yet moved: candles, or single trades. Several files of one symbol make one recording. */
export type Recording = { symbol: string; files: string[]; derived: string[]; stretch: Stretch } & (
  { candles: Candle[]; trades?: undefined } | { trades: RecordedTrade[]; candles?: undefined }
);

/**
 * Reads a folder of candle files (or, where it has none, of frame files), or one file. Throws `candles_not_found`, `candles_malformed` or
 * `frames_malformed`.
 */
export function readRecordings(path: string): Recording[] {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch (cause) {
    throw exchangeError('candles_not_found', `${path} cannot be read. Give --market a folder of candle files, one file, or "simulated".`, cause);
  }
  if (!folder) return FRAMES_NAME.test(basename(path)) ? fromFrames([path]) : fromCandles([path]);
  const names = readdirSync(path).toSorted();
  const paths = (pattern: RegExp) => names.filter((name) => pattern.test(name)).map((name) => join(path, name));
  const [candles, frames] = [paths(FILE_NAME), paths(FRAMES_NAME)];
  if (candles.length + frames.length === 0) throw exchangeError('candles_not_found', `${path} holds no file named <SYMBOL>-1m-….csv or .csv.gz, and no recording of frames named …stream….gz.`);
  return candles.length > 0 ? fromCandles(candles) : fromFrames(frames);
}

function fromCandles(paths: readonly string[]): Recording[] {
  const bySymbol = Map.groupBy(paths.map(readRecordedFile), (file) => file.symbol);
  return [...bySymbol].map(([symbol, files]) => joinFiles(symbol, files));
}

function fromFrames(paths: readonly string[]): Recording[] {
  const bySymbol = new Map<string, { files: string[]; trades: RecordedTrade[] }>();
  for (const path of paths) {
    for (const [symbol, trades] of readRecordedFrames(path)) {
      const known = bySymbol.get(symbol);
      bySymbol.set(symbol, { files: [...(known?.files ?? []), basename(path)], trades: [...(known?.trades ?? []), ...trades] });
    }
  }
  return [...bySymbol].map(([symbol, { files, trades }]) => {
    const times = trades.map(({ time }) => Math.floor(time / MINUTE) * MINUTE);
    const [from, last] = times.reduce(([low, high], time) => [Math.min(low, time), Math.max(high, time)], [Infinity, 0]);
    return { symbol, files, derived: [], stretch: { from, to: last + MINUTE }, trades };
  });
}

function joinFiles(symbol: string, files: RecordedFile[]): Recording {
  const sorted = files.toSorted((a, b) => firstOf(a) - firstOf(b));
  for (const [i, file] of sorted.entries()) {
    const before = sorted[i - 1];
    if (before && firstOf(file) <= (before.candles.at(-1) as Candle).openTime) {
      throw exchangeError('candles_malformed', `${file.file}, line 2: it overlaps ${before.file}; each minute of a symbol may stand in one file only.`);
    }
  }
  const candles = sorted.flatMap((file) => file.candles);
  return {
    symbol, candles,
    files: sorted.map((file) => file.file),
    derived: [...new Set(sorted.flatMap((file) => file.derived))],
    stretch: { from: (candles[0] as Candle).openTime, to: (candles.at(-1) as Candle).openTime + MINUTE },
  };
}

const firstOf = (file: RecordedFile) => (file.candles[0] as Candle).openTime;
