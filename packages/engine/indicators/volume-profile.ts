import type { Dag, Ref } from '../graph/dag.ts';
import { HEAD, type NodeKind } from '../graph/node-kind.ts';
import { historyOf, ringCapacity } from '../graph/ring.ts';
import { length, type FunctionDefinition } from './definition.ts';
import { clearRows, layVolume, MAX_ROWS, rowVolumes, sumRows } from './price-rows.ts';

/** The share of all volume that the value area holds. */
const VALUE_AREA = 0.7;
const FIELDS = ['poc', 'high', 'low'] as const;
const ENTRY = FIELDS.length;

const WIDTH = HEAD + 1 + 3 * 3 + 2;

/**
 * The profile of each candle's last n, whole, so that its three outputs cost one. Of a window it is computed from scratch in O(n + rows): the rows move with its extremes.
 * Inputs: histories of high, low and volume, then n and the rows as constants. State: a ring of [poc, high, low].
 */
const profileKind: NodeKind = {
  name: 'volumeProfile',
  ring: { head: 0, width: ENTRY },
  stateSize: ([capacity]) => capacity! * ENTRY,
  first: () => 1,
  settle: () => 1,
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += WIDTH) {
      const out = code[c]!;
      const n = v[code[c + HEAD + 10]!]!;
      const rows = v[code[c + HEAD + 11]!]!;
      let i = 0;
      do {
        const at = code[c + 1]! + ((t + i) & (code[c + HEAD]! - 1)) * ENTRY;
        const ready = Math.min(v[code[c + HEAD + 1]! + i]!, v[code[c + HEAD + 4]! + i]!, v[code[c + HEAD + 7]! + i]!);
        if (ready >= n) profile(s, code, c + HEAD + 1, t + i, n, rows, at);
        else s.fill(Number.NaN, at, at + ENTRY);
        v[out + i] = s[at]!;
      } while (++i < count);
    }
  },
};

/** Writes the profile of the n candles up to ordinal t to the entry `at`. */
function profile(s: Float64Array, code: Int32Array, inputs: number, t: number, n: number, rows: number, at: number): void {
  const highs = code[inputs + 1]!;
  const highMask = code[inputs + 2]!;
  const lows = code[inputs + 4]!;
  const lowMask = code[inputs + 5]!;
  const amounts = code[inputs + 7]!;
  const amountMask = code[inputs + 8]!;
  let top = -Infinity;
  let bottom = Infinity;
  for (let j = t - n + 1; j <= t; j++) {
    const high = s[highs + (j & highMask)]!;
    const low = s[lows + (j & lowMask)]!;
    if (high > top) top = high;
    if (low < bottom) bottom = low;
  }
  const range = top - bottom;
  clearRows(rows);
  for (let j = t - n + 1; j <= t; j++) {
    const q = s[amounts + (j & amountMask)]!;
    if (q === 0) continue;
    if (range === 0) layVolume(0, 0, q, rows);
    else layVolume(((s[lows + (j & lowMask)]! - bottom) / range) * rows, ((s[highs + (j & highMask)]! - bottom) / range) * rows, q, rows);
  }
  sumRows(rows);
  const total = rowVolumes[rows]!;
  if (!(total > 0) || range === 0) {
    s.fill(total > 0 ? bottom : Number.NaN, at, at + ENTRY);
    return;
  }
  const poc = largestRow(rows);
  let lowest = poc;
  let highest = poc;
  let held = rowVolumes[poc]!;
  while (held < VALUE_AREA * total && highest - lowest < rows - 1) {
    const above = highest + 1 < rows ? rowVolumes[highest + 1]! : -1;
    const below = lowest > 0 ? rowVolumes[lowest - 1]! : -1;
    if (above >= below) highest++;
    else lowest--;
    held += Math.max(above, below);
  }
  s[at] = bottom + (range * (poc + 0.5)) / rows;
  s[at + 1] = highest + 1 === rows ? top : bottom + (range * (highest + 1)) / rows;
  s[at + 2] = bottom + (range * lowest) / rows;
}

/** The row with the most volume; of equal ones that nearest to the middle, then the lower. */
function largestRow(rows: number): number {
  let best = 0;
  for (let row = 1; row < rows; row++) {
    const more = rowVolumes[row]! - rowVolumes[best]!;
    if (more > 0 || (more === 0 && Math.abs(2 * row + 1 - rows) < Math.abs(2 * best + 1 - rows))) best = row;
  }
  return best;
}

/** Reads one output (params: its place, n) of the profile. */
const levelKind: NodeKind = {
  name: 'volumeProfileLevel',
  stateSize: () => 0,
  first: ([, n]) => n!,
  settle: ([, n]) => n!,
  run: ({ v, s, count, t }, code, from, to) => {
    for (let c = from | 0, end = to | 0; c < end; c += HEAD + 2 + 3) {
      const out = code[c]!;
      const field = code[c + HEAD]!;
      const ring = code[c + HEAD + 3]!;
      const mask = code[c + HEAD + 4]!;
      let i = 0;
      do v[out + i] = s[ring + ((t + i) & mask) * ENTRY + field]!; while (++i < count);
    }
  },
};

const levelOf = (dag: Dag, field: number, n: number, rows: number): Ref => {
  const histories = (['high', 'low', 'volume'] as const).map((column) => historyOf(dag, dag.column(column), n));
  return dag.node(levelKind, [dag.ring(profileKind, [...histories, dag.constant(n), dag.constant(rows)], ringCapacity(0))], [field, n]);
};

/**
 * In: high, low, volume; out: price; first value after n candles, settled after n; not ready where nothing was traded. The range from the lowest low to the highest high of the
 * last n candles is cut into `rows` of one height. A candle's volume is spread over the rows that it covers, to each in proportion to the part of the candle in it; a candle that stood
 * still gives all to its row (an edge belongs to the row above it, the top to the top row). The rows together hold all volume of the window.
 * - poc: the middle of the row with the most volume; of equal ones that nearest to the middle of the range, then the lower.
 * - high, low: the outer edges of the value area. It begins with the row of the poc and takes in the larger of the rows next above and next below, the upper one of equal ones, until it
 *   holds 70 % of the volume. (CME's market profile compares two prices at a time; TradingView and this one row.)
 * A window without range has its one price for all three.
 */
export const volumeProfile: FunctionDefinition = {
  name: 'volumeProfile',
  summary: 'Volume by price over the last n candles in rows of one height: poc = the middle of the row with the most volume, high and low = the edges of the value area that holds 70 % of it.',
  arguments: [length(), { ...length('rows'), max: MAX_ROWS, default: 24 }],
  fields: FIELDS,
  returns: 'series',
  unit: 'price',
  seed: 'none: a full window',
  cost: 'in proportion to n + rows, for the rows move with the extremes of the window; several outputs cost one',
  source: 'J. P. Steidlmayer, CBOT Market Profile; rows and value area as in TradingView Volume Profile',
  example: 'crossover(close, volumeProfile(100, 24).high)',
  build: (dag, _series, [n, rows], field) => levelOf(dag, FIELDS.findIndex((name) => name === field), n!, rows!),
};
