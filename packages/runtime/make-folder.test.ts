import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, expect, test } from 'vitest';
import { makeFolder } from './make-folder.ts';

const scratch = mkdtempSync(join(tmpdir(), 'tm-folder-'));
afterAll(() => rmSync(scratch, { recursive: true }));

test('a folder is made with all above it, once and again', () => {
  const path = join(scratch, 'a', 'b', 'c');
  makeFolder(path);
  makeFolder(path);
  expect(statSync(path).isDirectory()).toBe(true);
  makeFolder('/');
});

test('a file in the way is an error', () => {
  const file = join(scratch, 'file');
  writeFileSync(file, '');
  expect(() => makeFolder(file)).toThrow(expect.objectContaining({ code: 'EEXIST' }));
  expect(() => makeFolder(join(file, 'below'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
});

test.skipIf(!existsSync('/proc/self'))('where no folder can be made it is said, not tried for ever', async () => {
  const program = `import(${JSON.stringify(join(import.meta.dirname, 'make-folder.ts'))}).then(({ makeFolder }) => { try { makeFolder('/proc/nope/archive'); } catch (error) { console.log(error.code); } })`;
  // In a process of its own: what spins cannot be ended from within.
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', program], { timeout: 60_000, killSignal: 'SIGKILL' });
  expect(stdout.trim()).toBe('ENOENT');
});
