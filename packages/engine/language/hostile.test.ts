import { TraderDocument, type TraderInput } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { simulateCandles } from '../testing/simulate.ts';
import { TEMPLATE_TRADERS } from '../templates/index.ts';
import { compileTrader } from './compile-trader.ts';
import { evaluateExpression, type Evaluation } from './evaluate.ts';
import { FUNCTIONS } from './functions.ts';
import { LanguageError } from './language-error.ts';
import { OPERATORS } from './operators.ts';
import { SERIES } from './series.ts';

const CANDLES = simulateCandles(3);
/** What the language says to a text: an evaluation or one of its errors, and never anything else. */
function say(text: string, options: Parameters<typeof evaluateExpression>[2] = {}): Evaluation | LanguageError {
  try {
    return evaluateExpression(text, CANDLES, options);
  } catch (error) {
    if (error instanceof LanguageError) return error;
    throw error;
  }
}
const code = (text: string, options?: Parameters<typeof evaluateExpression>[2]): string => {
  const said = say(text, options);
  return said instanceof LanguageError ? said.code : 'accepted';
};

/** Names that every object of JavaScript has, or that open a way out of it. */
const INHERITED = [...Object.getOwnPropertyNames(Object.prototype), 'prototype', 'arguments', 'caller', 'name', 'length', 'apply', 'call', 'bind', 'then', 'eval', 'Function', 'globalThis', 'process', 'require', 'module', 'import', 'self', 'window', 'Reflect', 'Proxy', 'Symbol', 'Array', 'Math', 'NaN', 'Infinity', 'undefined'];

describe('names of JavaScript itself', () => {
  test.each(INHERITED)('%s is no name, no function, no output and no index of the language', (name) => {
    for (const text of [name, `${name}(1) > 1`, `close.${name}`, `rsi(14).${name}`, `macd(12, 26, 9).${name}`, `close["${name}"]`, `close[${name}]`, `rsi(${name})`, `macd(12, 26, 9)["${name}"]`, `${name}.${name}`, `${name}\`x\``, `new ${name}()`, `${name}[0](1)`]) {
      expect(code(text), text).not.toBe('accepted');
    }
  });

  test.each(INHERITED.filter((name) => /^[a-z_]/.test(name) && name !== '__proto__' && !['eval', 'arguments', 'import', 'length'].includes(name)))('%s as a name of the trader’s own means what the trader says', (name) => {
    expect(say(`${name} + 1`, { params: { [name]: 41 } })).toMatchObject({ values: [42, 42, 42] });
    expect(say(`${name} > 1`, { let: { [name]: 'close' } })).toMatchObject({ type: 'condition' });
    const document = TraderDocument.parse({ name: 'a trader', side: 'long', where: { [name]: 'close > open' }, when: name });
    expect(compileTrader(document, '5m').conditions.map((condition) => condition.name)).toEqual([name]);
  });
});

test('nothing of it is ever run', () => {
  const world = globalThis as { touched?: string };
  const touch = 'globalThis.touched = "yes"';
  const payloads = [
    touch, `(${touch}, close > 1)`, `(() => { ${touch} })()`, `eval('${touch}')`, `Function('${touch}')()`, `rsi.constructor('${touch}')()`, `close.constructor.constructor('${touch}')()`, `[].map.constructor('${touch}')()`,
    `\`\${${touch}}\``, `close[\`\${${touch}}\`]`, `rsi((${touch}, 14))`, `({ get a() { ${touch}; return 1 } }).a > 1`, `({ toString() { ${touch}; return '1' } }) > 1`, `new (class { static { ${touch} } })()`,
    `import('data:text/javascript,${touch}')`, `close > 1 ? (${touch}) : 2`, `(async () => { ${touch} })()`, `function () { ${touch} }`, `macd(12, 26, 9)[(${touch}, 'line')]`, `rsi(...[${touch}])`, `/x/[Symbol.replace](${touch})`,
  ];
  for (const text of payloads) {
    expect(code(text), text).not.toBe('accepted');
    expect(code('a > 1', { let: { a: text } }), text).not.toBe('accepted');
  }
  expect(world.touched).toBeUndefined();
});

describe('size', () => {
  test.each([
    ['a million parentheses', '('.repeat(1_000_000), 'too_long'], ['a million brackets', `close${'[1]'.repeat(1_000_000)}`, 'too_long'], ['a million signs', `${'!'.repeat(1_000_000)}x`, 'too_long'], ['a name of a million letters', 'a'.repeat(1_000_000), 'too_long'],
    ['nested as deep as a text may be', `${'('.repeat(990)}close${')'.repeat(990)}`, 'too_deep'], ['nested calls', `${'abs('.repeat(390)}close${')'.repeat(390)} > 1`, 'too_deep'], ['signs before signs', `${'-+'.repeat(900)}close > 1`, 'too_deep'],
    ['choices in choices', `${'close > 1 ? 1 : '.repeat(120)}2`, 'too_deep'], ['one long sum', `close${' + close'.repeat(240)}`, 'too_deep'], ['templates in templates', '`${'.repeat(600), 'too_deep'], ['arrows', `${'a=>'.repeat(600)}1`, 'syntax'],
    ['a name of 1,990 letters', 'a'.repeat(1_990), 'unknown_name'], ['a number of 1,990 digits', '9'.repeat(1_990), 'not_allowed'], ['a length of 21 digits', 'sma(100000000000000000000) > 1', 'too_far'], ['an infinite offset', 'close[1 / 0]', 'too_far'], ['an offset that is no number', 'close[0 / 0]', 'wrong_argument'],
  ])('%s is refused', (_what, text, expected) => {
    expect(code(text)).toBe(expected);
  });

  test('names that double what they are made of end at the limit, not in the memory', () => {
    const doubling = (step: (before: string, k: number) => string) => Object.fromEntries(Array.from({ length: 100 }, (_, k) => [`a${k}`, k === 0 ? 'close > open' : step(`a${k - 1}`, k)]));
    for (const step of [(a: string, k: number) => `${a} && ${a}[${k}]`, (a: string, k: number) => `${a}[${k}] || !${a}`, (a: string, k: number) => `${a} ? ${a}[${k}] : ${a}[${2 * k}]`]) {
      expect(code('a99', { let: doubling(step) })).toBe('too_large');
    }
  });
});

