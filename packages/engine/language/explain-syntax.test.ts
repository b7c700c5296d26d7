import { expect, test } from 'vitest';
import { evaluateExpression } from './evaluate.ts';
import { LanguageError } from './language-error.ts';

const refused = (text: string): LanguageError => {
  try {
    evaluateExpression(text, []);
  } catch (error) {
    if (error instanceof LanguageError) return error;
    throw error;
  }
  throw new Error('it was accepted');
};

test.each([
  ['rsi(14) < 30 and close > open', 'and', 'Did you mean &&?'],
  ['rsi(14) < 30 OR close > open', 'OR', 'Did you mean ||?'],
  ['not close > 3', 'not', 'Did you mean !?'],
  ['close > 3 && not close > 5', 'not', 'Did you mean !?'],
  ['count(not rising(close, 2), 3) > 1', 'not', 'Did you mean !?'],
  ['close is 5', 'is', 'Did you mean ==?'],
  ['rsi(14) crosses 30', 'crosses', 'Did you mean crossover(a, b)?'],
  ['if (close > 1) open', 'if', 'Did you mean c ? a : b?'],
  ['rsi(14) = 30', '=', 'Did you mean ==?'],
  ['close => 5', '=>', 'Did you mean >=?'],
  ['close =< 5', '=<', 'Did you mean <=?'],
  ['close <> 5', '<>', 'Did you mean !=?'],
  ['close > 1 & open > 1', '&', 'Did you mean &&?'],
  ['(close > 1) | (open > 1)', '|', 'Did you mean ||?'],
  ['close ≥ 5', '≥', 'Did you mean >=?'],
  ['close > –5', '–', 'Did you mean -?'],
  ['rsi(14) < “30”', '“', 'Did you mean "?'],
  ['close > 1,000', '1,000', 'Write 1_000.'],
  ['volume > 1,234,567', '1,234,567', 'Write 1_234_567.'],
  ['close > abs(close) + 1,234', '1,234', 'Write 1_234.'],
  ['close > sma(20', '(', 'is never closed'],
  ['(close > sma(20)', '(', 'is never closed'],
  ['close[1 > 2', '[', 'is never closed'],
  ['rsi(14)) < 30', ')', 'closes nothing'],
  ['close > 20%', '%', 'not per cent'],
  ['close >', '', 'ends where more is expected'],
  ['close > 5 ? 1', '', 'ends where more is expected'],
  ['rsi 14 < 30', '1', 'rsi(14)'],
  ['crossover(ema(9) ema(21))', 'e', 'a comma or an operator is missing'],
  ['&& close > 1', '&&', '`&&` cannot stand here'],
  ['close > > open', '>', '`>` cannot stand here'],
  ['close > 1; close', ';', 'the expression ends before this'],
])('%s: points at "%s" and says "%s"', (text, place, words) => {
  const error = refused(text);
  expect(error.code).toBe('syntax');
  const [line, caret] = error.frame.split('\n') as [string, string];
  expect(line.slice(caret.indexOf('^'), caret.lastIndexOf('^') + 1)).toBe(place);
  expect(`${error.message} ${error.nextStep}`).toContain(words);
});

test('signs of other languages in quoted text harm nothing, and those of this language are its own', () => {
  expect(refused('"a = b & c" > 1').code).toBe('not_allowed');
  for (const text of ['close == 1', 'close === 1', 'close != 1', 'close !== 1', 'close >= 1', 'close <= 1', 'close > 1 && open > 1', 'close > 1 || open > 1', 'min(1,200) < close', 'min(abs(close),120,200) < close']) expect(() => evaluateExpression(text, [])).not.toThrow();
});
