/**
 * Sums kept in two doubles, high + low (about 106 bits): sums of prices are exact, so they neither drift nor depend on where they began. The
 * two halves lie side by side in the state. Source: T. J. Dekker, "A floating-point technique for extending the available precision", 1971; D. Knuth's TwoSum.
 */

/** Writes the pair at `before` plus x (and x's own rounding error) to the pair at `at`. */
export function addExact(s: Float64Array, before: number, at: number, x: number, error: number): void {
  const high = s[before]!;
  const sum = high + x;
  const part = sum - high;
  const low = s[before + 1]! + error + (high - (sum - part) + (x - part));
  const result = sum + low;
  s[at] = result;
  s[at + 1] = low - (result - sum);
}

/** The rounding error of `difference` = a − b. */
export function differenceError(a: number, b: number, difference: number): number {
  const part = difference - a;
  return a - (difference - part) - (b + part);
}

/** The pair at `now` minus the pair at `then`, rounded once. */
export function differenceOf(s: Float64Array, now: number, then: number): number {
  const difference = s[now]! - s[then]!;
  return difference + (differenceError(s[now]!, s[then]!, difference) + s[now + 1]! - s[then + 1]!);
}

const SPLITTER = 134_217_729; // 2^27 + 1

/** The rounding error of `product` = a × b (Dekker and Veltkamp), exact while nothing overflows. */
export function productError(a: number, b: number, product: number): number {
  const ta = SPLITTER * a;
  const aHigh = ta - (ta - a);
  const aLow = a - aHigh;
  const tb = SPLITTER * b;
  const bHigh = tb - (tb - b);
  const bLow = b - bHigh;
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
}
