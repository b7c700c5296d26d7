import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemWall } from '../time.ts';
import type { OutboxRow, RejectedRow } from './state-store.ts';
import { StateSynchronizer } from './state-synchronizer.ts';

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

/** An outbox in memory and a database that answers as the test says. */
interface Answers { fails: (Error & { code?: string }) | null; rejects: { id: string | null; code: string; message: string }[] }

function world(count: number, init: Partial<Answers> = {}) {
  let rows: OutboxRow[] = Array.from({ length: count }, (_, seq) => ({ seq, id: `id-${seq}`, payload: JSON.stringify({ id: `id-${seq}` }) }));
  const setAside: RejectedRow[] = [];
  const batches: string[][] = [];
  const state: Answers = { fails: null, rejects: [], ...init };
  const ending = new AbortController();
  const said: string[] = [];
  const synchronizer = new StateSynchronizer({
    wall: systemWall, signal: ending.signal, log: (_level, code) => said.push(code), onSent: () => undefined,
    store: {
      outboxBatch: (limit) => rows.slice(0, limit), outboxState: () => ({ rows: rows.length, oldestAt: null }),
      acknowledge: (sent, rejected) => {
        setAside.push(...rejected);
        rows = rows.filter((row) => !sent.includes(row));
      },
    },
    database: {
      writeSignals: (batch) => {
        if (state.fails) return Promise.reject(state.fails);
        batches.push(batch.map((row) => (row as { id: string }).id));
        return Promise.resolve({ inserted: batch.length, duplicates: 0, rejected: state.rejects });
      },
    },
  });
  const running = synchronizer.run();
  return { synchronizer, state, batches, setAside, said, left: () => rows.length, add: (row: OutboxRow) => rows.push(row), stop: async () => { ending.abort(); await running; } };
}

test('the outbox goes out oldest first, in batches of 500, a second apart', async () => {
  const one = world(1_200);
  await vi.advanceTimersByTimeAsync(10);
  expect(one.batches.map(({ length }) => length)).toEqual([500]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(one.batches.map(({ length }) => length)).toEqual([500, 500, 200]);
  expect(one.batches[0]?.[0]).toBe('id-0');
  one.add({ seq: 9_999, id: 'new', payload: '{"id":"new"}' });
  one.synchronizer.nudge();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(one.batches.at(-1)).toEqual(['new']);
  await one.stop();
});

test('while the database is away nothing leaves the outbox, attempts become rare, and it is said once', async () => {
  const one = world(3, { fails: Object.assign(new Error('away'), { code: 'database_unreachable' }) });
  await vi.advanceTimersByTimeAsync(60_000);
  one.synchronizer.nudge();
  expect([one.left(), one.synchronizer.problem?.code, one.said]).toEqual([3, 'database_unreachable', ['database_unreachable']]);
  one.state.fails = null;
  await vi.advanceTimersByTimeAsync(15_000);
  expect([one.left(), one.synchronizer.problem, one.said]).toEqual([0, null, ['database_unreachable', 'outbox_sending']]);
  await one.stop();
});

test('a row that the database refuses is set aside and does not hold the others up', async () => {
  const one = world(3, { rejects: [{ id: 'id-1', code: 'value_refused', message: 'price' }] });
  const flushed = one.synchronizer.flush(2_000);
  await vi.advanceTimersByTimeAsync(500);
  expect(await flushed).toBe(true);
  expect(one.setAside).toEqual([{ id: 'id-1', code: 'value_refused', message: 'price' }]);
  expect(one.said).toEqual(['value_refused']);
  await one.stop();
});

test('a flush empties the outbox without pauses, and gives up on a database that is away', async () => {
  const one = world(2_000);
  const flushed = one.synchronizer.flush(3_000);
  await vi.advanceTimersByTimeAsync(500);
  expect(await flushed).toBe(true);
  expect(one.batches).toHaveLength(4);
  one.add({ seq: 1, id: 'x', payload: '{}' });
  one.state.fails = new Error('away');
  const given = one.synchronizer.flush(15_000);
  await vi.advanceTimersByTimeAsync(3_000);
  expect(await given).toBe(false);
  expect(one.left()).toBe(1);
  await one.stop();
});
