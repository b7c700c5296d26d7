import { TradeMindError } from '@trademind/core';
import { CandleArchive } from './archive.ts';
import { ordinalOf, periodOf, type Period, type Range } from './calendar.ts';
import { allocateColumns, type CandleColumns } from './columns.ts';
import { STAGED, type Disk } from './disk.ts';
import { lockArchive, type Lock } from './lock.ts';
import { mergeCandles, type Prefer } from './merge.ts';
import { byPeriod, encodedFile } from './period-parts.ts';
import { candlesIn, concat, coverageOf, encodeCandles, encodeGaps, openHeader, type Damage, type Segment, type SeriesKey } from './segment.ts';
import { clip, span, union } from './ranges.ts';

/** A copy of a file that was damaged. */
const DAMAGED = '.damaged';

/** Where an unfinished file stands: what an append needs to know. */
interface Tail { bytes: number; last: number; covered: number; sealed: boolean }

export interface MergeOptions {
  /** What becomes of a candle that is stored otherwise; `refuse` throws `candles_conflict` and changes nothing. */
  onConflict: Prefer | 'refuse';
}
export interface MergeEntry { key: SeriesKey; candles: CandleColumns; gaps: readonly Range[] }
export interface MergeResult { added: number; replaced: number }

/** A damaged file that was brought in order: what was wrong, and where the damaged file lies now (undefined: only a half-written end was cut off). */
export interface Healed { key: SeriesKey; period: string; damage: Damage[]; keptAs: string | undefined }

/**
 * The one writer of an archive. A file is appended to while it grows in order; everything else (earlier candles, corrections, the finished period) writes
 * the file anew beside it and puts it in its place. A kill at any moment loses at most the end of an append, which the next writer finds and cuts off.
 */
export class ArchiveWriter {
  readonly archive: CandleArchive;
  readonly #disk: Disk;
  readonly #lock: Lock;
  readonly #onHealed: (healed: Healed) => void;
  readonly #tails = new Map<string, Tail>();
  readonly #unsynced = new Set<string>();

  /** Takes the archive's lock. Throws `archive_busy`, `archive_unwritable`, `disk_full`. */
  constructor(folder: string, options: { disk: Disk; pid: number; onHealed?: (healed: Healed) => void }) {
    this.#lock = lockArchive(folder, options.pid);
    this.#disk = options.disk;
    this.#onHealed = options.onHealed ?? (() => undefined);
    this.archive = new CandleArchive(folder, options.disk);
  }

  /**
   * Adds candles, ascending, and stretches of which the exchange said that it has none. Candles that are stored already stay as they are. Cheap when they
   * come after what is stored. Throws `disk_full`, `archive_unwritable`; what was stored before is then whole.
   */
  append(key: SeriesKey, candles: CandleColumns, gaps: readonly Range[] = []): void {
    for (const { period, part, partGaps } of byPeriod(key, candles, gaps)) {
      const tail = this.#tail(key, period);
      const first = Math.min(part.length > 0 ? ordinalOf(key.interval, part.openTime[0]!) : Infinity, partGaps[0]?.from ?? Infinity);
      if (tail.sealed || first <= tail.last) {
        this.merge([{ key, candles: part, gaps: partGaps }], { onConflict: 'stored' });
        continue;
      }
      const path = this.archive.path(key, period.name);
      const bytes = concat([...(tail.bytes === 0 ? [openHeader(key, period)] : []), ...encodeGaps(partGaps), ...encodeCandles(key.interval, part)]);
      this.#disk.append(path, tail.bytes, bytes);
      this.#unsynced.add(path);
      tail.bytes += bytes.byteLength;
      tail.covered += part.length + span(partGaps);
      tail.last = Math.max(tail.last, part.length > 0 ? ordinalOf(key.interval, part.openTime[part.length - 1]!) : -Infinity, (partGaps.at(-1)?.to ?? -Infinity) - 1);
      // The period is complete: written anew, in large blocks and sealed.
      if (tail.covered >= period.to - period.from) this.merge([{ key, candles: part, gaps: partGaps }], { onConflict: 'stored' });
    }
  }

