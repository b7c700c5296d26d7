import { TradeMindError } from '@trademind/core';
import { checksumOfWords } from '../checksum.ts';

/** Another layout of the bytes is another digit. */
const LAYOUT = '4';
/**
 * What the indicators compute, as `testing/arithmetic-digest.ts` has it: a state that was computed otherwise would mislead. A test holds that it is what they compute today; whoever changes their arithmetic
 * records it anew, and snapshots of before are refused.
 */
export const ARITHMETIC = '1nx72';
/** Says what these bytes are, which layout they have, and by which arithmetic their states came about. */
const MAGIC = `TM${LAYOUT}${ARITHMETIC}`;
/** Bytes before the header: the magic word, the header's length, the checksum of all that follows. */
const PREFIX = 16;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Where numbers lie in a snapshot. */
export interface SavedNumbers { readonly at: number; readonly length: number }

/** Gathers numbers and says where each run of them lies; what a reader needs to find its way goes into the header. */
export class SnapshotWriter {
  readonly #parts: Float64Array[] = [];
  #length = 0;

  /** Takes numbers in; their place. */
  add(numbers: Float64Array): SavedNumbers {
    const at = this.#length;
    this.#parts.push(numbers);
    this.#length += numbers.length;
    return { at, length: numbers.length };
  }

  /** All of it in parts, which make up the snapshot end to end: magic, checksum and header (JSON), then the numbers as they were given, so that none is held twice. */
  parts(header: unknown): Uint8Array[] {
    const text = encoder.encode(JSON.stringify(header));
    const head = new Uint8Array(PREFIX + Math.ceil(text.length / 8) * 8);
    head.set(encoder.encode(MAGIC));
    head.set(text, PREFIX);
    const numbers = this.#parts.map((part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength));
    const checksum = numbers.reduce((before, part) => checksumOfWords(part, before), checksumOfWords(head.subarray(PREFIX)));
    const view = new DataView(head.buffer);
    view.setUint32(8, text.length, true);
    // The header's length counts too.
    view.setUint32(12, (checksum ^ text.length) >>> 0, true);
    return [head, ...numbers];
  }

  /** The same in one. */
  finish(header: unknown): Uint8Array {
    const parts = this.parts(header);
    const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}

/** Reads what a writer wrote. Throws `snapshot_unreadable` for bytes that are something else, torn or damaged. */
export class SnapshotReader {
  /** As it was written; whoever reads it knows the shape by the magic word. */
  readonly header: unknown;
  readonly #numbers: Float64Array;

  constructor(given: Uint8Array) {
    // Numbers are read where they lie, which is as a file is read; bytes that lie elsewhere in somebody's memory are copied.
    const bytes = given.byteOffset % 8 === 0 ? given : new Uint8Array(given);
    const unreadable = (why: string): TradeMindError =>
      new TradeMindError({ code: 'snapshot_unreadable', message: `The snapshot cannot be read: ${why}.`, nextStep: 'Start without it: everything is computed again from candles.' });
    if (bytes.length < PREFIX || decoder.decode(bytes.subarray(0, 8)) !== MAGIC) throw unreadable('it is none of this version');
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const length = view.getUint32(8, true);
    const body = PREFIX + Math.ceil(length / 8) * 8;
    if (body > bytes.length || (bytes.length - body) % 8 !== 0 || view.getUint32(12, true) !== (checksumOfWords(bytes.subarray(PREFIX)) ^ length) >>> 0) throw unreadable('it is torn or damaged');
    this.header = JSON.parse(decoder.decode(bytes.subarray(PREFIX, PREFIX + length)));
    this.#numbers = new Float64Array(bytes.buffer, bytes.byteOffset + body, (bytes.length - body) / 8);
  }

  /** Numbers at a place that a writer gave, where they lie in the snapshot: whoever keeps them copies them. */
  at(place: SavedNumbers): Float64Array {
    return this.#numbers.subarray(place.at, place.at + place.length);
  }
}
