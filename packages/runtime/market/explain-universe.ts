import type { Explanation } from '@trademind/core';

/** Adds to an explanation of a symbol that a trader does not screen why it is out (`why` of the universe), or that it will come in. */
export function withUniverse(told: Explanation, why: string): Explanation {
  if (told.verdict !== 'not in the universe') return told;
  const reason = why.startsWith(`${told.symbol} is in:`) ? `${why} It is screened from the next look at the universe on, within an hour.` : why;
  return { ...told, headline: `${told.headline} ${reason}`, sentence: `${told.sentence} ${reason}` };
}
