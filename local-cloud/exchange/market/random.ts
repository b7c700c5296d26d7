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

/** Values of a distribution at the middles of so many equal shares of chance: a draw is then one look-up. */
const SHARES = 8_192;
const NORMALS = Float64Array.from({ length: SHARES }, (_, i) => inverseNormal((i + 0.5) / SHARES));
const EXPONENTIALS = Float64Array.from({ length: SHARES }, (_, i) => -Math.log(1 - (i + 0.5) / SHARES));

const LOGNORMALS = NORMALS.map(Math.exp);

export interface Draws { uniform(): number; normal(): number; exponential(): number; lognormal(): number }

/** A fast stream of numbers that is wholly given by its key (mulberry32). Normal numbers reach to about 3.9, exponential ones to 9.7. */
export function generator(key: number): Draws {
  let state = key | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    uniform: () => next() / 0x1_0000_0000,
    normal: () => NORMALS[next() >>> 19] as number,
    lognormal: () => LOGNORMALS[next() >>> 19] as number,
    exponential: () => EXPONENTIALS[next() >>> 19] as number,
  };
}

/** The number below which a standard normal one lies with chance `p`, by bisection: it is asked for once per table entry. */
function inverseNormal(p: number): number {
  let [low, high] = [-6, 6];
  while (high - low > 1e-9) {
    const middle = (low + high) / 2;
    if (normalShare(middle) < p) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** The chance that a standard normal number lies below `x` (Zelen and Severo, Abramowitz and Stegun 26.2.17; error below 7.5e-8). */
function normalShare(x: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(x));
  const tail = (Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)) * t * (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  return x > 0 ? 1 - tail : tail;
}
