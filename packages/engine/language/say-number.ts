import type { Unit } from './units.ts';

/** Digits that matter to a reader; more only where two numbers would look the same. */
const DIGITS: Record<Unit, number> = { price: 6, points: 3, ratio: 3, volume: 4, money: 4, candles: 12, count: 12, none: 6 };
const MOST = 15;
/** A large price has two decimals. */
const digitsOf = (value: number, unit: Unit): number => (unit === 'price' && Math.abs(value) >= 10_000 ? Math.min(MOST, Math.floor(Math.log10(Math.abs(value))) + 3) : DIGITS[unit]);

/** A number as people write it: `49,512.3`, `0.00001234`, `28.4`. */
export function sayNumber(value: number, unit: Unit = 'none', digits = digitsOf(value, unit)): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'no value' : value > 0 ? 'infinite' : 'minus infinite';
  return value.toLocaleString('en-US', { maximumSignificantDigits: digits }).replace(/^-/, '−').replace(/^\u22120$/, '0');
}

/** Two numbers that are compared: with as many digits as it takes to tell them apart. */
export function sayPair(a: number, b: number, unit: Unit = 'none'): [a: string, b: string] {
  const said = (digits: number): [string, string] => [sayNumber(a, unit, digits), sayNumber(b, unit, digits)];
  for (let digits = Math.max(digitsOf(a, unit), digitsOf(b, unit)); digits < MOST; digits++) {
    const pair = said(digits);
    if (a === b || pair[0] !== pair[1]) return pair;
  }
  return said(MOST);
}

/** How far apart two numbers are: in per cent of the second where that says more, else in their own unit. */
export function sayDistance(a: number, b: number, unit: Unit = 'none'): string {
  const difference = Math.abs(a - b);
  if ((unit === 'price' || unit === 'volume' || unit === 'money') && a * b > 0) {
    const percent = (100 * difference) / Math.abs(b);
    return percent < 0.01 ? 'less than 0.01 %' : `${sayNumber(percent, 'none', percent < 10 ? 2 : 3)} %`;
  }
  const said = sayNumber(difference, unit, Math.min(3, DIGITS[unit]));
  return unit === 'points' ? `${said} points` : unit === 'candles' ? `${said} ${difference === 1 ? 'candle' : 'candles'}` : said;
}

const MINUTE_MS = 60_000;

/** A length of market time in round words: `about 25 minutes`, `about 42 hours`, `about 7 days`. */
export function sayAbout(ms: number): string {
  const minutes = ms / MINUTE_MS;
  const [amount, one] = minutes < 100 ? [minutes, 'minute'] : minutes < 48 * 60 ? [minutes / 60, 'hour'] : [minutes / 1_440, 'day'];
  const whole = Math.max(1, Math.round(amount));
  return `about ${whole.toLocaleString('en-US')} ${one}${whole === 1 ? '' : 's'}`;
}
