import type { Interval } from '@trademind/core';
import { unpack } from './bit-packing.ts';
import { expectedQuoteVolume, FLAGS, SCALES_BYTES, type BlockShape } from './block-shape.ts';
import { openTimeOf, type Range } from './calendar.ts';
import { OPTIONAL_COLUMNS, type CandleColumns } from './columns.ts';
import { powerOf, RAW } from './decimal-scale.ts';

/** Decodes a whole block into columns from index `start` on. `payload` must stand on a multiple of four bytes. Throws a RangeError for a block that was written wrong. */
export function decodeBlock(interval: Interval, shape: BlockShape, payload: Uint8Array, into: CandleColumns, start: number): void {
  const { flags, count } = shape;
  const words = new Uint32Array(payload.buffer, payload.byteOffset + SCALES_BYTES, (payload.byteLength - SCALES_BYTES) >>> 2);
  let at = unpackOpenTimes(interval, shape, words, into.openTime, start);
  at = unpackPrices(words, at, count, payload[0]!, into, start);
  at = unpackAmounts(words, at, count, payload[1]!, into.volume, start);
  for (const [index, name] of OPTIONAL_COLUMNS.entries()) {
    const scale = payload[2 + index]!;
    if ((flags & FLAGS[name]) === 0) into[name].fill(Number.NaN, start, start + count);
    else if (name === 'quoteVolume' && scale !== RAW) at = unpackQuoteVolume(words, at, count, scale, into, start);
    else at = unpackAmounts(words, at, count, scale, into[name], start);
  }
}

/** The stretches of a block without a hole in between. */
export function rangesOf({ flags, first, count }: BlockShape, payload: Uint8Array): Range[] {
  if ((flags & FLAGS.skips) === 0) return [{ from: first, to: first + count }];
  const skips = new Float64Array(count);
  unpack(new Uint32Array(payload.buffer, payload.byteOffset + SCALES_BYTES, (payload.byteLength - SCALES_BYTES) >>> 2), 0, count, false, skips, 0);
  const ranges: Range[] = [];
  let from = first;
  for (let i = 1, to = first + 1; i <= count; i++, to++) {
    if (i < count && skips[i] === 0) continue;
    ranges.push({ from, to });
    if (i < count) from = to += skips[i]!;
  }
  return ranges;
}

function unpackOpenTimes(interval: Interval, { flags, first, count }: BlockShape, words: Uint32Array, openTime: Float64Array, start: number): number {
  const skipping = (flags & FLAGS.skips) !== 0;
  if (skipping) {
    const at = unpack(words, 0, count, false, openTime, start);
    for (let i = 0, ordinal = first - 1; i < count; i++) {
      ordinal += openTime[start + i]! + 1;
      openTime[start + i] = openTimeOf(interval, ordinal);
    }
    return at;
  }
  if (interval === '1M') {
    for (let i = 0; i < count; i++) openTime[start + i] = openTimeOf(interval, first + i);
    return 0;
  }
  const origin = openTimeOf(interval, first);
  const length = openTimeOf(interval, first + 1) - origin;
  for (let i = 0; i < count; i++) openTime[start + i] = origin + i * length;
  return 0;
}

function copyRaw(words: Uint32Array, at: number, count: number, into: Float64Array, start: number): number {
  if (at + 2 * count > words.length) throw new RangeError('A raw column ends within a number.');
  new Uint32Array(into.buffer, into.byteOffset + start * 8, 2 * count).set(words.subarray(at, at + 2 * count));
  return at + 2 * count;
}

function unpackPrices(words: Uint32Array, at: number, count: number, scale: number, { open, high, low, close }: CandleColumns, start: number): number {
  if (scale === RAW) {
    let next = at;
    for (const column of [open, close, high, low]) next = copyRaw(words, next, count, column, start);
    return next;
  }
  let next = unpack(words, at, count, true, open, start);
  next = unpack(words, next, count, true, close, start);
  next = unpack(words, next, count, false, high, start);
  next = unpack(words, next, count, false, low, start);
  const power = powerOf(scale);
  for (let i = start, before = 0; i < start + count; i++) {
    const o = before + open[i]!;
    const c = o + close[i]!;
    const top = o > c ? o : c;
    const bottom = o < c ? o : c;
    open[i] = o / power;
    close[i] = c / power;
    high[i] = (top + high[i]!) / power;
    low[i] = (bottom - low[i]!) / power;
    before = c;
  }
  return next;
}

function unpackAmounts(words: Uint32Array, at: number, count: number, scale: number, into: Float64Array, start: number): number {
  if (scale === RAW) return copyRaw(words, at, count, into, start);
  const next = unpack(words, at, count, false, into, start);
  const power = powerOf(scale);
  if (scale > 0) for (let i = start; i < start + count; i++) into[i]! /= power;
  return next;
}

function unpackQuoteVolume(words: Uint32Array, at: number, count: number, scale: number, into: CandleColumns, start: number): number {
  const { quoteVolume } = into;
  const next = unpack(words, at, count, true, quoteVolume, start);
  const power = powerOf(scale);
  for (let i = start; i < start + count; i++) quoteVolume[i] = (expectedQuoteVolume(into, i, power) + quoteVolume[i]!) / power;
  return next;
}
