/**
 * A 32-bit checksum: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo, 1991). Every step can be undone, so that one changed byte always shows. Against accidents, not against intent.
 */
export function checksumOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < bytes.length; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return hash >>> 0;
}

/**
 * The same over words of four bytes, in the computer's own order, and the bytes that are left: four times as fast. The bytes must begin at a multiple of four in their buffer.
 * @param before the checksum of what lies before them, a multiple of four bytes: the answer is then that of both
 */
export function checksumOfWords(bytes: Uint8Array, before = 0x811c9dc5): number {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >> 2);
  let hash = before;
  for (let index = 0; index < words.length; index++) hash = Math.imul(hash ^ words[index]!, 0x01000193);
  for (let index = words.length * 4; index < bytes.length; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return hash >>> 0;
}

const encoder = new TextEncoder();

/** The checksum of a text's UTF-8. */
export const checksumOfText = (text: string): number => checksumOf(encoder.encode(text));
