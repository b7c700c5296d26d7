import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteNames } from './byte-names.ts';

test('names come out as they are, wherever they stand, also when there are more than are kept', () => {
  const names = new ByteNames();
  fc.assert(fc.property(fc.stringMatching(/^[a-z0-9@_!]{0,30}$/), fc.stringMatching(/^[A-Z]{0,9}$/), (name, before) => {
    expect(names.of(Buffer.from(`${before}${name}"`), before.length, before.length + name.length)).toBe(name);
  }), { numRuns: 2_000 });
  for (let index = 0; index < 40_000; index++) expect(names.of(Buffer.from(`n${index}`), 0, `n${index}`.length)).toBe(`n${index}`);
});
