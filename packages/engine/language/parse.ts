import { parseExpressionAt, type Expression } from 'acorn';
import { explainSyntax, misusedSign, type SyntaxFault } from './explain-syntax.ts';
import { LanguageError, type LanguageErrorCode, type Span } from './language-error.ts';
import { LIMITS } from './limits.ts';

/** One expression and where it stands in a trader: what errors point at. */
export interface Source {
  readonly text: string;
  /** e.g. `where.oversold`. */
  readonly field: string;
}

export const errorAt = (source: Source, code: LanguageErrorCode, span: Span, message: string, nextStep?: string): LanguageError =>
  new LanguageError({ code, message, field: source.field, source: source.text, span, nextStep });

/**
 * Parses one expression of JavaScript's grammar. Nothing is run, and what the language does not know is refused later, by the compiler's
 * allow-list. Throws only LanguageError: limits are checked before the parser recurses.
 */
export function parseExpression(source: Source): Expression {
  const { text } = source;
  const refuse = (code: LanguageErrorCode, start: number, message: string, nextStep?: string): LanguageError => errorAt(source, code, { start, end: start + 1 }, message, nextStep);
  if (text.length > LIMITS.sourceLength) {
    throw refuse('too_long', LIMITS.sourceLength, `the expression has ${text.length} characters, more than ${LIMITS.sourceLength}.`, 'Give parts of it names in `let`.');
  }
  const deep = tooDeepAt(text);
  if (deep !== undefined) throw refuse('too_deep', deep, `nested more than ${LIMITS.depth} deep.`, 'Give parts of it names in `let`.');
  const faulty = ({ start, end, message, nextStep }: SyntaxFault): LanguageError => errorAt(source, 'syntax', { start, end }, message, nextStep);
  if (text.trim() === '') throw refuse('syntax', 0, 'the expression is empty.', 'Write a condition, such as rsi(14) < 30.');
  const sign = misusedSign(text);
  if (sign !== undefined) throw faulty(sign);

  let expression: Expression;
  let comment: number | undefined;
  try {
    expression = parseExpressionAt(text, 0, {
      ecmaVersion: 'latest', sourceType: 'module', preserveParens: true,
      onComment: (_block, _text, start) => {
        comment ??= start;
      },
    });
  } catch (error) {
    if (error instanceof RangeError) throw refuse('too_deep', 0, 'nested too deep.', 'Give parts of it names in `let`.');
    if (!(error instanceof SyntaxError)) throw error;
    const at = (error as { pos?: unknown }).pos;
    throw faulty(explainSyntax(text, typeof at === 'number' ? at : 0, error.message.replace(/ \(\d+:\d+\)$/, '').toLowerCase()));
  }
  if (comment !== undefined) throw refuse('not_allowed', comment, 'comments are not part of an expression.', "Put words into the trader's description.");
  const rest = text.slice(expression.end).search(/\S/);
  if (rest >= 0) throw faulty(explainSyntax(text, expression.end + rest, undefined));
  return expression;
}

/** Where brackets nest beyond the limit: a cheap look that needs no recursion. */
function tooDeepAt(text: string): number | undefined {
  let depth = 0;
  for (let index = 0; index < text.length; index++) {
    const letter = text[index];
    if (letter === '(' || letter === '[' || letter === '{') depth++;
    else if (letter === ')' || letter === ']' || letter === '}') depth--;
    if (depth > LIMITS.depth) return index;
  }
  return undefined;
}
