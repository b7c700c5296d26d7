import { join } from 'node:path';
import { INTERVALS, TradeMindError, type Interval } from '@trademind/core';
import { openTimeOf, periodOf, type Range } from './calendar.ts';
import type { Disk } from './disk.ts';
import { union } from './ranges.ts';
import { coverageOf, scanSegment, type Segment, type SeriesKey } from './segment.ts';
import { decodeHeader, HEADER_BYTES, type SegmentHeader } from './segment-header.ts';

const SUFFIX = '.candles';
/** One name per interval, also where file names know no case: a month is "1mo", as in the exchange's own dumps. */
const folderOf = (interval: Interval) => (interval === '1M' ? '1mo' : interval);
const SYMBOL = /^[\p{L}\p{N}][\p{L}\p{N}_-]{0,39}$/u;

/** The files of an archive: `<SYMBOL>/<interval>/<period>.candles`. */
export class ArchiveFolder {
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
    return this.disk.list(this.#folder(key)).filter((name) => name.endsWith(SUFFIX)).map((name) => name.slice(0, -SUFFIX.length)).sort();
  }

  path(key: SeriesKey, period: string): string {
    return join(this.#folder(key), `${period}${SUFFIX}`);
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

  /**
   * Where a series whose last file ends half-written is intact to (ms; 0 when no candle is left): a process writes to it now, or was killed while it did, or the
   * file was cut. What lay behind cannot be known. Undefined when the last file ends whole.
   */
  tornAt(key: SeriesKey): number | undefined {
    const last = this.periods(key).at(-1);
    if (last === undefined || this.isFinished(key, last) || !this.segment(key, last)?.damage.some(({ kind }) => kind === 'torn')) return undefined;
    const end = this.coverage(key).candles.at(-1)?.to;
    return end === undefined ? 0 : openTimeOf(key.interval, end);
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

  #head(key: SeriesKey, period: string): { header: SegmentHeader | undefined; size: number } | undefined {
    const head = this.disk.head(this.path(key, period), HEADER_BYTES);
    return head && { header: decodeHeader(head.bytes), size: head.size };
  }

  #folder({ symbol, interval }: SeriesKey): string {
    if (!SYMBOL.test(symbol)) throw new TradeMindError({ code: 'usage', field: 'symbol', message: `"${symbol}" is no symbol.`, nextStep: 'Symbols are written as the exchange does, e.g. BTCUSDT.' });
    return join(this.folder, symbol, folderOf(interval));
  }
}
