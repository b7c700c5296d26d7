import { expect, test } from 'vitest';
import type { Io } from '../io.ts';
import { createProgress, remaining } from './progress.ts';

/** A terminal, or none, whose clock is set by the test. */
function screen(isTTY: boolean) {
  const seen = { stdout: '', stderr: '', now: 0 };
  const io = {
    stdout: (text: string) => { seen.stdout += text; }, now: () => seen.now, color: { stdout: false, stderr: false },
    streams: { stderr: { isTTY, columns: 100, write: (text: string) => { seen.stderr += text; } } },
  } as unknown as Io;
  return { seen, io };
}

test('on a terminal one line is rewritten, with what is left once that can be told', () => {
  const { seen, io } = screen(true);
  const progress = createProgress('Download', false, io);
  progress.update({ done: 0, total: 0 }, ' (looked at 1 of 9 series)');
  seen.now = 100;
  progress.update({ done: 10, total: 40_000 });
  seen.now = 10_000;
  progress.update({ done: 10_000, total: 40_000 });
  progress.end();
  expect(seen.stderr.split('\r\u001B[2K')).toEqual(['', 'Download: 0 of 0 candles (looked at 1 of 9 series)', 'Download: 25.0 %, 10,000 of 40,000 candles, 30.0 s left', '']);
});

test('elsewhere a plain line comes every ten seconds', () => {
  const { seen, io } = screen(false);
  const progress = createProgress('Download', false, io);
  for (; seen.now <= 25_000; seen.now += 1_000) progress.update({ done: seen.now, total: 100_000 });
  progress.end();
  expect(seen.stderr).toBe('Download: 10.0 %, 10,000 of 100,000 candles, 1 min 30 s left\nDownload: 20.0 %, 20,000 of 100,000 candles, 1 min 20 s left\n');
});

test('as JSON an event comes every second, on stdout alone', () => {
  const { seen, io } = screen(true);
  const progress = createProgress('Download', true, io);
  for (; seen.now <= 3_000; seen.now += 500) progress.update({ done: seen.now, total: 6_000 });
  progress.end();
  expect(seen.stderr).toBe('');
  expect(seen.stdout.trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([
    { event: 'progress', what: 'Download', done: 0, total: 6_000 }, { event: 'progress', what: 'Download', done: 1_000, total: 6_000 },
    { event: 'progress', what: 'Download', done: 2_000, total: 6_000, remainingMs: 4_000 }, { event: 'progress', what: 'Download', done: 3_000, total: 6_000, remainingMs: 3_000 },
  ]);
});

test('what is left is told by the speed so far, not before there is one', () => {
  expect([remaining({ done: 0, total: 9 }, 60_000), remaining({ done: 1, total: 9 }, 1_000), remaining({ done: 3, total: 9 }, 6_000)]).toEqual([undefined, undefined, 12_000]);
});
