import { RANK } from '../language/frames.ts';
import type { ExternalSlot } from './link-frames.ts';

/** What the symbols that were there were worth at one close: per place the values that were ready, in ascending order. */
export interface Standing {
  readonly closeTime: number;
  /** Who was in. */
  readonly members: ReadonlySet<string>;
  /** Who was missing. */
  readonly missing: readonly string[];
  readonly values: readonly Float64Array[];
}

/** The values that are ready (not NaN), in ascending order. */
export function sorted(values: Float64Array): Float64Array {
  const ordered = values.slice().sort(); // what is not ready comes last
  let ready = ordered.length;
  while (ready > 0 && Number.isNaN(ordered[ready - 1]!)) ready--;
  return ordered.subarray(0, ready);
}

/**
 * The place of a value among others: 1 = the largest; equal ones share the better place. In per cent: how many of them are not above it. Not ready where the value is not.
 * @param counted whether it is one of them; else it is placed as if it were one more.
 */
export function placeAmong(others: Float64Array, value: number, counted: boolean, as: ExternalSlot['as']): number {
  if (Number.isNaN(value)) return Number.NaN;
  let notAbove = 0;
  for (let end = others.length; notAbove < end;) {
    const middle = (notAbove + end) >> 1;
    if (others[middle]! <= value) notAbove = middle + 1;
    else end = middle;
  }
  const more = counted ? 0 : 1;
  return as === RANK ? others.length - notAbove + 1 : (100 * (notAbove + more)) / (others.length + more);
}
