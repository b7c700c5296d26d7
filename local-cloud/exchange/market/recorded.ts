import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Candle } from './candle.ts';
import { MINUTE, WEEK } from './intervals.ts';
import { FILE_NAME, readRecordedFile, type RecordedFile } from './recorded-file.ts';
import { splitSymbol } from './symbols.ts';
import { exchangeError } from './state.ts';
import type { MarketSource, SymbolInfo } from './source.ts';
import type { Stretch } from './shifts.ts';

/** One symbol's recording as it was made, not yet moved. Several files of one symbol make one recording. */
export interface Recording { symbol: string; files: string[]; candles: Candle[]; derived: string[]; stretch: Stretch }

/** Reads a folder of candle files, or one file. Throws `candles_not_found` or `candles_malformed`. */
export function readRecordings(path: string): Recording[] {
  let folder: boolean;
  try {
    folder = statSync(path).isDirectory();
  } catch (cause) {
    throw exchangeError('candles_not_found', `${path} cannot be read. Give --market a folder of candle files, one file, or "simulated".`, cause);
  }
  const names = folder ? readdirSync(path).filter((name) => FILE_NAME.test(name)).toSorted() : [basename(path)];
  if (names.length === 0) throw exchangeError('candles_not_found', `${path} holds no file named <SYMBOL>-1m-….csv or .csv.gz.`);
  const bySymbol = Map.groupBy(names.map((name) => readRecordedFile(join(folder ? path : dirname(path), name))), (file) => file.symbol);
  return [...bySymbol].map(([symbol, files]) => joinFiles(symbol, files));
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

/** The recordings as a market, each moved by its whole number of weeks. */
export class RecordedMarket implements MarketSource {
  readonly symbols: readonly SymbolInfo[];
  readonly #series = new Map<string, Candle[]>();

  constructor(recordings: readonly Recording[], shifts: Readonly<Record<string, number>>) {
    this.symbols = recordings.map((recording) => {
      const weeks = shifts[recording.symbol] ?? 0;
      const candles = recording.candles.map((candle) => ({ ...candle, openTime: candle.openTime + weeks * WEEK }));
      this.#series.set(recording.symbol, candles);
      return {
        symbol: recording.symbol,
        ...splitSymbol(recording.symbol),
        tick: smallestStep(candles.flatMap((c) => [c.open, c.high, c.low, c.close])),
        step: smallestStep(candles.map((c) => Number(c.volume % 100_000_000n))),
        permissions: ['SPOT'],
        first: recording.stretch.from + weeks * WEEK,
        end: recording.stretch.to + weeks * WEEK,
        source: recording.files.join(', '),
        shiftWeeks: weeks,
        derived: recording.derived,
      };
    });
  }

  minute(symbol: string, openTime: number): Candle | undefined {
    const candles = this.#series.get(symbol);
    const first = candles?.[0];
    if (!candles || !first) return undefined;
    // Without holes the index is known; with holes the minute lies before it, so search there.
    const guess = (openTime - first.openTime) / MINUTE;
    if (candles[guess]?.openTime === openTime) return candles[guess];
    let [low, high] = [0, Math.min(guess, candles.length - 1)];
    while (low <= high) {
      const middle = (low + high) >> 1;
      const candle = candles[middle] as Candle;
      if (candle.openTime === openTime) return candle;
      if (candle.openTime < openTime) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }
}

/** The smallest power of ten (in 1e-8 units) that all values are multiples of: the recording's tick or step. */
function smallestStep(values: readonly number[]): number {
  let step = 100_000_000;
  for (const value of values) while (step > 1 && value % step !== 0) step /= 10;
  return step;
}
