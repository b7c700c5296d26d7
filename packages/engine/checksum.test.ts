import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checksumOf, checksumOfWords } from './checksum.ts';

test.each([['bytes', checksumOf], ['words', checksumOfWords]] as const)('a checksum by %s shows every single byte that changed, wherever it is, and is the same for the same bytes', (_name, sum) => {
  fc.assert(fc.property(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.nat(), fc.integer({ min: 1, max: 255 }), (bytes, where, by) => {
    const changed = Uint8Array.from(bytes);
    changed[where % bytes.length]! ^= by;
    expect(sum(Uint8Array.from(bytes))).toBe(sum(bytes));
    expect(sum(changed)).not.toBe(sum(bytes));
  }));
});
