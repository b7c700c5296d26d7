import { parseExpressionAt, type Node } from 'acorn';
import { describe, expect, test } from 'vitest';
import { simulateCandles } from '../testing/simulate.ts';
import { describeLanguage } from './describe.ts';
import { ERROR_CODES } from './error-codes.ts';
import { evaluateExpression, type Evaluation } from './evaluate.ts';
import { FUNCTIONS } from './functions.ts';
import { LanguageError } from './language-error.ts';
import { LIMITS } from './limits.ts';
import { OPERATORS } from './operators.ts';
import { SERIES } from './series.ts';

const all = describeLanguage();
const candles = simulateCandles(300);
const take = (text: string): Evaluation | LanguageError => {
  try {
    return evaluateExpression(text, []);
  } catch (error) {
    if (error instanceof LanguageError) return error;
    throw error;
  }
};

describe('the description of the language', () => {
  test('has every series, function and limit of the compiler, and survives JSON', () => {
    expect(all.series.map(({ name }) => name)).toEqual(SERIES.map(({ name }) => name));
    expect(all.functions.map(({ name }) => name)).toEqual([...FUNCTIONS.keys()]);
    expect(Object.fromEntries(all.limits.map(({ name, value }) => [name, value]))).toEqual(LIMITS);
    expect(JSON.parse(JSON.stringify(all))).toEqual(all);
    for (const { family } of all.functions) expect(all.families).toContain(family);
  });

  test('has a shape that others rely on', () => {
    expect(all.version).toBe(1);
    expect(all.functions.find(({ name }) => name === 'macd')).toEqual({
      name: 'macd', family: 'Oscillators and momentum', signature: 'macd(series = close, fast, slow, signal).line .signal .histogram', summary: expect.any(String),
      arguments: [{ name: 'series', type: 'series', default: 'close' }, ...['fast', 'slow', 'signal'].map((name) => ({ name, type: 'length', min: 1, max: LIMITS.length }))],
      outputs: ['line', 'signal', 'histogram'], returns: 'series', unit: expect.any(String), seed: expect.any(String),
      warmUp: { expression: 'macd(12, 26, 9).line', first: 26, settle: 182 }, source: expect.any(String), example: expect.any(String),
    });
  });

  test('says which functions are running totals, whose level is refused', () => {
    expect(all.functions.filter(({ cumulative }) => cumulative).map(({ name }) => name)).toEqual(['obv', 'adl']);
    for (const { name, cumulative } of all.functions.filter(({ arguments: wanted, returns, outputs }) => wanted.length === 0 && returns === 'series' && outputs.length === 0)) {
      expect((take(`${name}() > 0`) as LanguageError).code, name).toBe(cumulative ? 'cumulative' : undefined);
    }
  });

  test('says what a candle costs of the functions that read their whole window, and of no others', () => {
    expect(all.functions.filter(({ cost }) => cost !== undefined).map(({ name, cost }) => [name, cost])).toEqual([
      ['cci', expect.stringContaining('in proportion to n')], ['volumeProfile', expect.stringContaining('in proportion to n + rows')],
    ]);
  });

  test.each(all.functions.map((one) => [one.name, one] as const))('%s: its example compiles, shows it, and says when its own value comes', (name, { example, warmUp, awaits, returns }) => {
    const compiled = take(example);
    expect(compiled).not.toBeInstanceOf(LanguageError);
    expect(example).toContain(`${name}(`);
    if (warmUp === undefined) return;
    expect(warmUp.expression.startsWith(`${name}(`)).toBe(true);
    expect(warmUp.settle).toBeGreaterThanOrEqual(warmUp.first);
    // A condition may be known earlier to be false; an event may come later.
    if (awaits !== undefined || returns !== 'series') return;
    const { values } = evaluateExpression(warmUp.expression, simulateCandles(warmUp.first + 1, { flatness: 0 }));
    expect(values.findIndex((value) => value !== null), warmUp.expression).toBe(warmUp.first - 1);
  });
});

describe('an operator of the table', () => {
  test.each(OPERATORS.map((one) => [one.form, one] as const))('%s: its example runs and shows it', (_form, { name, example }) => {
    expect(evaluateExpression(example, candles).type).toBe('condition');
    for (const sign of name === '()' ? ['('] : name === '[]' ? ['['] : name.match(/./gu)!.length > 1 && name === '?:' ? ['?', ':'] : [name]) expect(example).toContain(sign);
  });

  const BINARY = ['+', '-', '*', '/', '%', '**', '<', '<=', '>', '>=', '==', '!=', '===', '!==', '&&', '||', '??', '&', '|', '^', '<<', '>>', '>>>', ' in ', ' instanceof ', ',', '=', '+=', '=>'];
  test('is accepted by the compiler, and no other that JavaScript has', () => {
    const known = new Set(OPERATORS.map(({ name }) => name));
    for (const operator of BINARY) {
      const accepted = [`close ${operator} open`, `(close > 1) ${operator} (open > 1)`].some((text) => !(take(text) instanceof LanguageError));
      expect(accepted, operator).toBe(known.has(operator));
    }
    for (const operator of ['!', '-', '+', '~', 'typeof ', 'void ', 'delete ', '++', '--', 'await ', '...']) {
      const accepted = [`${operator}close`, `${operator}(close > 1)`].some((text) => !(take(text) instanceof LanguageError));
      expect(accepted, operator).toBe(known.has(operator));
    }
  });

  test('binds as its level says', () => {
    const binary = OPERATORS.filter(({ form }) => /^a \S+ b$/.test(form));
    for (const one of binary) {
      for (const other of binary) {
        const root = parseExpressionAt(`a ${one.name} b ${other.name} c`, 0, { ecmaVersion: 'latest' }) as Node & { operator?: string };
        // Of one level the left one comes first, so that the right one is the root.
        expect(root.operator, `${one.name} beside ${other.name}`).toBe(one.level > other.level ? one.name : other.name);
      }
    }
  });
});

test.each(Object.entries(ERROR_CODES).filter(([, { example }]) => example !== undefined))('the example of the error %s gives it', (code, { example, let: lets = {} }) => {
  expect(() => evaluateExpression(example!, [], { let: lets })).toThrow(expect.objectContaining({ code, frame: expect.stringContaining('^') }));
});
