import type { Interval } from '@trademind/core';
import { pack, PACKED_LIMIT } from './bit-packing.ts';
import { expectedQuoteVolume, FLAGS, SCALES_BYTES, DIFFERENCE_LIMIT } from './block-shape.ts';
import { ordinalOf } from './calendar.ts';
import { OPTIONAL_COLUMNS, type CandleColumns } from './columns.ts';
import { powerOf, RAW, scaleColumns } from './decimal-scale.ts';

export interface EncodedBlock { flags: number; first: number; last: number; count: number; payload: Uint8Array }

/**
 * The payload of a block: eight bytes of scales (prices, volume, quoteVolume, trades, takerBuy), then its columns, each packed or raw:
 * skips (only where candles are missing in between: how many before each), open − previous close, close − open, high − max(open, close),
 * min(open, close) − low, volume, quoteVolume − volume × hlc3, trades, takerBuy. An optional column that is NaN throughout is left out.
 */
export function encodeBlock(interval: Interval, candles: CandleColumns): EncodedBlock {
  const count = candles.length;
  const ordinals = Float64Array.from(candles.openTime, (openTime) => ordinalOf(interval, openTime));
  const skips = ordinals.map((ordinal, i) => (i === 0 ? 0 : ordinal - ordinals[i - 1]! - 1));
  const scales = new Uint8Array(SCALES_BYTES);
  const parts: Uint32Array[] = [];
  let flags = 0;
  if (skips.some((skip) => skip > 0)) {
    flags |= FLAGS.skips;
    parts.push(pack(skips, count, false));
  }
  scales[0] = packPrices(candles, parts);
  scales[1] = packAmounts(candles.volume, parts);
  for (const [index, name] of OPTIONAL_COLUMNS.entries()) {
    const column = candles[name];
    if (column.every(Number.isNaN)) continue;
    flags |= FLAGS[name];
    scales[2 + index] = name === 'quoteVolume' ? packQuoteVolume(candles, parts) : packAmounts(column, parts);
  }
  return { flags, first: ordinals[0]!, last: ordinals[count - 1]!, count, payload: payloadOf(scales, parts) };
}

/** Whole multiples of eight bytes, so that the next frame stands aligned. */
function payloadOf(scales: Uint8Array, parts: readonly Uint32Array[]): Uint8Array {
  const words = parts.reduce((sum, part) => sum + part.length, 0);
  const payload = new Uint8Array(SCALES_BYTES + Math.ceil(words / 2) * 8);
  payload.set(scales);
  let at = SCALES_BYTES;
  for (const part of parts) {
    payload.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += part.byteLength;
  }
  return payload;
}

const rawWords = (column: Float64Array) => new Uint32Array(column.slice().buffer);

function packPrices({ length, open, high, low, close }: CandleColumns, parts: Uint32Array[]): number {
  const scaled = scaleColumns([open, high, low, close], DIFFERENCE_LIMIT / 2);
  if (scaled) {
    const [o, h, l, c] = scaled.units as [Float64Array, Float64Array, Float64Array, Float64Array];
    const above = h.map((high, i) => high - Math.max(o[i]!, c[i]!));
    const below = l.map((low, i) => Math.min(o[i]!, c[i]!) - low);
    // A high below its open is no candle, but what was stored must come back: such a block stays raw.
    if (above.every((x) => x >= 0) && below.every((x) => x >= 0)) {
      const opens = o.map((price, i) => price - (i === 0 ? 0 : c[i - 1]!));
      const closes = c.map((price, i) => price - o[i]!);
      parts.push(pack(opens, length, true), pack(closes, length, true), pack(above, length, false), pack(below, length, false));
      return scaled.scale;
    }
  }
  parts.push(rawWords(open), rawWords(close), rawWords(high), rawWords(low));
  return RAW;
}

function packAmounts(column: Float64Array, parts: Uint32Array[]): number {
  const scaled = scaleColumns([column], PACKED_LIMIT);
  const units = scaled?.units[0];
  if (scaled && units?.every((n) => n >= 0)) {
    parts.push(pack(units, column.length, false));
    return scaled.scale;
  }
  parts.push(rawWords(column));
  return RAW;
}

/** Quote volume is near volume × hlc3: only the difference is stored. */
function packQuoteVolume(candles: CandleColumns, parts: Uint32Array[]): number {
  const scaled = scaleColumns([candles.quoteVolume], PACKED_LIMIT);
  if (scaled) {
    const power = powerOf(scaled.scale);
    const differences = scaled.units[0]!.map((n, i) => n - expectedQuoteVolume(candles, i, power));
    if (differences.every((difference) => Math.abs(difference) < DIFFERENCE_LIMIT)) {
      parts.push(pack(differences, candles.length, true));
      return scaled.scale;
    }
  }
  parts.push(rawWords(candles.quoteVolume));
  return RAW;
}