  /**
   * Adds candles and gaps wherever they belong, all or none: every file is written beside the old one first, then all are put in place. Throws
   * `candles_conflict`, `disk_full`, `archive_unwritable`, with nothing changed.
   */
  merge(entries: readonly MergeEntry[], { onConflict }: MergeOptions): MergeResult {
    const result = { added: 0, replaced: 0 };
    const staged: { from: string; path: string }[] = [];
    try {
      for (const { key, candles, gaps } of entries) {
        for (const { period, part, partGaps } of byPeriod(key, candles, gaps)) {
          const stored = this.#healthy(key, period);
          const merged = mergeCandles(stored ? candlesIn(stored, key.interval) : allocateColumns(0), part, onConflict === 'refuse' ? 'stored' : onConflict);
          if (onConflict === 'refuse' && merged.firstDiffering !== undefined) throw conflict(key, merged.firstDiffering, merged.differing);
          result.added += merged.added;
          result.replaced += merged.replaced;
          const path = this.archive.path(key, period.name);
          staged.push({ from: this.#disk.stage(path, encodedFile(key, period, merged.candles, union([...stored?.gaps ?? [], ...partGaps]))), path });
        }
      }
    } catch (error) {
      for (const { from } of staged) this.#disk.remove(from);
      throw error;
    }
    for (const { from, path } of staged) {
      this.#tails.delete(path);
      this.#unsynced.delete(path);
      this.#disk.commit(from, path);
    }
    return result;
  }

  /** Brings a file in order: cuts a half-written end off, or sets a damaged file aside and keeps what is intact of it. Undefined when nothing was wrong. */
  heal(key: SeriesKey, period: string): Healed | undefined {
    const path = this.archive.path(key, period);
    const segment = this.archive.segment(key, period);
    if (!segment || segment.damage.length === 0) return undefined;
    this.#tails.delete(path);
    const torn = segment.damage.every(({ kind }) => kind === 'torn');
    if (!torn) this.#setAside(key, period, segment);
    else if (segment.header) this.#disk.append(path, segment.intactBytes, new Uint8Array());
    else this.#disk.remove(path);
    const healed = { key, period, damage: segment.damage, keptAs: torn ? undefined : path + DAMAGED };
    this.#onHealed(healed);
    return healed;
  }

  /** Heals a file, and seals it if it is complete: a writer that was killed may not have come to it. */
  finish(key: SeriesKey, name: string): void {
    this.heal(key, name);
    const segment = this.archive.segment(key, name);
    const { candles, gaps } = segment ? coverageOf(segment) : { candles: [], gaps: [] };
    const covered = union([...candles, ...gaps]);
    if (!segment?.header || segment.header.sealed || span(clip(covered, segment.header)) < segment.header.to - segment.header.from) return;
    this.merge([{ key, candles: candlesIn(segment, key.interval), gaps }], { onConflict: 'stored' });
  }

  /** Brings everything appended so far safely to the disk. */
  sync(): void {
    for (const path of this.#unsynced) this.#disk.sync(path);
    this.#unsynced.clear();
  }

  /** Syncs and lets the lock go. */
  close(): void {
    try {
      this.sync();
    } finally {
      this.#lock.release();
    }
  }

  #tail(key: SeriesKey, period: Period): Tail {
    const path = this.archive.path(key, period.name);
    let tail = this.#tails.get(path);
    if (!tail) {
      const segment = this.#healthy(key, period);
      const covered = segment ? union([...coverageOf(segment).candles, ...segment.gaps]) : [];
      tail = { bytes: segment?.intactBytes ?? 0, last: (covered.at(-1)?.to ?? -Infinity) - 1, covered: span(covered), sealed: segment?.header?.sealed !== undefined };
      this.#tails.set(path, tail);
    }
    return tail;
  }

  /** The file as it is after healing; undefined when there is none. What a killed writer has left beside it goes. */
  #healthy(key: SeriesKey, period: Period): Segment | undefined {
    this.#disk.remove(this.archive.path(key, period.name) + STAGED);
    this.heal(key, period.name);
    return this.archive.segment(key, period.name);
  }

  /** A copy of the damaged file stays beside, and what is intact of it takes its place. */
  #setAside(key: SeriesKey, name: string, segment: Segment): void {
    const path = this.archive.path(key, name);
    this.#disk.copy(path, path + DAMAGED);
    const first = segment.blocks[0]?.first ?? segment.gaps[0]?.from;
    const period = first === undefined ? undefined : periodOf(key.interval, first);
    if (period?.name === name) this.#disk.commit(this.#disk.stage(path, encodedFile(key, period, candlesIn(segment, key.interval), segment.gaps)), path);
    else this.#disk.remove(path);
  }
}

function conflict(key: SeriesKey, openTime: number, count: number): TradeMindError {
  return new TradeMindError({
    code: 'candles_conflict', field: 'openTime',
    message: `The archive holds other values for ${count} of these ${key.symbol} ${key.interval} candles, first at ${new Date(openTime).toISOString()}. Nothing was changed.`,
    nextStep: 'Use --replace if these are the right ones.',
  });
}
