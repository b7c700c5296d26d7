import { join } from 'node:path';
import { INTERVALS, TradeMindError, type Candle, type Interval } from '@trademind/core';
import { openTimeOf, ordinalFrom, periodOf, periodsOf, type Range } from './calendar.ts';
import { allocateColumns, candleAt, OPTIONAL_COLUMNS, sliceColumns, type CandleColumns, type OptionalColumn } from './columns.ts';
import type { Disk } from './disk.ts';
import { clip, subtract, union } from './ranges.ts';
import { coverageOf, decodeBlocks, scanSegment, type Segment, type SeriesKey } from './segment.ts';
import { decodeHeader, HEADER_BYTES, type SegmentHeader } from './segment-header.ts';

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

export const SEGMENT_SUFFIX = '.candles';
/** One name per interval, also where file names know no case: a month is "1mo", as in the exchange's own dumps. */
const folderOf = (interval: Interval) => (interval === '1M' ? '1mo' : interval);
const SYMBOL = /^[\p{L}\p{N}][\p{L}\p{N}_-]{0,39}$/u;

/** Reads candles from a folder of segment files (`<SYMBOL>/<interval>/<period>.candles`). Needs no lock: files are replaced whole, and a half-written end is not taken for candles. */
export class CandleArchive {
  readonly folder: string;
  readonly disk: Disk;

  constructor(folder: string, disk: Disk) {
    this.folder = folder;
    this.disk = disk;
  }

  /** Every series that has a file, by symbol and from the shortest interval to the longest. */
  series(): SeriesKey[] {
    return this.disk.list(this.folder).filter((name) => SYMBOL.test(name)).flatMap((symbol) => INTERVALS
      .filter((interval) => this.periods({ symbol, interval }).length > 0).map((interval) => ({ symbol, interval })));
  }

  /** Names of a series' files, oldest first. */
  periods(key: SeriesKey): string[] {
    return this.disk.list(this.#folder(key)).filter((name) => name.endsWith(SEGMENT_SUFFIX)).map((name) => name.slice(0, -SEGMENT_SUFFIX.length)).sort();
  }

  path(key: SeriesKey, period: string): string {
    return join(this.#folder(key), `${period}${SEGMENT_SUFFIX}`);
  }

  /** A file, looked through; undefined when there is none. One that belongs elsewhere (renamed by hand) has a damaged header. */
  segment(key: SeriesKey, period: string): Segment | undefined {
    const bytes = this.disk.read(this.path(key, period));
    if (bytes === undefined) return undefined;
    const segment = scanSegment(bytes);
    const { header } = segment;
    if (header && (header.symbol !== key.symbol || header.interval !== key.interval || periodOf(key.interval, header.from).name !== period)) {
      return { ...segment, header: undefined, blocks: [], gaps: [], intactBytes: 0, damage: [{ kind: 'header', at: 0, bytes: bytes.byteLength }] };
    }
    return segment;
  }

  /** True when a file says that it is finished, and has its full length; its blocks are not looked at. */
  isFinished(key: SeriesKey, period: string): boolean {
    const head = this.#head(key, period);
    return head?.header?.sealed !== undefined && head.size === head.header.sealed.bytes;
  }

  /** Which candles are there, and which never were, by ordinals. Of finished files without a gap only the header is read. */
  coverage(key: SeriesKey): { candles: Range[]; gaps: Range[] } {
    const candles: Range[] = [];
    const gaps: Range[] = [];
    for (const period of this.periods(key)) {
      const header = this.isFinished(key, period) ? this.#head(key, period)?.header : undefined;
      if (header?.sealed?.gaps === 0) candles.push({ from: header.from, to: header.to });
      else {
        const segment = this.segment(key, period);
        const covered = segment && coverageOf(segment);
        candles.push(...covered?.candles ?? []);
        gaps.push(...covered?.gaps ?? []);
      }
    }
    return { candles: union(candles), gaps: union(gaps) };
  }

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
    return {
      ...trimmed(candles, interval, wanted), gaps: this.#times(key, gaps),
      missing: this.#times(key, subtract([wanted], [...gaps, ...covered.flatMap((cover) => cover.candles)])),
    };
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

  #head(key: SeriesKey, period: string): { header: SegmentHeader | undefined; size: number } | undefined {
    const head = this.disk.head(this.path(key, period), HEADER_BYTES);
    return head && { header: decodeHeader(head.bytes), size: head.size };
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

  #folder({ symbol, interval }: SeriesKey): string {
    if (!SYMBOL.test(symbol)) throw new TradeMindError({ code: 'usage', field: 'symbol', message: `"${symbol}" is no symbol.`, nextStep: 'Symbols are written as the exchange does, e.g. BTCUSDT.' });
    return join(this.folder, symbol, folderOf(interval));
  }
}

/** Cuts whole blocks to the candles asked for, and counts what these lack. */
function trimmed(candles: CandleColumns, interval: Interval, { from, to }: Range): Pick<History, 'candles' | 'absent'> {
  const [start, end] = [openTimeOf(interval, from), openTimeOf(interval, to)];
  const { openTime } = candles;
  let [a, b] = [0, candles.length];
  while (a < b && openTime[a]! < start) a++;
  while (b > a && openTime[b - 1]! >= end) b--;
  const cut = sliceColumns(candles, a, b);
  const absent = { quoteVolume: 0, trades: 0, takerBuy: 0 };
  for (const name of OPTIONAL_COLUMNS) absent[name] = countAbsent(cut[name]);
  return { candles: cut, absent };
}

function countAbsent(column: Float64Array): number {
  let absent = 0;
  for (let i = 0; i < column.length; i++) if (Number.isNaN(column[i]!)) absent++;
  return absent;
}
