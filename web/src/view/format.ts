const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const two = (value: number): string => String(value).padStart(2, '0');

export const count = (value: number): string => whole.format(value);

/** A price with the digits that matter: cents for large ones, six significant digits for small ones, never an exponent. */
export function price(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 || size === 0 ? 2 : Math.min(12, Math.max(2, 5 - Math.floor(Math.log10(size))));
  return value.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: digits });
}

/** A change in points with its sign: `+1.25 %`. The minus is a real one, as wide as the plus. */
export function percent(value: number): string {
  const text = Math.abs(value).toFixed(2);
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${text} %`;
}

/** An indicator's value: at most six significant digits. */
export function reading(value: number | null): string {
  if (value === null) return 'not ready';
  return Math.abs(value) >= 1_000 ? value.toLocaleString('en', { maximumFractionDigits: 2 }) : String(Number(value.toPrecision(5)));
}

/** `10 Oct 12:35` in UTC; with seconds on demand. */
export function dayTime(ms: number, withSeconds = false): string {
  const date = new Date(ms);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${time(ms, withSeconds)}`;
}

/** `12:35` in UTC; with seconds on demand. */
export function time(ms: number, withSeconds = false): string {
  const date = new Date(ms);
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}${withSeconds ? `:${two(date.getUTCSeconds())}` : ''}`;
}

/** `8 s`, `3 min`, `2 h 5 min`, `4 d 3 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return hours % 24 === 0 ? `${Math.floor(hours / 24)} d` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

export const dollars = (value: number): string => `$${value.toFixed(2)}`;

/** `1 signal`, `2 signals`. */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`;
}
