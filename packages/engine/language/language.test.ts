import { TraderDocument, type TraderInput } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { candleAt, simulateCandles } from '../testing/simulate.ts';
import { compileTrader } from './compile-trader.ts';
import { evaluateExpression } from './evaluate.ts';
import { FUNCTIONS } from './functions.ts';
import { LanguageError } from './language-error.ts';

const refusal = (run: () => unknown): LanguageError => {
  try {
    run();
  } catch (error) {
    if (error instanceof LanguageError) return error;
    throw error;
  }
  throw new Error('it was accepted');
};
const refused = (text: string): LanguageError => refusal(() => evaluateExpression(text, []));
const compile = (input: Partial<TraderInput>) => compileTrader(TraderDocument.parse({ name: 'a trader', side: 'long', where: { c: 'close > open' }, ...input }), '5m');

describe('an error', () => {
  test.each([
    ['crossove(ema(9), ema(21))', 'unknown_name', 1, 'Did you mean crossover?', 'crossover(a, b)'],
    ['close > hig', 'unknown_name', 9, 'Did you mean high?', ''],
    ['close > zzzzzz', 'unknown_name', 9, 'no name "zzzzzz"', 'Series: open, high'],
    ['close[n] > 1', 'unknown_name', 7, 'no name "n".', 'give it a number in `params` or an expression in `let`'],
    ['rsi(len) < 30', 'unknown_name', 5, 'no name "len".', 'give it a number in `params` or an expression in `let`'],
    ['fast > slow', 'unknown_name', 1, 'no name "fast".', 'give it a number in `params` or an expression in `let`'],
    ['stoch(14, 3, 3).k > 1', 'unknown_name', 1, 'Did you mean stochastic?', 'stochastic(n, kSmooth, d)'],
    ['bb(20, 2).upper > 1', 'unknown_name', 1, 'Did you mean bollinger?', 'bollinger(series = close, n, k)'],
    ['ma(20) > 1', 'unknown_name', 1, 'Did you mean sma?', 'sma(series = close, n)'],
    ['ROC(5) > price', 'unknown_name', 1, 'Did you mean roc?', ''],
    ['5 > price', 'unknown_name', 5, 'Did you mean close?', ''],
    ['not(close > 3)', 'unknown_name', 1, 'no function "not". Did you mean !?', ''],
    ['stochastic(14, 3, 3).K > 1', 'unknown_field', 22, 'Did you mean .k?', ''],
    ['foo(3) > 1', 'unknown_name', 1, 'no function "foo"', 'Functions: sma'],
    ['rsi < 30', 'wrong_type', 1, 'needs parentheses', 'Example: rsi(14) < 30.'],
    ['macd(12, 26, 9) > 0', 'wrong_type', 1, '.line, .signal, .histogram', ''],
    ['macd(12, 26, 9).histgram > 0', 'unknown_field', 17, 'Did you mean .histogram?', ''],
    ['rsi(14).value < 30', 'unknown_field', 9, 'leave .value out', ''],
    ['rsi(14.5) < 30', 'wrong_argument', 5, 'a whole number from 1 to 1000 for n, not 14.5', ''],
    ['rsi(0) < 30', 'wrong_argument', 5, 'from 1 to 1000', ''],
    ['sma(1_001) > 1', 'too_far', 5, 'not 1001', ''],
    ['close[1_001] > 1', 'too_far', 7, 'from 0 to 1000', ''],
    ['rsi() < 30', 'wrong_argument', 1, 'wants 1 to 2 arguments, not 0', 'rsi(series = close, n)'],
    ['min(close) > 1', 'wrong_argument', 5, 'wants 2 arguments or more', ''],
    ['trueRange(3) > 1', 'wrong_argument', 11, 'wants no arguments', ''],
    ['sma(5, 20) > 1', 'wrong_type', 5, '5 is a number', ''],
    ['sma(close, volume) > 1', 'wrong_type', 12, 'a constant number for n, volume is a series of numbers', ''],
    ['rising(close > open, 2)', 'wrong_type', 8, 'close > open is a condition', ''],
    ['close[-1] > 1', 'wrong_argument', 7, 'looks back', ''],
    ['close[rsi(14)] > 1', 'wrong_type', 7, 'constant number of candles', ''],
    ['14[1] > 1', 'wrong_type', 1, 'no candles to look back on', ''],
    ['1 < 2 < 3', 'wrong_type', 1, 'cannot be chained', 'a < b && b < c'],
    ['close && open > 1', 'wrong_type', 1, 'wants a condition', 'close > 0'],
    ['!close', 'wrong_type', 2, 'wants a condition', ''],
    ['close + (close > open) > 1', 'wrong_type', 9, 'wants numbers', ''],
    ['close > open ? close : close > open', 'wrong_type', 24, 'one kind', ''],
    ['close ? 1 : 2', 'wrong_type', 1, 'wants a condition', ''],
    ['close > ', 'syntax', 9, 'ends where more is expected', ''],
    ['', 'syntax', 1, 'empty', ''],
    ['close > 1; close', 'syntax', 10, 'ends before this', ''],
  ])('in %j has the code %s, points at column %i and helps', (text, code, column, message, help) => {
    const error = refused(text);
    expect(error).toMatchObject({ code, column, line: 1, field: 'expression' });
    expect(error.message).toContain(message);
    expect(error.nextStep ?? '').toContain(help);
  });

  test('shows the line with a caret below the place', () => {
    expect(refused('close > open &&\n  volum > 3').frame).toBe('  volum > 3\n  ^^^^^');
    expect(refused('close > open &&\n  volum > 3')).toMatchObject({ line: 2, column: 3 });
    expect(refused(`${'close + '.repeat(90)}clse`).frame.split('\n').map((line) => line.length <= 100)).toEqual([true, true]);
  });
});

