import { expect, test } from 'vitest';
import { codeOf, sentenceOf, TradeMindError } from './errors.ts';
import { FeedFrame } from './feed.ts';
import { parseWith } from './parse.ts';
import { TraderDocument } from './trader.ts';

const trader = { name: 'Dip', side: 'long', where: { oversold: 'rsi(14) < 30' } };
const problem = (value: unknown): TradeMindError => {
  try {
    parseWith(TraderDocument, value, 'trader_invalid', 'The trader');
  } catch (error) {
    return error as TradeMindError;
  }
  throw new Error('it was accepted');
};

test('what has a default may be left out', () => {
  expect(parseWith(TraderDocument, trader, 'trader_invalid', 'The trader')).toMatchObject({ when: 'all', repeat: 'edge', universe: { quote: 'USDT', largest: 100 } });
});

test('an unknown key is named, not ignored', () => {
  expect(problem({ ...trader, intervall: '1m' })).toMatchObject({ code: 'trader_invalid', message: 'The trader: unknown key "intervall"' });
});

test('keys of any length, and any number of them, make an error that is still short', () => {
  const long = 'k'.repeat(40_000);
  for (const value of [{ ...trader, [long]: 1 }, { ...trader, where: { [long]: 'close > 1' } }, { ...trader, universe: { [long]: 1 } }, { ...trader, ...Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`key${index}`, 1])) }]) {
    const { message, field } = problem(value);
    expect(message.length).toBeLessThan(700);
    expect(field!.length).toBeLessThanOrEqual(200);
  }
  expect(problem({ ...trader, a1: 1, a2: 1, a3: 1, a4: 1, a5: 1, a6: 1, a7: 1 }).message).toBe('The trader: unknown key "a1", "a2", "a3", "a4", "a5" and 2 more');
});

test('a wrong value names its field and what is accepted, never the value', () => {
  const error = problem({ ...trader, side: 'sk-secret-value' });
  expect(error.field).toBe('side');
  expect(error.message).toContain('"long"');
  expect(error.message).not.toContain('sk-secret-value');
});

test('a trader without a condition is refused', () => {
  expect(problem({ ...trader, where: {} }).message).toContain('name at least one condition');
});

test('a frame of another version is refused', () => {
  expect(FeedFrame.safeParse({ v: 2, epoch: 'e', seq: 1, type: 'gap', data: { from: 1, to: 2 } }).success).toBe(false);
});

test('an error reads as one sentence with its next step, and its code is stable', () => {
  const error = new TradeMindError({ code: 'port_taken', message: 'Port 4270 is taken.', nextStep: 'Choose another with --port-base.' });
  expect(sentenceOf(error)).toBe('Port 4270 is taken. Choose another with --port-base.');
  expect(codeOf(error)).toBe('port_taken');
  expect(codeOf(Object.assign(new Error('x'), { code: 'ECONNREFUSED' }))).toBe('ECONNREFUSED');
  expect(codeOf('x')).toBe('internal');
});
