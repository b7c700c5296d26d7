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

/** A fast stream of numbers that is wholly given by its key (mulberry32; normals by Box and Muller, in pairs). */
export function generator(key: number): { uniform(): number; normal(): number } {
  let state = key | 0;
  let spare: number | null = null;
  const uniform = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 0x1_0000_0000;
  };
  const normal = () => {
    if (spare !== null) {
      const kept = spare;
      spare = null;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };
  return { uniform, normal };
}
