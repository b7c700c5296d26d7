import { expect, test } from 'vitest';
import { hasTest, missing, page } from './named-tests.ts';

const rows = page('lessons.md').split('\n').filter((line) => line.startsWith('| ') && !/^\| (what holds|---)/.test(line));

test.each(rows)('%s', (row) => {
  const [, promise, file, name] = /^\| ([^|]+\.) \| `([^`]+)`: `([^`]+)` \|$/.exec(row) ?? [];
  expect(promise, 'a row is: a promise, then file and name of its test').toBeDefined();
  expect(missing(file!, name!)).toBeNull();
});

test('the page is not empty, and a name that is not there is noticed', () => {
  expect(rows.length).toBeGreaterThan(80);
  expect(hasTest("test('a user\\'s own rows', () => {})", "a user's own rows")).toBe(true);
  expect(hasTest("test('a user\\'s own rows', () => {})", "a user's")).toBe(false);
});
