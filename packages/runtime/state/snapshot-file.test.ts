import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SnapshotFile } from './snapshot-file.ts';

let dataDir: string;
let file: SnapshotFile;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tm-snapshot-'));
  file = new SnapshotFile(dataDir);
});
afterEach(() => rmSync(dataDir, { recursive: true }));
const read = async (): Promise<number[] | undefined> => { const bytes = await file.read(); return bytes && [...bytes]; };

test('parts are laid end to end and let go of as they are written; the last of several writes stays, whole', async () => {
  expect(await read()).toBeUndefined();
  const parts = [Uint8Array.of(1, 2), new Uint8Array(0), Uint8Array.of(3)];
  await Promise.all([file.write([Uint8Array.of(9, 9, 9, 9, 9)]), file.write(parts)]);
  expect([await read(), parts]).toEqual([[1, 2, 3], []]);
  await file.remove();
  expect(await read()).toBeUndefined();
});

test('a write that fails leaves the one before, and the next one succeeds', async () => {
  await file.write([Uint8Array.of(1)]);
  const draft = join(dataDir, 'screener.snapshot.new');
  mkdirSync(draft);
  await expect(file.write([Uint8Array.of(2)])).rejects.toThrow();
  expect(await read()).toEqual([1]);
  rmSync(draft, { recursive: true });
  await file.write([Uint8Array.of(3)]);
  expect(await read()).toEqual([3]);
});
