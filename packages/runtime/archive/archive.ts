import { TradeMindError, type Candle } from '@trademind/core';
import { BLOCK_CANDLES } from './block-shape.ts';
import { openTimeOf, ordinalFrom, periodsOf, type Range } from './calendar.ts';
import { allocateColumns, candleAt, sliceColumns, type CandleColumns, type OptionalColumn } from './columns.ts';
import { ArchiveFolder } from './folder.ts';
import { candlesWithin } from './merge.ts';
import { clip, subtract } from './ranges.ts';
import { coverageOf, decodeBlocks, type Segment, type SeriesKey } from './segment.ts';

/** A stretch of time in ms; `to` is not part of it. */
export interface TimeRange { from: number; to: number }

/** Candles as they lie in the archive, with what is not there. */
export interface History {
  candles: CandleColumns;
  /** Stretches of the range asked for in which the exchange had no candles (halts): by its own answer, never by our guess. */
  gaps: TimeRange[];
  /** Stretches of the range asked for of which the archive knows nothing. */
  missing: TimeRange[];
  /** Candles that lack an optional column, because their source had none: NaN there. */
  absent: Record<OptionalColumn, number>;
}

/** Reads candles from an archive. Needs no lock: files are replaced whole, and a half-written end is not taken for candles. */
export class CandleArchive extends ArchiveFolder {
  /**
   * The candles that open in [from, to), ms; left out: from the first, to the last. `allocate` may bring memory of the caller's own (shared, say).
   * Throws `not_found` for a series that is not there, `archive_damaged` where what lies in the range does not match its checksum.
   */
  read(key: SeriesKey, range: Partial<TimeRange> = {}, allocate: (length: number) => CandleColumns = allocateColumns): History {
    const { interval } = key;
    const wanted = this.#ordinals(key, range);
    const segments = periodsOf(interval, wanted).map(({ period }) => this.#intact(key, period.name)).filter((segment) => segment !== undefined);
    const blocks = segments.map((segment) => segment.blocks.filter((block) => block.last >= wanted.from && block.first < wanted.to));
    const candles = allocate(blocks.flat().reduce((sum, block) => sum + block.count, 0));
    let at = 0;
    for (const [index, segment] of segments.entries()) at = decodeBlocks(segment, interval, blocks[index]!, candles, at);
    const covered = segments.map(coverageOf);
    const gaps = clip(covered.flatMap((cover) => cover.gaps), wanted);
    const cut = candlesWithin(interval, candles, wanted.from, wanted.to);
    return {
      candles: cut, absent: absentIn(cut), gaps: this.#times(key, gaps),
      missing: this.#times(key, subtract([wanted], [...gaps, ...covered.flatMap((cover) => cover.candles)])),
    };
  }

  /** The stretches of a range in which one candle follows the other, in ms. */
  stretches(key: SeriesKey, range: Partial<TimeRange> = {}): TimeRange[] {
    return this.#times(key, clip(this.coverage(key).candles, this.#ordinals(key, range)));
  }

  /** The candles of a range, a few thousand at a time, always in the same memory: what was given is overwritten by the next. Throws as `read`. */
  *blocks(key: SeriesKey, range: Partial<TimeRange> = {}): Generator<CandleColumns> {
    const { interval } = key;
    const wanted = this.#ordinals(key, range);
    const memory = allocateColumns(BLOCK_CANDLES);
    for (const { period } of periodsOf(interval, wanted)) {
      const segment = this.#intact(key, period.name);
      for (const block of segment?.blocks ?? []) {
        if (block.last < wanted.from || block.first >= wanted.to) continue;
        decodeBlocks(segment!, interval, [block], memory, 0);
        yield candlesWithin(interval, sliceColumns(memory, 0, block.count), wanted.from, wanted.to);
      }
    }
  }

  /** As `read`, a file at a time, so that any length can be gone through in little memory. */
  *chunks(key: SeriesKey, range: Partial<TimeRange> = {}): Generator<History> {
    const { interval } = key;
    for (const part of periodsOf(interval, this.#ordinals(key, range))) {
      yield this.read(key, { from: openTimeOf(interval, part.range.from), to: openTimeOf(interval, part.range.to) });
    }
  }

  /** One candle after the other. */
  *candles(key: SeriesKey, range: Partial<TimeRange> = {}): Generator<Candle> {
    for (const { candles } of this.chunks(key, range)) for (let index = 0; index < candles.length; index++) yield candleAt(candles, index);
  }

  #intact(key: SeriesKey, period: string): Segment | undefined {
    const segment = this.segment(key, period);
    // A torn end is what is still being written, or was when the writer was killed; the next writer cuts it off.
    const damage = segment?.damage.find(({ kind }) => kind !== 'torn');
    if (damage) {
      throw new TradeMindError({
        code: 'archive_damaged', message: `${key.symbol} ${key.interval} ${period} is damaged at byte ${damage.at}.`,
        nextStep: '`npx trademind data verify --repair` fetches what is lost from the exchange.',
      });
    }
    return segment;
  }

  #ordinals(key: SeriesKey, { from, to }: Partial<TimeRange>): Range {
    const periods = this.periods(key);
    const [first, last] = [periods[0], periods.at(-1)];
    if (first === undefined || last === undefined) {
      throw new TradeMindError({ code: 'not_found', message: `The archive holds no ${key.interval} candles of ${key.symbol}.`, nextStep: '`npx trademind data list` shows what it holds; `npx trademind data download` brings more.' });
    }
    const ends = from === undefined || to === undefined ? this.#ends(key, first, last) : { from: 0, to: 0 };
    return { from: from === undefined ? ends.from : ordinalFrom(key.interval, from), to: to === undefined ? ends.to : ordinalFrom(key.interval, to) };
  }

  /** From the first to the last candle or gap. */
  #ends(key: SeriesKey, first: string, last: string): Range {
    const covered = [first, last].flatMap((period) => {
      const segment = this.#intact(key, period);
      const { candles, gaps } = segment ? coverageOf(segment) : { candles: [], gaps: [] };
      return [...candles, ...gaps];
    });
    return { from: Math.min(...covered.map(({ from }) => from), Infinity), to: Math.max(...covered.map(({ to }) => to), -Infinity) };
  }

  #times({ interval }: SeriesKey, ranges: readonly Range[]): TimeRange[] {
    return ranges.map(({ from, to }) => ({ from: openTimeOf(interval, from), to: openTimeOf(interval, to) }));
  }
}

function absentIn(candles: CandleColumns): Record<OptionalColumn, number> {
  return { quoteVolume: countAbsent(candles.quoteVolume), trades: countAbsent(candles.trades), takerBuy: countAbsent(candles.takerBuy) };
}

function countAbsent(column: Float64Array): number {
  let absent = 0;
  for (let i = 0; i < column.length; i++) if (Number.isNaN(column[i]!)) absent++;
  return absent;
}
