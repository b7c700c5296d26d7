import type { Range } from './calendar.ts';

/** Sorted, joined where they touch or overlap, without empty ones. */
export function union(ranges: Iterable<Range>): Range[] {
  const joined: Range[] = [];
  for (const { from, to } of [...ranges].filter((range) => range.to > range.from).sort((a, b) => a.from - b.from)) {
    const last = joined.at(-1);
    if (last && from <= last.to) last.to = Math.max(last.to, to);
    else joined.push({ from, to });
  }
  return joined;
}

/** What of `ranges` is not in `taken`. */
export function subtract(ranges: Iterable<Range>, taken: Iterable<Range>): Range[] {
  const holes = union(taken);
  return union(ranges).flatMap((range) => {
    const left: Range[] = [];
    let { from } = range;
    for (const hole of holes) {
      if (hole.to <= from || hole.from >= range.to) continue;
      if (hole.from > from) left.push({ from, to: hole.from });
      from = hole.to;
    }
    if (from < range.to) left.push({ from, to: range.to });
    return left;
  });
}

/** What of `ranges` lies within `bounds`. */
export function clip(ranges: Iterable<Range>, bounds: Range): Range[] {
  return union([...ranges].map(({ from, to }) => ({ from: Math.max(from, bounds.from), to: Math.min(to, bounds.to) })));
}

/** How many candles the ranges span. */
export function span(ranges: Iterable<Range>): number {
  let total = 0;
  for (const { from, to } of ranges) total += to - from;
  return total;
}
