/**
 * A 32-bit checksum: FNV-1a (G. Fowler, L. C. Noll, K.-P. Vo, 1991). Every step can be undone, so that one changed byte always shows. Against accidents, not against intent.
 */
export function checksumOf(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < bytes.length; index++) hash = Math.imul(hash ^ bytes[index]!, 0x01000193);
  return hash >>> 0;
}

const encoder = new TextEncoder();

/** The checksum of a text's UTF-8. */
export const checksumOfText = (text: string): number => checksumOf(encoder.encode(text));
