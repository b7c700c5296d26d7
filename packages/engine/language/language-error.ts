import { TradeMindError } from '@trademind/core';

export type LanguageErrorCode =
  | 'syntax' // not an expression
  | 'not_allowed' // JavaScript, but not part of this language
  | 'unknown_name' // neither a series, a function, nor a name of the trader
  | 'unknown_field' // no such output of an indicator
  | 'wrong_type' // a condition where a number is meant, and so on
  | 'cumulative' // a running total compared by its level
  | 'wrong_argument' // too few, too many, out of range
  | 'name_taken' // a param or let named like something of the language, or any name like a word of JavaScript
  | 'circular' // let names that need each other
  | 'too_long' | 'too_deep' | 'too_large' | 'too_far'; // a limit; the message gives its figure

/** Where in a source something stands. */
export interface Span { readonly start: number; readonly end: number }

/**
 * An expression that the language does not accept. `field` is its place in the trader (`where.oversold`), `line` and `column` count from 1,
 * `frame` shows the line with a caret below the place.
 */
export class LanguageError extends TradeMindError {
  readonly line: number;
  readonly column: number;
  readonly frame: string;

  constructor(init: { code: LanguageErrorCode; message: string; field: string; source: string; span: Span; nextStep?: string | undefined }) {
    const start = Math.max(0, Math.min(init.span.start, init.source.length));
    const before = init.source.slice(0, start);
    const lineStart = before.lastIndexOf('\n') + 1;
    const line = before.split('\n').length;
    const column = start - lineStart + 1;
    const place = init.source.includes('\n') ? `line ${line}, column ${column}` : `column ${column}`;
    super({ code: init.code, message: `${init.field}, ${place}: ${printable(init.message)}`, field: init.field, nextStep: init.nextStep });
    this.line = line;
    this.column = column;
    this.frame = frameOf(init.source, lineStart, start, init.span.end);
  }
}

const WIDTH = 100;

/** Control characters would move a terminal's cursor. */
const printable = (text: string): string => text.replaceAll(/\p{C}/gu, ' ');

function frameOf(source: string, lineStart: number, start: number, end: number): string {
  const newline = source.indexOf('\n', lineStart);
  const text = source.slice(lineStart, newline < 0 ? source.length : newline);
  // A long line is shown around the place.
  const from = Math.max(0, start - lineStart - WIDTH / 2);
  const shown = printable(text.slice(from, from + WIDTH));
  const column = start - lineStart - from;
  const length = Math.max(1, Math.min(end, lineStart + text.length) - start);
  return `${shown}\n${' '.repeat(column)}${'^'.repeat(Math.min(length, Math.max(1, shown.length - column)))}`;
}
