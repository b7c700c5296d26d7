import { crc32 } from 'node:zlib';

/** Everything in a segment after its header is a frame: 32 bytes that say what follows, and a payload of whole multiples of eight bytes. */
export const FRAME_BYTES = 32;
/** "TMBF", little-endian. */
const MAGIC = 0x46_42_4d_54;
const ALIGN = 8;

export type FrameKind = 'candles' | 'gaps';
const KINDS: readonly FrameKind[] = ['candles', 'gaps'];

/** `first` and `last` are ordinals (both included); `count` counts candles, or gaps. */
export interface FrameFacts { kind: FrameKind; flags: number; count: number; first: number; last: number }
export interface Frame extends FrameFacts { payloadAt: number; payloadBytes: number; payloadCrc: number }

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A frame as it is written. Offsets: 0 magic, 4 kind, 5 flags, 8 count, 12 first, 16 last, 20 payload bytes, 24 payload CRC-32, 28 CRC-32 of the 28 before. */
export function encodeFrame(facts: FrameFacts, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(FRAME_BYTES + payload.byteLength);
  const view = viewOf(bytes);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, KINDS.indexOf(facts.kind));
  view.setUint8(5, facts.flags);
  view.setUint32(8, facts.count, true);
  view.setInt32(12, facts.first, true);
  view.setInt32(16, facts.last, true);
  view.setUint32(20, payload.byteLength, true);
  view.setUint32(24, crc32(payload), true);
  view.setUint32(28, crc32(bytes.subarray(0, 28)), true);
  bytes.set(payload, FRAME_BYTES);
  return bytes;
}

/** The frame that begins at `at`; undefined when none does, or its first 32 bytes are damaged. Its payload may be damaged or cut off: see `isWhole`. */
export function frameAt(bytes: Uint8Array, at: number): Frame | undefined {
  if (at + FRAME_BYTES > bytes.byteLength) return undefined;
  const view = viewOf(bytes);
  const kind = KINDS[view.getUint8(at + 4)];
  if (view.getUint32(at, true) !== MAGIC || kind === undefined || view.getUint32(at + 28, true) !== crc32(bytes.subarray(at, at + 28))) return undefined;
  return {
    kind, flags: view.getUint8(at + 5), count: view.getUint32(at + 8, true), first: view.getInt32(at + 12, true), last: view.getInt32(at + 16, true),
    payloadAt: at + FRAME_BYTES, payloadBytes: view.getUint32(at + 20, true), payloadCrc: view.getUint32(at + 24, true),
  };
}

/** True when the frame's payload is all there and equals its checksum. */
export function isWhole(bytes: Uint8Array, frame: Frame): boolean {
  return endOf(frame) <= bytes.byteLength && crc32(payloadOf(bytes, frame)) === frame.payloadCrc;
}

/** The payload of a frame, as a view of the same memory; cut off where the bytes end. */
export function payloadOf(bytes: Uint8Array, frame: Frame): Uint8Array {
  return bytes.subarray(frame.payloadAt, endOf(frame));
}

/** Offset of the first byte after a frame. */
export function endOf(frame: Frame): number {
  return frame.payloadAt + frame.payloadBytes;
}

/** Where the next frame begins at or after `at`; the end of the bytes when there is none. Frames stand on multiples of eight. */
export function nextFrameAt(bytes: Uint8Array, at: number): number {
  for (let place = Math.ceil(at / ALIGN) * ALIGN; place + FRAME_BYTES <= bytes.byteLength; place += ALIGN) {
    if (frameAt(bytes, place) !== undefined) return place;
  }
  return bytes.byteLength;
}
