import type { LanguageErrorCode } from './language-error.ts';

export interface ErrorCode {
  readonly summary: string;
  /** An expression that gives it, over these names; a test holds that it does. Of limits there is none: it would be too long to read. */
  readonly example?: string;
  readonly let?: Record<string, string>;
}

/** What each code of a LanguageError means. */
export const ERROR_CODES: Record<LanguageErrorCode, ErrorCode> = {
  syntax: { summary: 'It is not an expression of JavaScript.', example: 'rsi(14 < 30' },
  not_allowed: { summary: 'JavaScript, but not part of this language; or a function where it cannot stand.', example: 'close.toFixed(2) > 1' },
  unknown_name: { summary: 'Neither a series, nor a function, nor a name of the trader.', example: 'crossove(ema(9), ema(21))' },
  unknown_field: { summary: 'The indicator has no such output.', example: 'macd(12, 26, 9).histgram > 0' },
  wrong_type: { summary: 'A condition where a number is meant, a number where a series is meant, and so on.', example: 'close > open && volume' },
  cumulative: { summary: 'A running total (OBV, ADL) is compared by its level, which says only where the candles began; a difference or a slope is meant.', example: 'obv() > 0' },
  wrong_argument: { summary: 'Too few arguments, too many, or one out of its range.', example: 'rsi(0) < 30' },
  name_taken: { summary: 'A name in `params` or `let` is a word of the language, or stands in both; or a name, of a condition too, is a word of JavaScript.', example: 'close > 1', let: { close: 'open' } },
  circular: { summary: 'Names in `let` that need each other.', example: 'a > 1', let: { a: 'b + 1', b: 'a - 1' } },
  too_long: { summary: 'The text is longer than the limit.' },
  too_deep: { summary: 'Nested deeper than the limit.' },
  too_large: { summary: 'More names, conditions, calculations or memory than the limit.' },
  too_far: { summary: 'Looks back further than the limit.', example: 'close[1_001] > close' },
};
