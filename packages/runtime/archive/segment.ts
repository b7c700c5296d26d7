import { TradeMindError, type Interval } from '@trademind/core';
import { decodeBlock, rangesOf } from './block-decode.ts';
import { encodeBlock } from './block-encode.ts';
import { BLOCK_CANDLES } from './block-shape.ts';
import type { Period, Range } from './calendar.ts';
import { allocateColumns, sliceColumns, type CandleColumns } from './columns.ts';
import { encodeFrame, endOf, frameAt, isWhole, nextFrameAt, payloadOf, type Frame } from './frame.ts';
import { decodeHeader, encodeHeader, FORMAT_VERSION, HEADER_BYTES, type SegmentHeader } from './segment-header.ts';
import { span, subtract, union } from './ranges.ts';

/** One symbol's candles of one interval. */
export interface SeriesKey { symbol: string; interval: Interval }

/**
 * What is wrong in a file. `torn`: its end is half-written, as after a crash (nothing before it is touched). `header`, `block`: bytes there do not match
 * their checksum. `cut`: a finished file has lost blocks. `order`: a block does not come after the one before it.
 */
export interface Damage {
  kind: 'torn' | 'header' | 'block' | 'cut' | 'order';
  at: number;
  bytes: number;
  /** The candles that lay there, by ordinals, where that can still be read. */
  lost?: Range;
}

/** A segment file, looked through: its intact blocks in order, its gaps, and what is damaged. */
export interface Segment {
  bytes: Uint8Array;
  header: SegmentHeader | undefined;
  blocks: Frame[];
  /** Stretches of which the exchange itself said that it has no candles. */
  gaps: Range[];
  damage: Damage[];
  /** Up to here everything is intact: where an unfinished file goes on. */
  intactBytes: number;
}

/** Frames of at most BLOCK_CANDLES candles each. */
export function encodeCandles(interval: Interval, candles: CandleColumns): Uint8Array[] {
  const frames: Uint8Array[] = [];
  for (let from = 0; from < candles.length; from += BLOCK_CANDLES) {
    const { payload, ...facts } = encodeBlock(interval, sliceColumns(candles, from, Math.min(candles.length, from + BLOCK_CANDLES)));
    frames.push(encodeFrame({ kind: 'candles', ...facts }, payload));
  }
  return frames;
}

/** One frame for these gaps; none for no gap. Its payload is pairs of ordinals (from, to). */
export function encodeGaps(gaps: readonly Range[]): Uint8Array[] {
  const [first, last] = [gaps[0], gaps.at(-1)];
  if (!first || !last) return [];
  const pairs = Int32Array.from(gaps.flatMap(({ from, to }) => [from, to]));
  return [encodeFrame({ kind: 'gaps', flags: 0, count: gaps.length, first: first.from, last: last.to - 1 }, new Uint8Array(pairs.buffer))];
}

/** The header of a file that is still written to. */
export function openHeader(key: SeriesKey, { from, to }: Range): Uint8Array {
  return encodeHeader({ version: FORMAT_VERSION, ...key, from, to, sealed: undefined });
}

/** A whole file. It is sealed when every candle of its period is there or known never to have been. */
export function encodeSegment(key: SeriesKey, period: Period, candles: CandleColumns, gaps: readonly Range[]): Uint8Array {
  const frames = [...encodeGaps(gaps), ...encodeCandles(key.interval, candles)];
  const bytes = HEADER_BYTES + frames.reduce((sum, frame) => sum + frame.byteLength, 0);
  const complete = candles.length + span(gaps) === period.to - period.from;
  const sealed = complete ? { candles: candles.length, gaps: gaps.length, bytes } : undefined;
  return concat([encodeHeader({ version: FORMAT_VERSION, ...key, from: period.from, to: period.to, sealed }), ...frames]);
}

/** One array of all bytes, in their order. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * Looks a file through. Every byte is covered by a checksum; what does not match is named in `damage`, and reading goes on at the next frame that stands.
 * Throws `archive_newer` for a file of a later version.
 */
