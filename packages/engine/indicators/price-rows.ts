import { addExact } from '../graph/double-double.ts';

export const MAX_ROWS = 200;

/**
 * Volume by price, one profile at a time: `clearRows`, `layVolume` for each candle, `sumRows`. Per row it holds in two doubles the volume of candles that end in it,
 * and how the volume that passes through changes at its lower edge, so that a candle costs the same however many rows it covers. Sums so kept are exact:
 * rows that were given the same hold equal volumes, and what no candle touches holds 0.
 */
const ends = new Float64Array(MAX_ROWS * 2);
const steps = new Float64Array(MAX_ROWS * 2);
const through = new Float64Array(2);

/** After `sumRows`: the volume of each row, from the lowest on, and behind the rows the total. Doubles that a function gives back are allocated; these are not. */
export const rowVolumes = new Float64Array(MAX_ROWS + 1);

export function clearRows(rows: number): void {
  ends.fill(0, 0, rows * 2);
  steps.fill(0, 0, rows * 2);
}

/** Lays volume over the rows from a to b (a candle's low and high in rows from the bottom), to each in proportion; a point belongs to the row above it, the top to the top row. */
export function layVolume(a: number, b: number, volume: number, rows: number): void {
  const first = Math.min(Math.floor(a), rows - 1);
  const last = Math.min(Math.ceil(b), rows) - 1;
  if (last <= first) {
    addExact(ends, first * 2, first * 2, volume, 0);
    return;
  }
  const perRow = volume / (b - a);
  addExact(ends, first * 2, first * 2, perRow * (first + 1 - a), 0);
  addExact(ends, last * 2, last * 2, perRow * (b - last), 0);
  addExact(steps, first * 2 + 2, first * 2 + 2, perRow, 0);
  addExact(steps, last * 2, last * 2, -perRow, 0);
}

/** Fills `rowVolumes`. */
export function sumRows(rows: number): void {
  through.fill(0);
  let total = 0;
  for (let row = 0; row < rows; row++) {
    addExact(through, 0, 0, steps[row * 2]!, steps[row * 2 + 1]!);
    addExact(ends, row * 2, row * 2, through[0]!, through[1]!);
    total += rowVolumes[row] = ends[row * 2]!;
  }
  rowVolumes[rows] = total;
}
