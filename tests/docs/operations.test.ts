// "Each procedure was done in a test": that every heading of docs/operations.md names such tests, and that they are there.
import { expect, test } from 'vitest';
import { missing, page } from './named-tests.ts';

const text = page('operations.md');
/** Each heading with what stands below it, up to the next of its own rank or above. */
const sections = [...text.matchAll(/^(#{2,3}) (.+)$/gm)].map(({ index, 1: rank = '', 2: heading = '' }) => {
  const body = text.slice(index + rank.length + heading.length + 2);
  const end = body.search(new RegExp(`^#{2,${rank.length}} `, 'm'));
  return { heading, body: end < 0 ? body : body.slice(0, end) };
});
const named = (body: string) => [...body.matchAll(/^- `([^`]+)`: `([^`]+)`/gm)].map(([, file = '', name = '']) => ({ file, name }));

test.each(sections)('$heading', ({ body }) => {
  expect(named(body).length, 'it names no test that tries it').toBeGreaterThan(0);
  expect(named(body).map(({ file, name }) => missing(file, name)).filter((problem) => problem !== null)).toEqual([]);
});

test('every line that names a test is read, and there are many', () => {
  const said = [...text.matchAll(/^- `[^`]*\.test\.ts`/gm)];
  expect(sections.length).toBeGreaterThan(15);
  expect(said.length).toBeGreaterThan(30);
  expect(named(text)).toHaveLength(said.length);
});
