/** The runs that are compiled ahead of time, by the numbers that `kernels.as` knows them by. */
export const KERNEL = {
  add: 0, subtract: 1, multiply: 2, divide: 3, greater: 4, greaterOrEqual: 5, equal: 6, not: 7, and: 8, or: 9, previous: 10, offset: 11, history: 12, crossover: 13, rising: 14, falling: 15,
  recursive: 16, sums: 17, squareSums: 18, windowSum: 19, stdev: 20, rsi: 21, extreme: 22, trueRange: 23,
} as const;

/** What can be asked of nodes over a whole block: whether a condition holds, whether one is greater than another, or greater or equal. */
export const CHECK = { holds: 0, greater: 1, greaterOrEqual: 2 } as const;
/** Cells of a check: what is asked, and the two nodes (of a condition the same one twice). */
export const CHECK_WIDTH = 3;
