/**
 * A window of the last n values in the state: [position, filled, unready, ring of n …]. A value that is not finite counts as unready
 * and as 0 in sums; while one is in the window, what is computed over it is not ready.
 */
export const WINDOW_HEAD = 3;

/** Doubles of state for a window of n. */
export const windowSize = (n: number): number => WINDOW_HEAD + n;

/** Takes `x` (finite, or NaN for unready) into the window at `at`; answers what fell out, NaN where that was unready or nothing. */
export function slide(s: Float64Array, at: number, n: number, x: number): number {
  const position = s[at]!;
  const cell = at + WINDOW_HEAD + position;
  let gone = Number.NaN;
  if (s[at + 1]! < n) s[at + 1]!++;
  else {
    gone = s[cell]!;
    if (gone !== gone) s[at + 2]!--;
  }
  if (x !== x) s[at + 2]!++;
  s[cell] = x;
  s[at] = position + 1 === n ? 0 : position + 1;
  return gone;
}

/** Whether n ready values are in the window. */
export const isFull = (s: Float64Array, at: number, n: number): boolean => s[at + 1] === n && s[at + 2] === 0;

/** NaN for what is not finite. */
export const ready = (x: number): number => (x - x === 0 ? x : Number.NaN);
