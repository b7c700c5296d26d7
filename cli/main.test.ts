import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { count, duration, number, utc } from './output/format.ts';
import { transform } from './tsx-loader.ts';

const run = (...args: string[]) => promisify(execFile)(process.execPath, [join(import.meta.dirname, 'bin/trademind.mjs'), ...args])
  .then(({ stdout, stderr }) => ({ code: 0, stdout, stderr }), (error: { code: number; stdout: string; stderr: string }) => error);

test('help names every command, and a command’s help shows examples', async () => {
  const { code, stdout } = await run('--help');
  expect(code).toBe(0);
  for (const command of ['dev', 'local', 'open', 'status', 'deploy', 'monitor', 'logs', 'signals', 'explain', 'destroy', 'traders', 'data']) expect(stdout).toContain(command);
  expect((await run('dev', '--help')).stdout).toContain('Examples:');
});

test('an unknown command and an unknown option are usage errors with status 2', async () => {
  expect((await run('screeen')).code).toBe(2);
  expect((await run('status', '--jsno')).code).toBe(2);
});

test('a session is either recorded or replayed; what cannot be replayed says what to do', async () => {
  expect((await run('local', '--record', 'a.gz', '--replay', 'b.gz')).code).toBe(2);
  const folder = mkdtempSync(join(tmpdir(), 'trademind-main-'));
  const frames = join(folder, 'frames');
  writeFileSync(frames, '1723161254087896568 {"stream":"btcusdt@trade","data":{}}\n');
  for (const [file, code] of [['nowhere.gz', 'recording_unreadable'], [frames, 'recording_frames_only']] as const) {
    const answer = await run('local', '--replay', file, '--json');
    expect(answer.code).toBe(1);
    expect(answer.stdout + answer.stderr).toContain(code);
  }
  rmSync(folder, { recursive: true });
});

test('deploy without a terminal asks for --yes instead of waiting', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trademind-main-'));
  const answer = await run('deploy', '--data', folder);
  expect([2, 3]).toContain(answer.code);
  expect(answer.stderr).toMatch(/→ /);
  rmSync(folder, { recursive: true });
});

test('numbers, counts, durations and instants read as people write them', () => {
  expect([number(64_210.551), number(0.00001234), number(null), number(75.5)]).toEqual(['64,210.55', '0.00001234', 'not ready', '75.5']);
  expect([count(1, 'symbol'), count(4_626, 'candle')]).toEqual(['1 symbol', '4,626 candles']);
  expect([duration(350), duration(12_400), duration(200_000), duration(7_500_000)]).toEqual(['350 ms', '12.4 s', '3 min 20 s', '2 h 5 min']);
  expect(utc(Date.UTC(2026, 10, 22, 18, 5))).toBe('2026-11-22 18:05');
});

test('a screen’s JSX becomes JavaScript, once for the same content', () => {
  const cache = mkdtempSync(join(tmpdir(), 'trademind-tsx-'));
  const file = join(import.meta.dirname, 'screens/market/rows.tsx');
  const once = transform(file, cache);
  expect(once).toContain('react/jsx-runtime');
  expect(once).not.toBe(readFileSync(file, 'utf8'));
  expect(transform(file, cache)).toBe(once);
  rmSync(cache, { recursive: true });
});
