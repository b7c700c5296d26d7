import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { keepLastWords, takeLastWords } from './last-words.ts';

test('the reason of a crash is kept without secrets and told once', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tm-words-'));
  keepLastWords(join(dataDir, 'data'), Object.assign(new Error('no way with hunter2secret'), { code: 'lost' }), ['hunter2secret']);
  const words = takeLastWords(join(dataDir, 'data'));
  expect(words).toMatchObject({ code: 'lost', message: 'no way with [redacted]' });
  expect(words?.stack).not.toContain('hunter2secret');
  expect(takeLastWords(join(dataDir, 'data'))).toBeUndefined();
  rmSync(dataDir, { recursive: true });
});

test('a folder that cannot be written to makes no second crash', () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'tm-words-'));
  writeFileSync(join(dataDir, 'file'), '');
  keepLastWords(join(dataDir, 'file', 'below'), new Error('x'), []);
  expect(takeLastWords(join(dataDir, 'file', 'below'))).toBeUndefined();
  rmSync(dataDir, { recursive: true });
});
