// Pages that are written by hand, against what they speak of.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FACTS } from '../../packages/runtime/state/facts.ts';

const ROOT = join(import.meta.dirname, '../..');
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const numberIn = (path: string, name: string): string => new RegExp(`${name} = ([\\d_]+)`).exec(text(path))![1]!.replaceAll('_', '');

test('the README of the runtime names every room, and no file that is not there', () => {
  const readme = text('packages/runtime/README.md');
  const rooms = readdirSync(join(ROOT, 'packages/runtime'), { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== 'node_modules').map(({ name }) => name);
  expect(rooms.filter((room) => !readme.includes(`\`${room}/\``))).toEqual([]);
  const named = [...readme.matchAll(/`([a-z/-]+\.ts)`/g)].map(([, file]) => file!);
  const files = readdirSync(join(ROOT, 'packages'), { recursive: true, encoding: 'utf8' });
  expect(named.filter((file) => !files.some((path) => `/${path}`.endsWith(`/${file}`)))).toEqual([]);
});

test('what is kept and let go first is what the outbox does', () => {
  const page = text('docs/operations.md');
  const rows = Object.fromEntries([...page.matchAll(/^\| `([a-z]+)` \| (without limit|\d+) \| (stays|let go \w+) \|$/gm)].map(([, kind, most, full]) => [kind, { most, full }]));
  expect(Object.keys(rows)).toEqual(Object.keys(FACTS));
  const thinned = Object.keys(FACTS).filter((kind) => FACTS[kind as keyof typeof FACTS] !== null).toReversed();
  for (const [kind, most] of Object.entries(FACTS)) expect(rows[kind], kind).toEqual(most === null ? { most: 'without limit', full: 'stays' } : { most: String(most), full: `let go ${['first', 'second', 'third'][thinned.indexOf(kind)]}` });
  expect(page).toContain(`${numberIn('packages/runtime/state/outbox.ts', 'SET_ASIDE_MOST')} rows at most`);
  for (const [, name, mb] of text('packages/runtime/state/ballast.ts').matchAll(/name: '(ballast-\d)', bytes: (\d+) \* MB/g)) expect(page).toMatch(new RegExp(`${mb} MB[^.]*\\(\`${name}\`\\)`));
  expect(page).toContain(`(${numberIn('packages/runtime/state/state-store.ts', 'KEPT_SIGNALS')} at most)`);
});

test('a channel that refuses is tried as often as the page says, and a sweep comes as often as the README of the image says', () => {
  expect(numberIn('packages/runtime/notifications/lane.ts', 'REFUSED_MS')).toBe('3600000');
  expect(text('docs/notifications.md')).toContain('is tried once an hour');
  expect(numberIn('packages/runtime/market/market-link.ts', 'SWEEP_MS')).toBe('1000');
  expect(text('machine-image/README.md')).toContain('sweep of its own, once a second');
});
