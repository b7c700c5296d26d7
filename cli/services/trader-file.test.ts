import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TradeMindError, TraderDocument } from '@trademind/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readTraderFile } from './trader-file.ts';

let folder = '';
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'trademind-trader-')); });
afterAll(() => rmSync(folder, { recursive: true }));

const read = (text: string) => {
  writeFileSync(join(folder, 't'), text);
  return readTraderFile('t', folder);
};
interface Refusal { code: string; field?: string; message: string; frame?: string; nextStep?: string }
const refusal = (text: string): Refusal => {
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(TradeMindError);
    return error as Refusal;
  }
  throw new Error('it was accepted');
};

const TRADER = { name: 'Mine', side: 'long', where: { up: 'close > sma(close, 5)' } };
const YAML = `# what I look for
name: Mine
side: long
params:
  n: { value: 5, min: 2, max: 50, step: 1 }
where:
  up: close > sma(close, n)      # above the mean
  not_down: '!(close < open)'
  long_one: >-
    volume > sma(volume, 20) &&
    rsi(14) < 70
execution:
  targets:
    - { at: 2 * atr(14), share: 1 }
`;

describe('a trader file', () => {
  test('may be YAML or JSON, hold one trader, a list, or several parted by ---', () => {
    expect(read(JSON.stringify(TRADER)).map(({ document }) => document)).toEqual([TraderDocument.parse(TRADER)]);
    expect(read(JSON.stringify([TRADER, { ...TRADER, name: 'Other' }], null, '\t'))).toHaveLength(2);
    expect(read(`\uFEFF${YAML}---\n${YAML.replace('Mine', 'Other')}`).map(({ document }) => document.name)).toEqual(['Mine', 'Other']);
    expect(read(YAML)[0]!.document.where).toEqual({ up: 'close > sma(close, n)', not_down: '!(close < open)', long_one: 'volume > sma(volume, 20) && rsi(14) < 70' });
  });

  test('may name its schema for the editor', () => {
    expect(read(JSON.stringify({ $schema: './trader.schema.json', ...TRADER }))[0]!.document).not.toHaveProperty('$schema');
  });

  test.each([
    ['a misspelt key', YAML.replace('side:', 'sied:'), 'line 3, column 1: unknown key "sied"', 'sied: long\n^'],
    ['a misspelt key further in', YAML.replace('step:', 'stp:'), 'line 5, column 35: params.n: unknown key "stp"', undefined],
    ['a missing field', YAML.replace('side: long\n', ''), 'side: is missing', undefined],
    ['a wrong value', YAML.replace('share: 1', 'share: 2'), 'line 14, column 33: execution.targets.0.share: Too big', '    - { at: 2 * atr(14), share: 2 }\n                                ^'],
    ['a key that stands twice', YAML.replace('not_down', 'up'), 'line 8, column 3: Map keys must be unique', undefined],
    ['an unclosed quote', YAML.replace("open)'", 'open)'), 'Missing closing', undefined],
    ['an unclosed brace', '{ "name": "Mine"', 'line 1', undefined],
    ['an expression without quotes that YAML reads otherwise', YAML.replace(/'!.*'/, '!(close < open)'), 'line 8', undefined],
    ['a tag', YAML.replace('Mine', '!!js/function "x"'), 'line 2', undefined],
    ['an alias', YAML.replace('Mine', '&a Mine').replace('side: long', 'side: *a'), '*a refers to another place', undefined],
    ['__proto__ as a name', YAML.replace('not_down', '__proto__'), 'line 8, column 3: a name cannot be __proto__', undefined],
    ['__proto__ as a key of JSON', '{"__proto__": {"a": 1}}', 'a name cannot be __proto__', undefined],
    ['a key that is no word', '{ ? [a] : 1 }', 'a key must be a word', undefined],
    ['a list of nothing', '[]', 'holds no trader', undefined],
    ['nothing', '# nothing yet\n', 'holds no trader', undefined],
    ['a text', 'hello', 'expected object', undefined],
    ['too much of it', `# ${'x'.repeat(1_000_001)}`, 'more than 1000000', undefined],
  ])('with %s is refused, and told where', (_what, text, message, frame) => {
    const error = refusal(text);
    expect(error.code).toBe('trader_invalid');
    expect(error.message).toContain(message);
    if (frame !== undefined) expect(error.frame).toBe(frame);
  });

  test('with a wrong expression shows it with a caret and the line of the file, before anything is sent', () => {
    const error = refusal(YAML.replace('sma(close, n)', 'smaa(close, n)'));
    expect(error).toMatchObject({ code: 'unknown_name', field: 'where.up', frame: 'close > smaa(close, n)\n        ^^^^' });
    expect(error.message).toContain('t, line 7: where.up, column 9: there is no function "smaa". Did you mean sma?');
    expect(refusal(`[${JSON.stringify(TRADER)},\n${JSON.stringify({ ...TRADER, execution: { stop: 'atrr(3)' } })}]`).message).toContain('line 2: execution.stop, column 1');
  });

  test('that is not there is said to be so', () => {
    expect(() => readTraderFile('none.json', '/')).toThrow(expect.objectContaining({ code: 'not_found' }));
    expect(() => readTraderFile('.', folder)).toThrow(expect.objectContaining({ code: 'file_unreadable' }));
  });

  test('whatever is in it, the answer is traders or an error that can be told', () => {
    const cut = fc.tuple(fc.nat(YAML.length), fc.nat(8), fc.constantFrom('', ':', '- ', '"', "'", '{', ']', '!', '&a', '*a', '\t', '\n', '---\n', '? ', '<<: ', '__proto__', '|')).map(([at, gone, put]) => YAML.slice(0, at) + put + YAML.slice(at + gone));
    fc.assert(fc.property(fc.oneof(cut, fc.string({ unit: 'binary', maxLength: 80 })), (text) => {
      try {
        read(text);
      } catch (error) {
        expect(error).toBeInstanceOf(TradeMindError);
      }
    }), { numRuns: 500 });
  });
});
