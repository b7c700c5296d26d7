/** Pairs of neighbouring letters, with the word's edges. */
function pairs(word: string): Map<string, number> {
  const counts = new Map<string, number>();
  const edged = `-${word.toLowerCase()}-`;
  for (let at = 0; at + 1 < edged.length; at += 1) {
    const pair = edged.slice(at, at + 2);
    counts.set(pair, (counts.get(pair) ?? 0) + 1);
  }
  return counts;
}

/** Dice's coefficient: 1 for the same word, 0 for words without a common pair. */
function likeness(a: Map<string, number>, b: Map<string, number>): number {
  const size = (counts: Map<string, number>) => [...counts.values()].reduce((sum, count) => sum + count, 0);
  let common = 0;
  for (const [pair, count] of a) common += Math.min(count, b.get(pair) ?? 0);
  return (2 * common) / (size(a) + size(b));
}

/** The name that was perhaps meant; null when none is much alike. A hostile long name is not compared. */
export function nearest(name: string, known: Iterable<string>): string | null {
  if (name.length > 63) return null;
  const wanted = pairs(name);
  const [best] = [...known].map((one) => ({ one, score: likeness(wanted, pairs(one)) })).sort((a, b) => b.score - a.score);
  return best !== undefined && best.score >= 0.5 ? best.one : null;
}
