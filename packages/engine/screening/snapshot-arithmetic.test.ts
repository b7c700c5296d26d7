import { expect, test } from 'vitest';
import { arithmeticDigest } from '../testing/arithmetic-digest.ts';
import { ARITHMETIC } from './snapshot.ts';

test('snapshots bear the digest of what the indicators compute, so that none is read by an engine that computes otherwise', () => {
  const digest = arithmeticDigest();
  expect(digest, `What the indicators compute, or keep, has changed: if that is meant, write ARITHMETIC = '${digest}' in snapshot.ts, so that snapshots of before are refused`).toBe(ARITHMETIC);
});
