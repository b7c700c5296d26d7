/** Seconds since a start, right-aligned for a column: `  2.1 s`. */
export function elapsed(ms: number): string {
  return `${(ms / 1_000).toFixed(1).padStart(5)} s`;
}

/** An instant of market time in UTC, to the minute (or second): `2026-11-22 18:05`. */
export function utc(ms: number, seconds = false): string {
  return new Date(ms).toISOString().replace('T', ' ').slice(0, seconds ? 19 : 16);
}

/** Time of day in UTC: `18:05:00`. */
export function utcClock(ms: number, seconds = true): string {
  return new Date(ms).toISOString().slice(11, seconds ? 19 : 16);
}

/** A price or indicator value with as many digits as help: `64,210.55`, `0.00001234`. */
export function number(value: number | null): string {
  if (value === null) return 'not ready';
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (size !== 0 && size < 1) return trimZeros(value.toPrecision(4));
  return value.toLocaleString('en-US', { maximumFractionDigits: size >= 1_000 ? 2 : 4 });
}

function trimZeros(text: string): string {
  return text.includes('.') && !text.includes('e') ? text.replace(/\.?0+$/, '') : text;
}

/** `1 symbol`, `3 symbols`. */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;
}

/** Cuts a text to a width with an ellipsis. */
export function fit(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}

/** A duration in words: `350 ms`, `12.4 s`, `3 min 20 s`, `2 h 5 min`. */
export function duration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
