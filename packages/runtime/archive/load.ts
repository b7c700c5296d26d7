import type { Candle, Interval } from '@trademind/core';
import type { CandleArchive, TimeRange } from './archive.ts';
import type { CandleColumns } from './columns.ts';
import type { SeriesKey } from './segment.ts';

/** What of the engine's candle store loading needs. Neither method keeps a reference to the candle. */
export interface CandleSink {
  /** Checks that the candle comes next. */
  append(symbol: string, interval: Interval, candle: Candle): 'appended' | 'duplicate';
  /** The series itself, which takes what was checked before. */
  series(symbol: string, interval: Interval): { push(candle: Candle): void } | undefined;
}

/**
 * Fills quote volumes that the source did not have with volume × hlc3. Answers how many: whoever shows or uses them says that they are estimated.
 */
export function estimateQuoteVolume({ length, quoteVolume, volume, high, low, close }: CandleColumns): number {
  let estimated = 0;
  for (let i = 0; i < length; i++) {
    if (!Number.isNaN(quoteVolume[i]!)) continue;
    quoteVolume[i] = volume[i]! * ((high[i]! + low[i]! + close[i]!) / 3);
    estimated++;
  }
  return estimated;
}

/**
 * Hands the candles of a range to the engine, oldest first, from its last hole on (before it nothing could be screened without a break); the store keeps as many
 * as it has room for, and what it has already stays. Quote volumes that the source did not have are estimated and counted; trades and taker volumes stay NaN, which
 * the engine takes for "not ready". Throws as `CandleArchive.read`, and the store's `candle_gap` when its own last candle is older than what is loaded.
 */
export function loadHistory(archive: CandleArchive, key: SeriesKey, range: Partial<TimeRange>, sink: CandleSink): { loaded: number; estimated: number } {
  const result = { loaded: 0, estimated: 0 };
  const stretch = archive.stretches(key, range).at(-1);
  if (!stretch) return result;
  const candle = new Cursor();
  for (const block of archive.blocks(key, stretch)) {
    result.estimated += estimateQuoteVolume(block);
    let index = 0;
    for (; result.loaded === 0 && index < block.length; index++) {
      candle.moveTo(block, index);
      if (sink.append(key.symbol, key.interval, candle) === 'appended') result.loaded = 1;
    }
    result.loaded += block.length - index;
    // The store has taken the first of a stretch: each of the others follows the one before.
    const series = sink.series(key.symbol, key.interval);
    if (series) pushAll(block, index, candle, series);
  }
  return result;
}

function pushAll(block: CandleColumns, from: number, candle: Cursor, series: { push(candle: Candle): void }): void {
  for (let index = from; index < block.length; index++) {
    candle.moveTo(block, index);
    series.push(candle);
  }
}

/**
 * One candle for all: a year of minutes would be half a million. A class of its own, whose fields hold doubles from the start, so that the runtime keeps them as such
 * and a move allocates nothing.
 */
class Cursor implements Candle {
  openTime = Number.NaN;
  open = Number.NaN;
  high = Number.NaN;
  low = Number.NaN;
  close = Number.NaN;
  volume = Number.NaN;
  quoteVolume = Number.NaN;
  trades = Number.NaN;
  takerBuy = Number.NaN;

  moveTo(columns: CandleColumns, index: number): void {
    this.openTime = columns.openTime[index]!;
    this.open = columns.open[index]!;
    this.high = columns.high[index]!;
    this.low = columns.low[index]!;
    this.close = columns.close[index]!;
    this.volume = columns.volume[index]!;
    this.quoteVolume = columns.quoteVolume[index]!;
    this.trades = columns.trades[index]!;
    this.takerBuy = columns.takerBuy[index]!;
  }
}