describe('hostile input', () => {
  test.each([
    'constructor', '__proto__', 'toString', 'close.constructor', 'rsi.constructor("return process")()', 'close["constructor"]', 'this', 'globalThis', 'process.env',
    'eval("1")', 'Function("return 1")()', 'import("node:fs")', 'import.meta', 'new Date()', '(() => 1)()', 'function () {}', 'class {}', 'async () => 1', '`${close}`', 'rsi`14`',
    'close = 1', 'close++', 'close, open', '[close]', '({ a: 1 }).a', '/a+/.test(close)', '"text"', '10n', 'true', 'null', 'undefined', 'close?.[1]', 'rsi?.(14)', 'rsi(...[14])',
    'typeof close', 'void 0', 'delete close', 'close in open', 'close instanceof open', 'close ** 2', 'close << 2', 'close ?? 1', '~close', 'close // comment', 'close /* comment */', '<!-- x',
    'await close', 'yield close', '#x in close', 'super.x', 'debugger', 'if (close) open', 'while (true) {}', '1e999', '\u0000', '\u202e close',
  ])('%j is refused and not run', (text) => {
    expect(['not_allowed', 'unknown_name', 'syntax', 'wrong_type']).toContain(refused(text).code);
  });

  test('what is too long or too deep is refused at once', () => {
    expect(refused('('.repeat(1_000_000)).code).toBe('too_long');
    expect(refused('('.repeat(1_990)).code).toBe('too_deep');
    expect(refused(`${'('.repeat(101)}close${')'.repeat(101)}`).code).toBe('too_deep');
    expect(refused(`${'!'.repeat(1_900)}(close > 1)`).code).toBe('too_deep');
    expect(refused(`${'- '.repeat(950)}close`).code).toBe('too_deep');
    expect(refused(`${'close > 1 ? '.repeat(160)}1`).code).toBe('syntax');
    expect(refused(`close${'[1]'.repeat(600)}`).code).toBe('too_deep');
    expect(refused(`close${' + close'.repeat(200)}`).code).toBe('too_deep');
  });

  const words = [...FUNCTIONS.keys(), 'close', 'volume', '1', '14', '0.5', '(', ')', '[', ']', ',', '.', '.upper', '+', '-', '*', '/', '<', '>', '==', '&&', '||', '!', '?', ':', ' ', '\n', '=>', '{', '}', '`', '"', '__proto__', ';'];
  test('random text, random words and damaged programs throw nothing but a language error', () => {
    const programs = [...FUNCTIONS.values()].map(({ example }) => example);
    const damaged = fc.tuple(fc.constantFrom(...programs), fc.nat(80), fc.nat(5), fc.constantFrom(...words))
      .map(([program, at, cut, word]) => program.slice(0, at % program.length) + word + program.slice((at % program.length) + cut));
    const anything = fc.oneof(fc.string({ unit: 'binary', maxLength: 200 }), fc.array(fc.constantFrom(...words), { maxLength: 40 }).map((parts) => parts.join('')), damaged);
    const candles = simulateCandles(3);
    let accepted = 0;
    fc.assert(fc.property(anything, (text) => {
      try {
        evaluateExpression(text, candles);
        accepted++;
      } catch (error) {
        if (!(error instanceof LanguageError)) throw error;
        // eslint-disable-next-line no-control-regex
        expect(error.message).not.toMatch(/[\u0000-\u001f]/);
      }
    }), { numRuns: 1_200 });
    expect(accepted).toBeGreaterThan(0);
  });
});

