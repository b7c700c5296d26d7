import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogLine } from '@trademind/core';
import { linesOfFailure, linesOfFly, windowOf } from './lines.ts';

const AT = '2026-11-26T08:00:00.000Z';
const line = (ms: number, message: string): LogLine => ({ at: new Date(Date.parse(AT) + ms).toISOString(), level: 'info', code: null, message, source: 'fly' });
const fly = (message: string, at = AT) => linesOfFly([{ at, message, machineId: 'm1', region: 'sin' }])[0];

describe('a line that a machine wrote', () => {
  test('as JSON is shown by its words, level and code; the rest of it is nobody\'s business', () => {
    expect(fly('{"level":"warn","time":"2026-11-26T07:59:59.5Z","code":"cut_off","port":8080,"msg":"The line broke."}')).toEqual({ at: AT, level: 'warn', code: 'cut_off', message: 'The line broke.', source: 'fly' });
    expect(fly('{"level":"fatal","msg":"It ends."}')).toMatchObject({ level: 'error', code: null, message: 'It ends.' });
  });

  test('in another form stays as it is, cut and without what looks like a secret', () => {
    expect(fly('{"no":"words"}')).toMatchObject({ level: null, message: '{"no":"words"}' });
    expect(fly('{"level":')).toMatchObject({ level: null, message: '{"level":' });
    expect(fly(`fetch failed: Authorization: Bearer ${'x'.repeat(40)}`)?.message).toBe('fetch failed: Authorization: Bearer [redacted]');
    expect(fly(`{"level":"info","msg":"https://u:p4ssword@db.example and eyJhbGciOi.eyJzdWIi.c2ln"}`)?.message).toBe('https://[redacted]@db.example and [redacted]');
    expect(fly('y'.repeat(5_000))?.message).toHaveLength(2_000);
  });

  test('without a time has that of the line before; of what was kept of a failure, its own or that of the failure', () => {
    expect(linesOfFly([AT, '', 'nonsense'].map((at) => ({ at, message: 'x', machineId: undefined, region: undefined }))).map(({ at }) => at)).toEqual([AT, AT, AT]);
    expect(linesOfFailure({ at: AT, logs: ['plain', '{"level":"info","time":"2026-11-26T07:00:00Z","msg":"words"}'] })).toEqual([
      { at: AT, level: null, code: null, message: 'plain', source: 'failure' }, { at: '2026-11-26T07:00:00.000Z', level: 'info', code: null, message: 'words', source: 'failure' },
    ]);
  });
});

describe('the lines that are shown', () => {
  test('are the last ones, the oldest first; with an instant those after it; with a place those after that', () => {
    const lines = [line(0, 'a'), line(5, 'b'), line(5, 'c'), line(5, 'd'), line(9, 'e')];
    const shown = (wish: { after?: string; limit?: number }) => windowOf(lines, { limit: 100, ...wish }).items.map(({ message }) => message).join('');
    expect(shown({ limit: 2 })).toBe('de');
    expect(shown({ after: line(0, '').at })).toBe('bcde');
    expect(shown({ after: line(5, '').at })).toBe('e');
    expect(shown({ after: `${line(5, '').at}~1` })).toBe('cde');
    expect(shown({ after: line(9, '').at, limit: 1 })).toBe('');
    expect(windowOf(lines, { limit: 2, after: line(0, '').at })).toMatchObject({ next: `${line(5, '').at}~2` });
    expect(windowOf([], { limit: 2 })).toEqual({ items: [], next: null });
    expect(windowOf([], { limit: 2, after: `${AT}~3` })).toEqual({ items: [], next: `${AT}~3` });
  });

  test('come to whoever follows `next` each once and in order, however many of them share an instant', () => {
    fc.assert(fc.property(fc.array(fc.nat(6), { maxLength: 60 }), fc.integer({ min: 1, max: 9 }), fc.array(fc.nat(60), { maxLength: 8 }), (steps, limit, arrivals) => {
      let ms = 0;
      // most steps are none: several lines of one instant
      const lines = steps.map((step, at) => line(ms += Math.max(0, step - 4), String(at)));
      const told: string[] = [];
      let next: string | null = AT.replace('08', '07');
      // the log grows while it is followed
      for (const there of [...arrivals.toSorted((a, b) => a - b), lines.length]) {
        for (;;) {
          const window = windowOf(lines.slice(0, there), { limit, ...(next === null ? {} : { after: next }) });
          told.push(...window.items.map(({ message }) => message));
          next = window.next;
          if (window.items.length === 0) break;
        }
      }
      expect(told).toEqual(lines.map(({ message }) => message));
    }));
  });
});