export function scanSegment(bytes: Uint8Array): Segment {
  const header = decodeHeader(bytes);
  if (header && header.version !== FORMAT_VERSION) {
    throw new TradeMindError({ code: 'archive_newer', message: `The candle archive was written in format ${header.version}; this program reads format ${FORMAT_VERSION}.`, nextStep: 'Use the newer version of this program.' });
  }
  const segment: Segment = { bytes, header, blocks: [], gaps: [], damage: [], intactBytes: header ? HEADER_BYTES : 0 };
  if (!header) segment.damage.push({ kind: bytes.byteLength < HEADER_BYTES ? 'torn' : 'header', at: 0, bytes: Math.min(HEADER_BYTES, bytes.byteLength) });
  for (let at = HEADER_BYTES; at < bytes.byteLength;) at = take(segment, at);
  segment.gaps = union(segment.gaps);
  if (header?.sealed) checkTotals(segment, header.sealed);
  return segment;
}

/** Takes in the frame at `at`, or notes the damage there; answers where to look next. */
function take(segment: Segment, at: number): number {
  const { bytes, blocks, damage, header } = segment;
  const frame = frameAt(bytes, at);
  if (frame && isWhole(bytes, frame) && isPlausible(frame)) {
    const before = blocks.at(-1);
    if (frame.kind === 'gaps') {
      const pairs = payloadOf(bytes, frame);
      const view = new DataView(pairs.buffer, pairs.byteOffset);
      for (let i = 0; i < frame.count; i++) segment.gaps.push({ from: view.getInt32(i * 8, true), to: view.getInt32(i * 8 + 4, true) });
    } else if (before && frame.first <= before.last) damage.push({ kind: 'order', at, bytes: endOf(frame) - at });
    else blocks.push(frame);
    if (damage.length === 0) segment.intactBytes = endOf(frame);
    return endOf(frame);
  }
  // A frame whose own 32 bytes are whole may be believed about its length; otherwise the next one is searched for.
  const next = frame && endOf(frame) <= bytes.byteLength ? endOf(frame) : nextFrameAt(bytes, at + 8);
  const torn = next >= bytes.byteLength && header?.sealed === undefined;
  damage.push({ kind: torn ? 'torn' : 'block', at, bytes: next - at, ...(frame ? { lost: { from: frame.first, to: frame.last + 1 } } : {}) });
  return next;
}

/** A checksum cannot tell that a block was written wrong; what decoding it needs is looked at. */
function isPlausible({ kind, count, first, last, payloadBytes }: Frame): boolean {
  if (kind === 'gaps') return payloadBytes === count * 8;
  return count > 0 && count <= BLOCK_CANDLES && last - first + 1 >= count;
}

function checkTotals({ bytes, blocks, gaps, damage }: Segment, totals: NonNullable<SegmentHeader['sealed']>): void {
  if (damage.length > 0) return;
  const candles = blocks.reduce((sum, block) => sum + block.count, 0);
  if (bytes.byteLength === totals.bytes && candles === totals.candles && gaps.length === totals.gaps) return;
  damage.push({ kind: 'cut', at: bytes.byteLength, bytes: Math.max(0, totals.bytes - bytes.byteLength) });
}

/** Decodes blocks one after the other into columns from index `start` on. Answers the index after the last. */
export function decodeBlocks({ bytes }: Segment, interval: Interval, blocks: readonly Frame[], into: CandleColumns, start: number): number {
  let at = start;
  for (const frame of blocks) {
    decodeBlock(interval, frame, payloadOf(bytes, frame), into, at);
    at += frame.count;
  }
  return at;
}

/** Every intact candle of a file. */
export function candlesIn(segment: Segment, interval: Interval): CandleColumns {
  const candles = allocateColumns(segment.blocks.reduce((sum, block) => sum + block.count, 0));
  decodeBlocks(segment, interval, segment.blocks, candles, 0);
  return candles;
}

/** The stretches of candles in a file, and the gaps that no candle contradicts. */
export function coverageOf(segment: Segment): { candles: Range[]; gaps: Range[] } {
  const candles = union(segment.blocks.flatMap((frame) => rangesOf(frame, payloadOf(segment.bytes, frame))));
  return { candles, gaps: subtract(segment.gaps, candles) };
}