describe('three-valued logic', () => {
  // On candle 0 close[1] is not ready; close and open are.
  const candles = [candleAt(0, 10, { open: 9 }), candleAt(60_000, 12, { open: 11 })];
  const unready = 'close[1] > 0';
  test.each([
    [unready, null], [`!(${unready})`, null], [`false_ && ${unready}`, false], [`${unready} && false_`, false], [`true_ && ${unready}`, null], [`true_ || ${unready}`, true],
    [`${unready} || true_`, true], [`false_ || ${unready}`, null], [`${unready} ? true_ : true_`, null], ['close[1] == close[1]', null], ['close[1] != close[1]', null],
    ['0 / 0 > 1', null], ['(close - close) / (open - open) < 1', null], ['crossover(close, 5)', null], ['crossover(open, close)', false], ['rising(close, 1)', null], ['(close > open)[1]', null],
  ])('%s is %s on the first candle', (text, expected) => {
    const names = { let: { true_: 'close > 0', false_: 'close < 0' } };
    expect(evaluateExpression(text, candles, names).values[0]).toBe(expected);
  });

  test('a run is false as soon as one step fails, though the others are not known yet', () => {
    const walk = [3, 2, 3, 4, 5].map((price, index) => candleAt(index * 60_000, price));
    expect(evaluateExpression('rising(close, 3)', walk).values).toEqual([null, false, false, false, true]);
    expect(evaluateExpression('falling(close, 2)', walk).values).toEqual([null, null, false, false, false]);
  });

  test('a crossing needs to have been on the other side, or level', () => {
    const walk = [1, 2, 2, 3, 2, 1, 3].map((price, index) => candleAt(index * 60_000, price));
    expect(evaluateExpression('crossover(close, 2)', walk).values).toEqual([false, false, false, true, false, false, true]);
    expect(evaluateExpression('crossunder(close, 2)', walk).values).toEqual([null, false, false, false, false, true, false]);
  });
});

