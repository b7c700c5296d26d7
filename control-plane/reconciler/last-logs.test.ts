import { expect, test } from 'vitest';
import { createLastLogs } from './last-logs.ts';

const line = (message: string) => ({ at: '', message, machineId: 'm1', region: 'sin' });
const never = new AbortController().signal;

test('the last twenty lines are kept, cut, and without what looks like a secret', async () => {
  const logs = await createLastLogs(() => Promise.resolve([...Array.from({ length: 30 }, (_, at) => line(`line ${at}`)), line(`Authorization: Bearer ${'x'.repeat(40)}`), line('y'.repeat(2_000))]))('tm-1', 'm1', never);
  expect(logs).toHaveLength(20);
  expect(logs[0]).toBe('line 12');
  expect(logs.at(-2)).toBe('Authorization: Bearer [redacted]');
  expect(logs.at(-1)).toHaveLength(500);
});

test('a log that cannot be read keeps nobody from going on', async () => {
  expect(await createLastLogs(() => Promise.reject(new Error('away')))('tm-1', 'm1', never)).toEqual([]);
  expect(await createLastLogs(null)('tm-1', 'm1', never)).toEqual([]);
});
