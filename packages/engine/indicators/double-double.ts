/**
 * Sums kept in two doubles (about 106 bits): a running window sum of prices is exact, so it neither drifts nor depends on where it began.
 * The two halves lie side by side in the state at `at` and `at + 1`. Source: T. J. Dekker, "A floating-point technique for extending the
 * available precision", 1971; D. Knuth's TwoSum.
 */
export function addExact(s: Float64Array, at: number, x: number): void {
  const high = s[at]!;
  const sum = high + x;
  const part = sum - high;
  const low = s[at + 1]! + (high - (sum - part) + (x - part));
  const result = sum + low;
  s[at] = result;
  s[at + 1] = low - (result - sum);
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

/** (high + low) / n, rounded once: n equal values have exactly that value as their mean. */
export function meanExact(high: number, low: number, n: number): number {
  const quotient = high / n;
  const product = quotient * n;
  const rest = high - product - productError(quotient, n, product) + low;
  return quotient + rest / n;
}
