import { readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Candle } from './candle.ts';
import { MINUTE, WEEK } from './intervals.ts';
import { makePlayable } from './playable.ts';
import { hash } from './random.ts';
import { FILE_NAME, readRecordedFile, type RecordedFile } from './recorded-file.ts';
import { splitSymbol } from './symbols.ts';
import { exchangeError } from './state.ts';
import type { MarketSource, SymbolInfo } from './source.ts';
import type { Stretch } from './shifts.ts';
import type { Tape } from './tape.ts';

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

interface Series {
  candles: Candle[];
  /** Trades before candle i. */
  tradesBefore: Float64Array;
  /** The trades of minutes that have too few to be laid out from their candle. */
  tapes: Map<number, Tape>;
}

/** The recordings as a market, each moved by its whole number of weeks. */
export class RecordedMarket implements MarketSource {
  readonly symbols: readonly SymbolInfo[];
  readonly #series = new Map<string, Series>();

  constructor(recordings: readonly Recording[], shifts: Readonly<Record<string, number>>) {
    this.symbols = recordings.map((recording) => {
      const weeks = shifts[recording.symbol] ?? 0;
      const moved = recording.candles.map((candle) => ({ ...candle, openTime: candle.openTime + weeks * WEEK }));
      const lots = {
        tick: smallestStep(moved.flatMap((c) => [c.open, c.high, c.low, c.close])),
        step: smallestStep(moved.map((c) => Number(c.volume % 100_000_000n))),
      };
      const { candles, tapes, adjusted } = makePlayable(moved, lots, recording.derived, hash(recording.symbol));
      const tradesBefore = new Float64Array(candles.length + 1);
      let steps = 0;
      for (const [i, candle] of candles.entries()) {
        tradesBefore[i + 1] = (tradesBefore[i] as number) + candle.trades;
        steps += Number(candle.volume) / lots.step;
      }
      this.#series.set(recording.symbol, { candles, tradesBefore, tapes });
      return {
        symbol: recording.symbol,
        ...splitSymbol(recording.symbol),
        ...lots,
        resting: Math.max(20, Math.round(steps / candles.length / 20)),
        spread: 1,
        permissions: ['SPOT'],
        first: recording.stretch.from + weeks * WEEK,
        end: recording.stretch.to + weeks * WEEK,
        source: recording.files.join(', '),
        shiftWeeks: weeks,
        derived: recording.derived,
        adjusted,
      };
    });
  }

  minute(symbol: string, openTime: number): Candle | undefined {
    const series = this.#series.get(symbol);
    if (!series) return undefined;
    const candle = series.candles[firstFrom(series.candles, openTime)];
    return candle?.openTime === openTime ? candle : undefined;
  }

  tradesBefore(symbol: string, openTime: number): number {
    const series = this.#series.get(symbol);
    return series ? series.tradesBefore[firstFrom(series.candles, openTime)] as number : 0;
  }

  tape(symbol: string, openTime: number): Tape | undefined {
    return this.#series.get(symbol)?.tapes.get(openTime);
  }
}

/** The place of the first candle that opens at `openTime` or later. */
function firstFrom(candles: readonly Candle[], openTime: number): number {
  const start = (candles[0] as Candle).openTime;
  // Without holes the place is known; with holes it lies before that, so search there.
  const guess = Math.ceil((openTime - start) / MINUTE);
  if (guess <= 0) return 0;
  if (candles[guess]?.openTime === openTime) return guess;
  let [low, high] = [0, Math.min(guess, candles.length)];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((candles[middle] as Candle).openTime < openTime) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The smallest power of ten (in 1e-8 units) that all values are multiples of: the recording's tick or step. */
function smallestStep(values: readonly number[]): number {
  let step = 100_000_000;
  for (const value of values) while (step > 1 && value % step !== 0) step /= 10;
  return step;
}
