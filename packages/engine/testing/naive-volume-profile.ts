import type { Candle } from '@trademind/core';
import { UNKNOWN, cell, unready, type Naive } from './naive.ts';

/** The volume in each row between the extremes of some candles, row by row and candle by candle; undefined where a still candle lies on an edge between two. */
function rowsOf(candles: readonly Candle[], rows: number): number[] | undefined {
  const bottom = Math.min(...candles.map(({ low }) => low));
  const height = (Math.max(...candles.map(({ high }) => high)) - bottom) / rows;
  const volumes = Array.from({ length: rows }, () => 0);
  for (const { high, low, volume } of candles) {
    if (volume === 0) continue;
    const place = (low - bottom) / height;
    if (high === low && place > 1e-9 && place < rows - 1e-9 && Math.abs(place - Math.round(place)) < 1e-9) return undefined;
    for (let row = 0; row < rows; row++) {
      const [from, to] = [bottom + row * height, bottom + (row + 1) * height];
      if (high === low) volumes[row]! += Math.floor(Math.min(place, rows - 0.5)) === row ? volume : 0;
      else volumes[row]! += (volume * Math.max(0, Math.min(high, to) - Math.max(low, from))) / (high - low);
    }
  }
  return volumes;
}

export const volumeProfile = (n: number, rows: number, field: 'poc' | 'high' | 'low'): Naive => (all) => all.map((_, t) => {
  if (t < n - 1) return unready;
  const candles = all.slice(t - n + 1, t + 1);
  const [bottom, top] = [Math.min(...candles.map(({ low }) => low)), Math.max(...candles.map(({ high }) => high))];
  const total = candles.reduce((sum, { volume }) => sum + volume, 0);
  if (total === 0) return unready;
  if (top === bottom) return cell(top, 0);
  const volumes = rowsOf(candles, rows);
  if (volumes === undefined) return UNKNOWN;
  const near = (a: number, b: number): boolean => Math.abs(a - b) <= 1e-9 * total;
  const poc = volumes.indexOf(Math.max(...volumes));
  if (volumes.some((volume, row) => row !== poc && near(volume, volumes[poc]!))) return UNKNOWN;
  const price = (row: number) => cell(bottom + ((top - bottom) * row) / rows, 1e-12 * top);
  if (field === 'poc') return price(poc + 0.5);
  let [from, to] = [poc, poc + 1];
  for (;;) {
    const held = volumes.slice(from, to).reduce((sum, volume) => sum + volume, 0);
    if (near(held, 0.7 * total)) return UNKNOWN;
    if (held > 0.7 * total) return price(field === 'high' ? to : from);
    const [above, below] = [volumes[to], from === 0 ? undefined : volumes[from - 1]];
    if (above !== undefined && below !== undefined && near(above, below) && Math.max(above, below) > 1e-9 * total) return UNKNOWN;
    if (below === undefined || (above !== undefined && above >= below - 1e-9 * total)) to++;
    else from--;
  }
});
