import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { makeFolder } from '../../make-folder.ts';
import { systemWall } from '../../time.ts';
import { planRoom, recordSession } from './recordings.ts';

let dataDir: string;
let said: string[];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tm-recordings-'));
  said = [];
});
afterEach(() => rmSync(dataDir, { recursive: true }));

const record = (mostBytes: number) => recordSession({ dataDir, mostBytes, wall: systemWall, log: (_level, code) => said.push(code) });
const folder = () => join(dataDir, 'recordings');

test('the oldest go first, no more than must, and a new one may take at least half of all', () => {
  fc.assert(fc.property(fc.array(fc.nat(500)), fc.integer({ min: 1, max: 1_000 }), (sizes, most) => {
    const kept = sizes.map((bytes, index) => ({ name: String(index), bytes }));
    const { remove, room } = planRoom(kept, most);
    expect(remove).toEqual(kept.slice(0, remove.length).map(({ name }) => name));
    const left = sizes.slice(remove.length).reduce((sum, bytes) => sum + bytes, 0);
    expect(left + room).toBe(most);
    expect(room).toBeGreaterThanOrEqual(most / 2);
    if (remove.length > 0) expect(left + sizes[remove.length - 1]!).toBeGreaterThan(most / 2);
  }));
});

test('each session has a file of its own that nobody else may read; those before it make room, files of others stay', async () => {
  makeFolder(folder());
  const [old, newer, other] = ['2026-01-01T00-00-00.000Z.gz', '2026-01-02T00-00-00.000Z.gz', 'mine.gz'];
  for (const name of [old, newer, other]) writeFileSync(join(folder(), name), Buffer.alloc(600));
  const recorder = await record(2_000);
  const fresh = readdirSync(folder()).find((name) => ![old, newer, other].includes(name));
  expect(readdirSync(folder()).toSorted()).toEqual([newer, fresh, other]);
  expect(statSync(join(folder(), fresh!)).mode & 0o777).toBe(0o600);
  recorder!.frame(1, Buffer.from('{"a":1}'));
  await recorder!.close();
  expect(said).toEqual(['recordings_removed', 'recording']);
});

test('a machine whose folder cannot be written runs without a recording', async () => {
  writeFileSync(folder(), 'a file');
  expect(await record(2_000)).toBeUndefined();
  expect(said).toHaveLength(1);
});
