import { expect, test } from 'vitest';
import type { LogLine, MachineLogs } from '@trademind/core';
import { followLogs } from './log-lines.ts';
import { HttpError } from './http.ts';

const line = (message: string): LogLine => ({ at: '2026-11-26T08:00:00.000Z', level: 'info', code: null, message, source: 'machine' });
const answer = (messages: string[], next: string | null, notice: MachineLogs['notice'] = null): MachineLogs => ({ items: messages.map(line), next, source: 'machine', notice });
const stopped = { code: 'machine_not_reachable', message: 'It is stopped.', nextStep: 'Start it.' };

test('whoever follows a log reads each line once, waits out what passes, hears of each reason once, and ends when told to', async () => {
  const end = new AbortController();
  const asked: object[] = [];
  const told: string[] = [];
  const answers: (MachineLogs | Error)[] = [
    answer(['a', 'b'], '~2'), answer(['c'], '~3'), answer([], '~3'), new HttpError(503, { code: 'database_unavailable', message: 'x' }), new HttpError(429, { code: 'too_many_requests', message: 'x' }),
    answer([], '~3', stopped), answer([], '~3', stopped), answer(['d'], '~4'),
  ];
  await followLogs({
    lines: 2, signal: end.signal, lookMs: 1, onLine: ({ message }) => told.push(message), onNotice: ({ code }) => told.push(code),
    read: (at) => {
      asked.push(at);
      const next = answers.shift();
      if (answers.length === 0) end.abort();
      return next instanceof Error ? Promise.reject(next) : Promise.resolve(next!);
    },
  });
  expect(told).toEqual(['a', 'b', 'c', 'machine_not_reachable', 'd']);
  expect(asked).toEqual([{ limit: 2 }, { after: '~2' }, ...Array.from({ length: 6 }, () => ({ after: '~3' }))]);
});

test('a machine that is gone ends it with the reason', async () => {
  const gone = new HttpError(404, { code: 'machine_not_found', message: 'x' });
  await expect(followLogs({ lines: 2, signal: new AbortController().signal, onLine: () => undefined, onNotice: () => undefined, read: () => Promise.reject(gone) })).rejects.toBe(gone);
});
