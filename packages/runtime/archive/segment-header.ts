import { crc32 } from 'node:zlib';
import { INTERVALS, type Interval } from '@trademind/core';

/** A segment file begins with a header of 128 bytes. */
export const HEADER_BYTES = 128;
export const FORMAT_VERSION = 1;
const MAGIC = 'TMCANDLE';
const SYMBOL_AT = 56;
const CRC_AT = 124;
/** Bytes of UTF-8 that a symbol may have. */
export const SYMBOL_BYTES = CRC_AT - SYMBOL_AT;

/** What a file is; a sealed one is finished, and also says what all of it holds, so that a part that is cut off is missed. */
export interface SegmentHeader {
  version: number;
  symbol: string;
  interval: Interval;
  /** Ordinals of the period that the file is for. */
  from: number;
  to: number;
  sealed: Totals | undefined;
}

/** How many candles and gaps, and the bytes of the whole file. */
export interface Totals { candles: number; gaps: number; bytes: number }

/** Offsets: 0 magic, 8 version, 10 sealed, 11 bytes of the symbol, 12 interval, 16 from, 20 to, 24 candles, 28 gaps, 32 bytes, 56 symbol, 124 CRC-32. */
export function encodeHeader(header: SegmentHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES);
  const view = new DataView(bytes.buffer);
  const symbol = new TextEncoder().encode(header.symbol);
  if (symbol.byteLength > SYMBOL_BYTES) throw new RangeError(`The symbol ${header.symbol} is longer than ${SYMBOL_BYTES} bytes.`);
  bytes.set(new TextEncoder().encode(MAGIC));
  view.setUint16(8, header.version, true);
  view.setUint8(11, symbol.byteLength);
  bytes.set(new TextEncoder().encode(header.interval), 12);
  view.setInt32(16, header.from, true);
  view.setInt32(20, header.to, true);
  if (header.sealed) {
    const { candles, gaps, bytes: size } = header.sealed;
    view.setUint8(10, 1);
    view.setUint32(24, candles, true);
    view.setUint32(28, gaps, true);
    view.setFloat64(32, size, true);
  }
  bytes.set(symbol, SYMBOL_AT);
  view.setUint32(CRC_AT, crc32(bytes.subarray(0, CRC_AT)), true);
  return bytes;
}

/** Undefined when the bytes hold no whole header. The version is told as it is: whether it can be read is the caller's question. */
export function decodeHeader(bytes: Uint8Array): SegmentHeader | undefined {
  if (bytes.byteLength < HEADER_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const text = (from: number, to: number) => new TextDecoder().decode(bytes.subarray(from, to)).replace(/\0+$/, '');
  if (text(0, 8) !== MAGIC || view.getUint32(CRC_AT, true) !== crc32(bytes.subarray(0, CRC_AT))) return undefined;
  const interval = INTERVALS.find((candidate) => candidate === text(12, 16));
  if (interval === undefined) return undefined;
  const totals = (): Totals => ({ candles: view.getUint32(24, true), gaps: view.getUint32(28, true), bytes: view.getFloat64(32, true) });
  return {
    version: view.getUint16(8, true), symbol: text(SYMBOL_AT, SYMBOL_AT + view.getUint8(11)), interval,
    from: view.getInt32(16, true), to: view.getInt32(20, true), sealed: view.getUint8(10) === 1 ? totals() : undefined,
  };
}
