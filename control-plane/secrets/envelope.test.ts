import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { open, reseal, seal, type SealingKeys } from './envelope.ts';

const keysOf = (current: string, ...ids: string[]): SealingKeys => ({ current, keys: new Map(ids.map((id) => [id, randomBytes(32)])) });
const whose = { userId: 'u-1', field: 'binance' };
const codeOf = (work: () => unknown) => { try { work(); return 'none'; } catch (error) { return (error as { code: string }).code; } };

test('any text comes back as it was, and two envelopes of the same text differ', () => {
  const keys = keysOf('a', 'a');
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 2_000 }), (text) => {
    const [one, two] = [seal(keys, whose, text), seal(keys, whose, text)];
    expect(open(keys, whose, one)).toBe(Buffer.from(text, 'utf8').toString('utf8'));
    expect(one).not.toBe(two);
  }), { numRuns: 50 });
});

test('it opens for no other user, no other field, no other key, and not when any character of it was changed', () => {
  const keys = keysOf('a', 'a');
  const sealed = seal(keys, whose, 'a secret');
  expect(codeOf(() => open(keys, { ...whose, userId: 'u-2' }, sealed))).toBe('secret_unreadable');
  expect(codeOf(() => open(keys, { ...whose, field: 'gemini' }, sealed))).toBe('secret_unreadable');
  expect(codeOf(() => open(keysOf('a', 'a'), whose, sealed))).toBe('secret_unreadable');
  expect(codeOf(() => open(keysOf('b', 'b'), whose, sealed))).toBe('secret_unreadable');
  const text = Buffer.from(sealed.split('.')[3] ?? '', 'base64url');
  fc.assert(fc.property(fc.nat(text.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
    const changed = Buffer.from(text);
    changed[at] = (changed[at] as number) ^ by;
    expect(codeOf(() => open(keys, whose, [...sealed.split('.').slice(0, 3), changed.toString('base64url')].join('.')))).toBe('secret_unreadable');
  }), { numRuns: 60 });
  for (const damaged of ['', 'tm1', sealed.slice(0, 30), `${sealed}.x`, sealed.replace('tm1', 'tm2')]) expect(codeOf(() => open(keys, whose, damaged))).toBe('secret_unreadable');
});

test('after a rotation old envelopes open, are sealed anew without being opened, and no longer need the old key', () => {
  const old = keysOf('2026-11', '2026-11');
  const sealed = seal(old, whose, 'a secret');
  const both: SealingKeys = { current: '2026-12', keys: new Map([...old.keys, ['2026-12', randomBytes(32)]]) };
  expect(open(both, whose, sealed)).toBe('a secret');
  const anew = reseal(both, whose, sealed);
  expect(anew.split('.')[1]).toBe('2026-12');
  expect(anew.split('.')[3]).toBe(sealed.split('.')[3]);
  const only: SealingKeys = { current: '2026-12', keys: new Map([['2026-12', both.keys.get('2026-12') as Buffer]]) };
  expect(open(only, whose, anew)).toBe('a secret');
  expect(codeOf(() => open(only, whose, sealed))).toBe('secret_unreadable');
  expect(codeOf(() => reseal(both, { ...whose, field: 'gemini' }, sealed))).toBe('secret_unreadable');
});

test('an error says nothing of what was sealed', () => {
  const keys = keysOf('a', 'a');
  try {
    open(keys, { ...whose, userId: 'u-2' }, seal(keys, whose, 'a very secret text'));
  } catch (error) {
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('very secret');
  }
});
