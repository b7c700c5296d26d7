/**
 * Whole numbers packed with as many bits as the largest of each group of 64 needs. Of a number above 32 bits the low word lies plain and only
 * the rest is packed, so that all work is done in 32-bit words. A column is: one byte per group (its width), padded to whole words, then the groups.
 * The idea is that of frame-of-reference codecs (Zukowski et al., "Super-Scalar RAM-CPU Cache Compression", 2006).
 */
const GROUP = 64;
const WORD = 2 ** 32;
/** Exclusive bound of what can be packed; of signed numbers half of it each way. */
export const PACKED_LIMIT = 2 ** 53;

const groupsOf = (count: number) => Math.ceil(count / GROUP);
const widthWords = (count: number) => Math.ceil(groupsOf(count) / 4);
const bitsOf = (value: number) => (value < WORD ? 32 - Math.clz32(value) : 64 - Math.clz32(value / WORD));

/** Signed to unsigned, small magnitudes to small numbers: 0, -1, 1, -2 → 0, 1, 2, 3. */
const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value);

/**
 * Packs `count` whole numbers: |value| < 2^52 when signed, 0 ≤ value < 2^53 otherwise (the caller has checked). The words can be written as they are.
 */
export function pack(values: ArrayLike<number>, count: number, signed: boolean): Uint32Array {
  const head = widthWords(count);
  const words = new Uint32Array(head + 2 * count);
  const widths = new Uint8Array(words.buffer, 0, head * 4);
  const group = new Float64Array(GROUP);
  let at = head;
  for (let g = 0; g * GROUP < count; g++) {
    const n = Math.min(GROUP, count - g * GROUP);
    let width = 0;
    for (let i = 0; i < n; i++) {
      const value = values[g * GROUP + i]!;
      group[i] = signed ? zigzag(value) : value;
      width = Math.max(width, bitsOf(group[i]!));
    }
    widths[g] = width;
    if (width > 32) for (let i = 0; i < n; i++) words[at++] = group[i]! % WORD;
    at = packWords(group, n, width > 32 ? width - 32 : width, width > 32 ? WORD : 1, words, at);
  }
  return words.subarray(0, at);
}

function packWords(group: Float64Array, n: number, width: number, divisor: number, words: Uint32Array, at: number): number {
  for (let i = 0, bit = 0; i < n; i++, bit += width) {
    const value = Math.floor(group[i]! / divisor);
    const word = at + (bit >>> 5);
    const shift = bit & 31;
    if (width > 0) words[word]! |= value << shift;
    if (shift + width > 32) words[word + 1] = value >>> (32 - shift);
  }
  return at + Math.ceil((n * width) / 32);
}

/**
 * Unpacks `count` numbers into `into` from index `start` on. Answers where in `words` the column ends. Throws a RangeError where the words end before:
 * a checksum has passed, so the block was written wrong.
 */
export function unpack(words: Uint32Array, at: number, count: number, signed: boolean, into: Float64Array, start: number): number {
  const head = at + widthWords(count);
  if (head > words.length) throw new RangeError('A packed column ends within its widths.');
  let next = head;
  for (let g = 0; g * GROUP < count; g++) {
    const n = Math.min(GROUP, count - g * GROUP);
    const width = (words[at + (g >>> 2)]! >>> ((g & 3) * 8)) & 255;
    const size = width > 32 ? n + Math.ceil((n * (width - 32)) / 32) : Math.ceil((n * width) / 32);
    if (next + size > words.length || width > 53) throw new RangeError('A packed column ends within a group.');
    const to = start + g * GROUP;
    if (width === 0) into.fill(0, to, to + n);
    else if (width > 32) unpackWide(words, next, n, width - 32, signed, into, to);
    else if (signed) unpackSigned(words, next, n, width, into, to);
    else unpackUnsigned(words, next, n, width, into, to);
    next += size;
  }
  return next;
}

function unpackUnsigned(words: Uint32Array, at: number, n: number, width: number, into: Float64Array, start: number): void {
  const mask = width === 32 ? -1 : (1 << width) - 1;
  for (let i = 0, bit = 0; i < n; i++, bit += width) {
    const word = at + (bit >>> 5);
    const shift = bit & 31;
    let value = words[word]! >>> shift;
    if (shift + width > 32) value |= words[word + 1]! << (32 - shift);
    into[start + i] = (value & mask) >>> 0;
  }
}

function unpackSigned(words: Uint32Array, at: number, n: number, width: number, into: Float64Array, start: number): void {
  const mask = width === 32 ? -1 : (1 << width) - 1;
  for (let i = 0, bit = 0; i < n; i++, bit += width) {
    const word = at + (bit >>> 5);
    const shift = bit & 31;
    let value = words[word]! >>> shift;
    if (shift + width > 32) value |= words[word + 1]! << (32 - shift);
    value &= mask;
    into[start + i] = (value >>> 1) ^ -(value & 1);
  }
}

function unpackWide(words: Uint32Array, at: number, n: number, width: number, signed: boolean, into: Float64Array, start: number): void {
  unpackUnsigned(words, at + n, n, width, into, start);
  for (let i = 0; i < n; i++) {
    const low = words[at + i]!;
    const value = into[start + i]! * WORD + low;
    into[start + i] = !signed ? value : (low & 1) === 1 ? -(value + 1) / 2 : value / 2;
  }
}