/** Pieces of programs: those of the language, those of JavaScript, and what is neither. */
const PIECES = [
  ...FUNCTIONS.keys(), ...SERIES.map(({ name }) => name), ...OPERATORS.map(({ name }) => name), '(', ')', '[', ']', ',', '.', '?', ':', ' ', '\n', '1', '14', '0.5', '1_000', '1e308', '-0', '"1h"', '"BTCUSDT"',
  '=>', '=', '{', '}', '`', '${', "'", '"', ';', '//', '/*', '...', '?.', '??', '**', '#x', '@', '\\u0061', 'new ', 'this', 'await ', 'async ', 'function', 'class', 'import', 'super', 'yield ', 'let ', 'constructor', '__proto__', '\u0000', '\u202E', '\uD800', '🙂',
];
const piece = fc.constantFrom(...PIECES);
const PROGRAMS = [...FUNCTIONS.values()].map(({ example }) => example).concat(OPERATORS.map(({ example }) => example));
/** A valid program with some places cut, doubled, exchanged or filled with something else. */
const mutated = fc.tuple(fc.constantFrom(...PROGRAMS), fc.constantFrom(...PROGRAMS), fc.array(fc.tuple(fc.nat(120), fc.nat(8), fc.constantFrom('cut', 'double', 'put', 'graft', 'wrap', 'swap'), piece, fc.constantFrom('1', '2', '14', ' ', '-', '+', '*', '<', '>')), { minLength: 1, maxLength: 4 }))
  .map(([program, other, steps]) => steps.reduce((text, [at, size, how, put, sign]) => {
    const from = at % (text.length + 1);
    const middle = text.slice(from, from + size);
    const changed = { cut: '', double: middle + middle, put, graft: other.slice(0, size * 3), wrap: `(${middle})`, swap: sign }[how];
    return text.slice(0, from) + changed + text.slice(from + (how === 'swap' ? 1 : size));
  }, program));

describe('whatever is said', () => {
  test('the answer is a value on each candle, or an error that points into the text', () => {
    const seen = { accepted: 0, refused: 0 };
    fc.assert(fc.property(fc.oneof({ weight: 4, arbitrary: mutated }, { weight: 2, arbitrary: fc.array(piece, { maxLength: 60 }).map((parts) => parts.join('')) }, { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) }), (text) => {
      const said = say(text);
      if (!(said instanceof LanguageError)) {
        seen.accepted++;
        expect(said.values).toHaveLength(CANDLES.length);
        for (const value of said.values) expect(value === null || typeof value === (said.type === 'condition' ? 'boolean' : 'number')).toBe(true);
        return;
      }
      seen.refused++;
      const lines = text.split('\n');
      expect(said.line).toBeLessThanOrEqual(lines.length);
      expect(said.column).toBeGreaterThanOrEqual(1);
      expect(said.column).toBeLessThanOrEqual((lines[said.line - 1]?.length ?? 0) + 1);
      expect(said.frame).toMatch(/^.*\n *\^+$/u);
      expect(said.message.length).toBeLessThan(3_000);
      // A terminal is shown no control characters and no text that runs the other way.
      expect(`${said.message}${said.frame.replaceAll('\n', '')}`).not.toMatch(/\p{C}/u);
    }), { numRuns: 3_000 });
    expect(seen.accepted).toBeGreaterThan(20);
    expect(seen.refused).toBeGreaterThan(500);
  });

  test('a damaged trader is a trader, or an error that names its field', () => {
    const field = fc.constantFrom('where', 'let', 'when', 'execution');
    const broken = fc.tuple(fc.constantFrom(...TEMPLATE_TRADERS), field, mutated, fc.constantFrom('a', 'cross', 'constructor', 'toString', 'rsi', 'close', 'n'))
      .map(([template, place, text, name]): TraderInput => ({
        ...template,
        ...(place === 'where' ? { where: { ...template.where, [name]: text } } : place === 'let' ? { let: { ...template.let, [name]: text }, where: { ...template.where, uses: `${name} > 1` } } : place === 'when' ? { when: text } : { execution: { exit: text } }),
      }));
    fc.assert(fc.property(broken, (input) => {
      const parsed = TraderDocument.safeParse(input);
      if (!parsed.success) return;
      try {
        compileTrader(parsed.data, '5m');
      } catch (error) {
        if (!(error instanceof LanguageError)) throw error;
        expect(error.field).toMatch(/^(where|let|params|when|execution)/);
      }
    }), { numRuns: 1_000 });
  });
});

test('a word with one letter wrong is nearly always recognised', () => {
  const words = [...FUNCTIONS.keys()].filter((name) => name.length >= 4);
  const misspelt = words.flatMap((word) => [word.slice(0, 2) + word.slice(3), `${word.slice(0, 2)}q${word.slice(3)}`, `${word}s`, word[1]! + word[0]! + word.slice(2), word.toUpperCase()]
    .filter((text) => !FUNCTIONS.has(text)).map((text) => ({ word, text })));
  const meant = misspelt.filter(({ word, text }) => (say(`${text}(close, 3)`) as LanguageError).message.includes(`Did you mean ${word}?`));
  expect(meant.length / misspelt.length).toBeGreaterThan(0.85);
});
