import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { resetDataFolder } from './reset.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'trademind-reset-'));
  writeFileSync(join(folder, 'settings.json'), '{}');
  mkdirSync(join(folder, 'logs'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a reset deletes what a local cloud keeps', async () => {
  await resetDataFolder(folder, null, {});
  expect(existsSync(folder)).toBe(false);
});

test('a reset leaves the candle archive', async () => {
  mkdirSync(join(folder, 'archive', 'BTCUSDT'), { recursive: true });
  await resetDataFolder(folder, null, {});
  expect(readdirSync(folder)).toEqual(['archive']);
  expect(existsSync(join(folder, 'archive', 'BTCUSDT'))).toBe(true);
});

test('a folder that holds anything else is refused, and nothing is deleted', async () => {
  writeFileSync(join(folder, 'letter.txt'), 'dear');
  await expect(resetDataFolder(folder, null, {})).rejects.toMatchObject({ code: 'not_a_data_folder' });
  expect(readdirSync(folder)).toEqual(['letter.txt', 'logs', 'settings.json']);
});