describe('a trader', () => {
  test('may name params and let expressions, which may use each other in any order', () => {
    const compiled = compile({ params: { n: 14, floor: 30 }, let: { turn: 'crossover(strength, floor)', strength: 'rsi(n)' }, where: { c: 'turn && volume > 1_000' } });
    expect(compiled).toMatchObject({ interval: '5m', settle: 14 * 14 + 2, first: 16, warnings: [] });
    expect(compiled.conditions[0]!.readings.map(({ expression }) => expression)).toEqual(['strength', 'floor', 'volume']);
    expect(compile({ params: { n: 14 }, where: { c: 'close[n / 2] > open' } }).settle).toBe(8);
  });

  test.each([
    [{ let: { a: 'b > 1', b: 'a ? 1 : 2' }, where: { c: 'a' } }, 'circular', 'let.a', 'a needs b needs a'],
    [{ let: { a: 'clos' } }, 'unknown_name', 'let.a', 'close'],
    [{ let: { close: 'open' } }, 'name_taken', 'let.close', 'word of the language'],
    [{ params: { rsi: 1 } }, 'name_taken', 'params.rsi', 'word of the language'],
    [{ params: { a: 1 }, let: { a: 'close' } }, 'name_taken', 'let.a', 'already a name'],
    [{ params: { new: 5 }, where: { c: 'close > 3' } }, 'name_taken', 'params.new', 'new is a word of JavaScript'],
    [{ params: { true: 1 } }, 'name_taken', 'params.true', 'true is a word of JavaScript'],
    [{ let: { in: 'close' } }, 'name_taken', 'let.in', 'Choose another name'],
    [{ where: { if: 'close > 1' }, when: 'all' }, 'name_taken', 'where.if', 'if is a word of JavaScript'],
    [{ where: { c: 'close' } }, 'wrong_type', 'where.c', 'a condition is wanted'],
    [{ where: { oversold: 'rsi(14) < limt' }, params: { limit: 30 } }, 'unknown_name', 'where.oversold', 'Did you mean limit?'],
    [{ when: 'c && d' }, 'unknown_name', 'when', 'no name "d"'],
    [{ when: 'c && rsi(14) < 30' }, 'not_allowed', 'when', 'functions cannot be called here'],
    [{ when: { atLeast: 2 } }, 'wrong_argument', 'when.atLeast', '2 of 1 conditions'],
    [{ where: { c: 'sma(ema(ema(ema(1000), 1000), 1000), 1000) > ema(ema(1000)[1000], 1000)[1000]' } }, 'too_far', 'where', 'more than 20000'],
    [{ where: { c: `min(${Array.from({ length: 90 }, (_, index) => `sma(close + ${index}, 900)`).join(', ')}) > 1` } }, 'too_large', 'where', 'more than 65536'],
  ] as const)('%j is refused', (input, code, field, message) => {
    const error = refusal(() => compile(input as Partial<TraderInput>));
    expect(error).toMatchObject({ code, field });
    expect(`${error.message} ${error.nextStep ?? ''}`).toContain(message);
  });

  test('any name that is accepted can be used', () => {
    const reserved = 'break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield await';
    for (const name of [...reserved.split(' '), 'async', 'get', 'set', 'undefined', 'arguments', 'eval', 'target', 'n', 'and', 'not', 'constructor', '_', 'a1']) {
      const uses: Partial<TraderInput>[] = [{ params: { [name]: 1 }, where: { c: `${name} < close && !(close > ${name})` } }, { let: { [name]: 'close > open' }, where: { c: `!${name} && ${name}[1]` } }, { where: { [name]: 'close > open' }, when: `!${name}` }];
      for (const input of uses) {
        if (reserved.split(' ').includes(name)) expect(refusal(() => compile(input)).code, name).toBe('name_taken');
        else expect(() => compile(input), name).not.toThrow();
      }
    }
  });

  test('let names that double their size stay small, for equal parts are one', () => {
    const doubling = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`a${index}`, index === 0 ? 'close + open' : `a${index - 1} * a${index - 1}`]));
    expect(compile({ let: doubling, where: { c: 'a59 > 1' } }).dag.nodes.length).toBeLessThan(75);
  });

  test('what is allowed but hardly meant is warned about', () => {
    expect(compile({ where: { c: 'close > highest(high, 20)' } }).warnings).toEqual(['where.c: highest(high, 20) includes the current candle; highest(high, 20)[1] is probably meant.']);
    expect(compile({ where: { c: 'close < lowest(low, 20)' } }).warnings).toHaveLength(1);
    expect(compile({ where: { c: 'close > highest(high, 20)[1] && highest(high, 5) > open' } }).warnings).toEqual([]);
  });

  test.each([
    ['close > highest(high, 20)[0]', 'highest(high, 20)'], ['high > donchian(20).upper', 'donchian(20).upper'], ['crossover(close, highest(high, 20))', 'highest(high, 20)'],
    ['crossunder(close, donchian(9).lower)', 'donchian(9).lower'], ['rsi(14) > highest(rsi(14), 9)', 'highest(rsi(14), 9)'], ['lowest(low, 5) > open', 'lowest(low, 5)'], ['close > top', 'top'],
    ['on("1h", close > highest(close, 3))', 'highest(close, 3)'],
  ])('%s never holds, and a warning says so', (text, culprit) => {
    expect(compile({ let: { top: 'highest(high, 7)' }, where: { c: text } }).warnings).toEqual([`where.c: ${culprit} includes the current candle; ${culprit}[1] is probably meant.`]);
    const walk = simulateCandles(600, { flatness: 0 });
    expect(evaluateExpression(text, walk, { let: { top: 'highest(high, 7)' } }).values).not.toContain(true);
  });

  test.each([
    'close >= highest(close, 20)', 'high == highest(high, 20)', 'high >= donchian(20).upper', 'low <= lowest(low, 20)', 'high > highest(close, 20)', 'close > highest(open, 5)', 'high > lowest(low, 3)',
    'crossover(close, highest(high, 20)[1])', 'crossover(high, highest(close, 5))', 'low < lowest(close, 9)', 'lowest(low, 3) < high', 'lowest(open, 5) > low',
  ])('%s may hold, and there is no warning', (text) => {
    expect(compile({ where: { c: text } }).warnings).toEqual([]);
    expect(evaluateExpression(text, simulateCandles(600, { flatness: 0 })).values).toContain(true);
  });

  test('candles of more than ten years are warned about, with the figure', () => {
    const warned = (input: Partial<TraderInput>): readonly string[] => compile(input).warnings;
    expect(warned({ where: { c: 'on("1M", close > sma(1000))' } })).toEqual(['where: 1000 candles of 1M are needed until it has settled, 82 years: few markets have been traded for so long.']);
    expect(warned({ where: { c: 'of("BTCUSDT", on("1w", close > sma(600)))' } })).toEqual([expect.stringContaining('600 candles of 1w of BTCUSDT are needed until it has settled, 11 years')]);
    expect(warned({ interval: '1d', where: { c: 'rsi(300) > 50' }, execution: { stop: 'on("1M", atr(10))' } })).toEqual([expect.stringContaining('where: 4201 candles of 1d'), expect.stringContaining('execution: 141 candles of 1M')]);
    expect(warned({ where: { c: 'on("1M", close > sma(100)) && on("1d", ema(200) > sma(1000)) && on("1w", close > sma(500))' } })).toEqual([]);
    expect(evaluateExpression('on("1M", sma(1000)) > 1', []).warnings).toEqual([expect.stringContaining('expression: 1000 candles of 1M')]);
  });

  test('nodes that nothing uses cost nothing, and equal ones are one', () => {
    const { dag } = compile({ let: { unused: 'sma(200)' }, where: { a: 'rsi(14) < 30', b: 'rsi(14) < 2 * 15', c: 'rsi(close, 14) < 30' } });
    expect(dag.nodes.filter((node) => 'kind' in node).map((node) => ('kind' in node ? node.kind.name : ''))).toEqual(['rsi', '>']);
  });

  test('settling adds up through what is nested, offsets included', () => {
    for (const [text, settle] of [['ema(10)', 70], ['rsi(14)', 197], ['atr(14)', 197 + 0], ['ema(rsi(14), 9)', 197 + 62], ['sma(20)[5]', 25], ['macd(12, 26, 9).signal', 182 + 62], ['crossover(ema(9), ema(21))', 148], ['change(sma(5), 3)', 8]] as const) {
      expect(evaluateExpression(text, []).settle, text).toBe(settle);
    }
  });

  test('`when` may be all, any, some, or an expression over the names, even one named all', () => {
    const held = (input: Partial<TraderInput>, price: number) => {
      const compiled = compile({ where: { a: 'close > 1', b: 'close > 2', all: 'close > 3' }, ...input });
      const found = evaluateExpression(`(close > 1 ? 1 : 0) + (close > 2 ? 1 : 0) + (close > 3 ? 1 : 0)`, [candleAt(0, price)]).values[0];
      return { node: compiled.dag.nodes[compiled.when]!, found };
    };
    expect(held({ when: 'any' }, 2).node).toMatchObject({ kind: { name: '||' } });
    expect(held({ when: { atLeast: 2 } }, 2).node).toMatchObject({ kind: { name: 'atLeast' }, params: [2, 3] });
    expect(held({ when: 'a && !b' }, 2).node).toMatchObject({ kind: { name: '&&' } });
    expect(held({ when: 'all' }, 2).node).toMatchObject({ kind: { name: '>' } });
  });
});
