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
  for (const command of ['dev', 'local', 'open', 'status', 'deploy', 'monitor', 'logs', 'signals', 'explain', 'caps', 'destroy', 'traders', 'data']) expect(stdout).toContain(command);
  expect((await run('dev', '--help')).stdout).toContain('Examples:');
});

test('an unknown command and an unknown option are usage errors with status 2', async () => {
  expect((await run('screeen')).code).toBe(2);
  expect((await run('status', '--jsno')).code).toBe(2);
});

test('a session is either recorded or replayed; frames alone are counted by type; what is no recording says what to do', async () => {
  expect((await run('local', '--record', 'a.gz', '--replay', 'b.gz')).code).toBe(2);
  const folder = mkdtempSync(join(tmpdir(), 'trademind-main-'));
  const frames = join(folder, 'frames');
  writeFileSync(frames, [
    '{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161254080,"s":"BTCUSDT","t":1,"p":"61000.10000000","q":"0.00100000","T":1723161254079,"m":true,"M":true}}',
    '{"stream":"btcusdt@trade","data":{}}', '{"stream":"btcusdt@trade","data":{', '{"stream":"btcusdt@new","data":{"e":"new","E":1723161254080,"s":"BTCUSDT"}}',
  ].map((frame, index) => `172316125408789656${index} ${frame}\n`).join(''));
  const counted = await run('local', '--replay', frames, '--json');
  expect(counted.code).toBe(0);
  const counts = JSON.parse(counted.stdout) as { byType: Record<string, number> };
  expect(counts).toMatchObject({ event: 'counted', frames: 4, parsed: 1, undelivered: 0, byType: { trade: 1 }, digest: expect.stringMatching(/^[0-9a-f]{64}$/) });
  expect((counts.byType['unknown'] ?? 0) + (counts.byType['malformed'] ?? 0)).toBe(3);
  expect((await run('local', '--replay', frames, '--json')).stdout).toBe(counted.stdout);
  expect(await run('local', '--replay', frames)).toMatchObject({ code: 0, stdout: expect.stringMatching(/^Frames: 4 of .*; parsed 1, unknown \d, malformed \d\.\n {2}by type: .*trade 1.*\n {2}digest/) });
  const nothing = await run('local', '--replay', 'nowhere.gz', '--json');
  expect(nothing.code).toBe(1);
  expect(nothing.stdout).toContain('recording_unreadable');
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
