/** Seeded randomness: everything simulated is a function of a key, never of what was drawn before elsewhere. */

/** A 32-bit hash of a text (FNV-1a with a final avalanche). */
export function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

/** Spreads the bits of a 32-bit number (murmur3's finaliser). */
export function mix(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A number in [0, 1) that belongs to (key, index). */
export function uniformAt(key: number, index: number): number {
  return mix(mix(key ^ Math.imul(index, 0x9e3779b1)) + index) / 0x1_0000_0000;
}

/** A standard normal number that belongs to (key, index). */
export function normalAt(key: number, index: number): number {
  const u = 1 - uniformAt(key, 2 * index);
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * uniformAt(key, 2 * index + 1));
}
