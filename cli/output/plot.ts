/** Eighths of a cell, from empty to full. */
const BLOCKS = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/**
 * A small plot of numbers, one column each, in `height` lines from the top down; the first and the last line name the largest and the smallest value. A value
 * that is null or not finite leaves its column empty. (No chart library: those that are small break on values that are missing.)
 */
export function plot(values: readonly (number | null)[], height: number, format: (value: number) => string): string[] {
  const finite = values.filter((value): value is number => value !== null && Number.isFinite(value));
  if (finite.length === 0) return [];
  const least = finite.reduce((a, b) => Math.min(a, b));
  const most = finite.reduce((a, b) => Math.max(a, b));
  const eighths = height * 8;
  // The smallest value still shows as a line; a flat series as one in the middle.
  const levels = values.map((value) => {
    if (value === null || !Number.isFinite(value)) return 0;
    return most === least ? Math.round(eighths / 2) : 1 + Math.round(((value - least) / (most - least)) * (eighths - 1));
  });
  const labels = [format(most), ...Array.from({ length: height - 2 }, () => ''), format(least)];
  const width = Math.max(...labels.map((label) => label.length));
  return labels.map((label, row) => {
    const floor = (height - 1 - row) * 8;
    return `${label.padStart(width)} ${label === '' ? '│' : '┤'}${levels.map((level) => BLOCKS[Math.max(0, Math.min(8, level - floor))]).join('').trimEnd()}`;
  });
}

/** A condition over candles in one line: `█` holds, `·` does not, a space where it is not ready. */
export function strip(values: readonly (boolean | null)[]): string {
  return values.map((value) => (value === null ? ' ' : value ? '█' : '·')).join('');
}
