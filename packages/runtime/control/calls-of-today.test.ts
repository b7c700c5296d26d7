import { TradeMindError } from '@trademind/core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemWall } from '../time.ts';
import { CallsOfToday } from './calls-of-today.ts';
import type { CallRow } from './database.ts';

beforeEach(() => { vi.useFakeTimers({ now: Date.UTC(2026, 10, 26, 22, 30) }); });
afterEach(() => { vi.useRealTimers(); });
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

const rowNumber = (n: number): CallRow => ({
  id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`, signal_id: '00000000-0000-4000-8000-000000000000', attempt: 1, model: 'm', prompt_version: 'p', prompt_hash: 'h',
  started_at: new Date(Date.UTC(2026, 10, 26, 12) - n).toISOString().replace('Z', '+00:00'), latency_ms: 1, tokens_in: n, tokens_out: 0, nano_usd: n, estimated: false, result: 'answered',
});

function world(rows: CallRow[] = []) {
  const state = { rows, away: false, full: false, asked: [] as string[], learnt: [] as string[], said: [] as string[] };
  const ending = new AbortController();
  const calls = new CallsOfToday({
    wall: { ...systemWall, random: () => 1 }, signal: ending.signal, log: (_level, code) => state.said.push(code),
    learn: (known) => { if (state.full) return false; state.learnt.push(...known.map(({ id }) => id)); return true; },
    database: {
      analysesOfDay: (day, limit, last) => {
        state.asked.push(day);
        if (state.away) return Promise.reject(new TradeMindError({ code: 'database_unreachable', message: 'The database does not answer.' }));
        const from = last === undefined ? 0 : state.rows.findIndex(({ id }) => id === last.id) + 1;
        return Promise.resolve(state.rows.slice(from, from + limit));
      },
    },
  });
  const running = calls.run();
  return { calls, state, stop: async () => { ending.abort(); await running; } };
}

test('what the user used elsewhere is read as soon as this machine acts, all of it, and calls wait for it', async () => {
  const one = world(Array.from({ length: 1_234 }, (_, n) => rowNumber(n)));
  await pass(1_000);
  expect([one.calls.learning, one.state.asked]).toEqual([true, []]);
  one.calls.owned(1);
  await pass(1);
  expect([one.calls.learning, one.state.asked]).toEqual([false, ['2026-11-26', '2026-11-26', '2026-11-26']]);
  expect(one.state.learnt).toEqual(one.state.rows.map(({ id }) => id));
  await one.stop();
});

test('a database that is away, or a disk that is full, holds calls up for 5 s; that it is not known is said, and what is learnt later counts from then on', async () => {
  for (const trouble of ['away', 'full'] as const) {
    const one = world([rowNumber(1)]);
    one.state[trouble] = true;
    one.calls.owned(1);
    await pass(4_900);
    expect(one.calls.learning).toBe(true);
    await pass(200);
    expect([one.calls.learning, one.calls.problem]).toEqual([false, { code: 'analysis_usage_unknown', message: expect.stringContaining('by the calls that this machine knows') }]);
    one.state[trouble] = false;
    await pass(60_000);
    expect([one.calls.problem, one.state.learnt]).toEqual([null, [rowNumber(1).id]]);
    expect(one.state.said).toEqual([trouble === 'away' ? 'database_unreachable' : 'disk_failing', 'analysis_usage_known']);
    await one.stop();
  }
});

test('a database that does not even say who acts is asked all the same, and that it does not answer is said', async () => {
  const one = world([rowNumber(1)]);
  one.state.away = true;
  await pass(5_100);
  expect([one.calls.learning, one.calls.problem?.code]).toEqual([false, 'analysis_usage_unknown']);
  one.state.away = false;
  one.calls.owned(1);
  await pass(1);
  expect([one.calls.problem, one.state.learnt]).toEqual([null, [rowNumber(1).id]]);
  await one.stop();
});

test('it is read again every hour, of the day that it is then, without holding anything up', async () => {
  const one = world();
  one.calls.owned(1);
  await pass(1);
  one.state.away = true;
  await pass(3_600_000);
  expect([one.calls.learning, one.calls.problem]).toEqual([false, null]);
  one.state.away = false;
  await pass(3_700_000);
  expect([one.state.asked.at(0), one.state.asked.at(-1)]).toEqual(['2026-11-26', '2026-11-27']);
  await one.stop();
});

test('where another machine acted in between it is read anew, and calls wait again; a lease that was only confirmed late holds nothing up', async () => {
  const one = world();
  one.calls.owned(1);
  await pass(1);
  one.state.rows = [rowNumber(7)];
  one.calls.owned(1);
  expect(one.calls.learning).toBe(false);
  one.calls.owned(3);
  expect(one.calls.learning).toBe(true);
  await pass(1);
  expect([one.calls.learning, one.state.learnt.at(-1)]).toEqual([false, rowNumber(7).id]);
  await one.stop();
});
