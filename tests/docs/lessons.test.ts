import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const rows = readFileSync(join(ROOT, 'docs/lessons.md'), 'utf8').split('\n').filter((line) => line.startsWith('| ') && !/^\| (what holds|---)/.test(line));

/** Whether the text names a test so, by itself or as the form of many. */
function hasTest(source: string, name: string): boolean {
  const words = source.replaceAll("\\'", "'");
  return ["'", '`'].some((quote) => words.includes(`(${quote}${name}${quote},`));
}

test.each(rows)('%s', (row) => {
  const [, promise, file, name] = /^\| ([^|]+\.) \| `([^`]+)`: `([^`]+)` \|$/.exec(row) ?? [];
  expect(promise, 'a row is: a promise, then file and name of its test').toBeDefined();
  expect(existsSync(join(ROOT, file!)), `${file} is not there`).toBe(true);
  expect(hasTest(readFileSync(join(ROOT, file!), 'utf8'), name!), `${file} has no test of this name`).toBe(true);
});

test('the page is not empty, and a name that is not there is noticed', () => {
  expect(rows.length).toBeGreaterThan(80);
  expect(hasTest("test('a user\\'s own rows', () => {})", "a user's own rows")).toBe(true);
  expect(hasTest("test('a user\\'s own rows', () => {})", "a user's")).toBe(false);
});
