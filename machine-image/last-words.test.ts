import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CrashReport } from '@trademind/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { LastWords, type LastWordsOptions } from './last-words.ts';

let dataDir: string;
beforeEach(() => { dataDir = join(mkdtempSync(join(tmpdir(), 'tm-words-')), 'data'); });
afterEach(() => { rmSync(join(dataDir, '..'), { recursive: true }); });

const memory = { rssMb: 120, limitMb: 512, heapMb: 30, heapLimitMb: 256 };
const start = (over: Partial<LastWordsOptions> = {}): LastWords =>
  new LastWords({ dataDir, version: '1.2.3', secrets: ['hunter2secret'], now: () => new Date(1_700_000_000_000), uptimeS: () => 61.4, memory: () => memory, ...over });

test('the reason of a crash survives the restart with the last lines of the log and without secrets, and is news once', () => {
  const words = start();
  for (let line = 0; line < 40; line++) words.heard({ at: line, level: 'info', code: 'x', message: `line ${line} hunter2secret` });
  words.crashed(Object.assign(new Error('no way with hunter2secret'), { code: 'lost' }));
  const { before, news } = start();
  expect(before).toHaveLength(1);
  expect(CrashReport.parse(before[0])).toMatchObject({ kind: 'crashed', code: 'lost', message: 'no way with [redacted]', version: '1.2.3', uptimeS: 61, memory, at: '2023-11-14T22:13:20.000Z' });
  expect(before[0]?.log.map(({ message }) => message).at(-1)).toBe('line 39 [redacted]');
  expect(before[0]?.log).toHaveLength(15);
  expect(before[0]).not.toHaveProperty('stack');
  expect(readFileSync(join(dataDir, 'last-words.json'), 'utf8')).not.toContain('hunter2secret');
  expect(news).toEqual(before);
});

test('an end as it should be leaves nothing', () => {
  start().ended();
  const next = start();
  expect(next.before).toEqual([]);
  next.ended();
  // What fails afterwards is not its end.
  next.crashed(new Error('too late'));
  next.exited(0);
  expect(start().before).toEqual([]);
});

test('a process that was killed is told of by the next one, with what it was doing; without memory to spare that is the likely reason', () => {
  start().heard({ at: 1, level: 'warn', code: 'x', message: 'busy' });
  expect(start().before).toMatchObject([{ kind: 'killed', code: 'ended_silently', message: expect.stringContaining('120 of 512 MB') as string }]);
  const full = start({ memory: () => ({ ...memory, rssMb: 500 }) });
  expect(full.before.map(({ kind }) => kind)).toEqual(['killed', 'killed']);
  expect(start({ memory: () => ({ ...memory, heapMb: 250 }) }).before.at(-1)).toMatchObject({ kind: 'out-of-memory', nextStep: expect.stringContaining('more memory') as string });
  expect(start().before.at(-1)).toMatchObject({ kind: 'out-of-memory' });
});

test('news are told once, the reports stay, and only the last ones are kept', () => {
  for (let crash = 0; crash < 14; crash++) start().crashed(new Error(`crash ${crash}`));
  const next = start();
  expect(next.before.map(({ message }) => message)).toEqual(Array.from({ length: 10 }, (_, index) => `crash ${index + 4}`));
  expect(next.news.map(({ message }) => message)).toEqual(['crash 13']);
  next.ended();
  expect(start().news).toEqual([]);
});

test('the first words count, and an exit that nobody explained is explained by its code', () => {
  const words = start();
  words.drainTimedOut();
  words.crashed(new Error('while ending'));
  expect(start().before).toMatchObject([{ kind: 'drain-timeout', code: 'drain_timeout' }]);
});

test('an unexplained exit and a worker without memory are named', () => {
  start().exited(7);
  const next = start();
  expect(next.before.at(-1)).toMatchObject({ kind: 'crashed', code: 'exit_7' });
  next.crashed(Object.assign(new Error('Worker terminated due to reaching memory limit'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }));
  expect(start().before.at(-1)).toMatchObject({ kind: 'out-of-memory', code: 'ERR_WORKER_OUT_OF_MEMORY' });
});

test('a folder that cannot be written, and files that nobody understands, make no second crash', () => {
  writeFileSync(join(dataDir, '..', 'file'), '');
  const nowhere = start({ dataDir: join(dataDir, '..', 'file', 'below') });
  nowhere.crashed(new Error('x'));
  expect(start({ dataDir: join(dataDir, '..', 'file', 'below') }).before).toEqual([]);
  start().ended();
  writeFileSync(join(dataDir, 'last-words.json'), '{"at":"then"}');
  writeFileSync(join(dataDir, 'alive.json'), '{"at":');
  expect(start().before).toEqual([]);
});
