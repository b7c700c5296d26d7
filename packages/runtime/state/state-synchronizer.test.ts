import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemWall } from '../time.ts';
import { StateStore } from './state-store.ts';
import { StateSynchronizer } from './state-synchronizer.ts';
import { FactDatabase, type Harm } from './testing/fact-database.ts';

let dataDir: string;
let one: ReturnType<typeof world>;
beforeEach(() => {
  vi.useFakeTimers();
  dataDir = mkdtempSync(join(tmpdir(), 'tm-sync-'));
  one = world();
});
afterEach(async () => {
  await one.stop();
  vi.useRealTimers();
  rmSync(dataDir, { recursive: true });
});

/** A real outbox on disk, and a database that answers as the test says. */
function world() {
  const store = new StateStore({ dataDir, epoch: Date.now, outbox: true });
  const database = new FactDatabase();
  const ending = new AbortController();
  const said: string[] = [];
  const synchronizer = new StateSynchronizer({ store, database, wall: { ...systemWall, random: () => 0.5 }, signal: ending.signal, newId: randomUUID, log: (_level, code) => said.push(code), onSent: () => undefined });
  const running = synchronizer.run();
  let count = 0;
  const add = (rows: number, harm?: Harm) => store.file.transaction(() => {
    for (let row = 0; row < rows; row++) store.outbox.add('signal', `id-${count++}`, harm ? { harm } : {});
  });
  const events = () => store.outbox.batch({ rows: 10, bytes: 1e6 }).filter(({ kind }) => kind === 'event').map(({ payload }) => JSON.parse(payload) as { kind: string; message: string; data: { rows: number } });
  return {
    store, database, synchronizer, said, add, events, left: () => store.outbox.state().rows, sizes: () => database.batches.map(({ length }) => length),
    stop: async () => { ending.abort(); await running; store.close(); },
  };
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);
const event = (id: string) => one.store.outbox.add('event', id, { at: '2026-11-26T10:00:00.000Z', kind: 'x', message: 'x' });

test('the outbox goes out oldest first, in batches of 1,000, a second apart', async () => {
  one.add(2_400);
  one.synchronizer.nudge();
  await pass(10);
  expect(one.sizes()).toEqual([1_000]);
  await pass(2_000);
  expect(one.sizes()).toEqual([1_000, 1_000, 400]);
  expect(one.database.stored.get('signal')).toEqual(Array.from({ length: 2_400 }, (_, index) => `id-${index}`));
});

test('what is urgent goes at once and takes along what waits; without it the others wait 10 s for company, or until they are a full batch', async () => {
  await pass(10);
  event('e1');
  await pass(9_000);
  expect(one.sizes()).toEqual([]);
  one.add(1);
  one.synchronizer.nudge();
  await pass(10);
  expect(one.database.batches).toEqual([['id-0', 'e1']]);
  event('e2');
  await pass(12_000);
  expect(one.database.batches.at(-1)).toEqual(['e2']);
  for (let index = 0; index < 1_000; index++) event(`many-${index}`);
  await pass(2_500);
  expect(one.sizes()).toEqual([2, 1, 1_000]);
});

test('a database that takes long is left alone for four times as long', async () => {
  const { writeFacts } = one.database;
  one.database.writeFacts = async (facts) => {
    await new Promise((resolve) => { setTimeout(resolve, 1_500); });
    return writeFacts.call(one.database, facts);
  };
  one.add(3_000);
  one.synchronizer.nudge();
  await pass(1_600);
  expect(one.sizes()).toEqual([1_000]);
  await pass(5_800);
  expect(one.sizes()).toEqual([1_000]);
  await pass(2_000);
  expect(one.sizes()).toEqual([1_000, 1_000]);
});

test('while the database is away nothing leaves the outbox, attempts become rare, and it is said once; then it goes on small at first', async () => {
  one.add(3_000);
  let attempts = 0;
  one.database.fate = () => { attempts += 1; return 'unreachable'; };
  one.synchronizer.nudge();
  await pass(86_400_000);
  expect([one.left(), one.synchronizer.problem?.code, one.said]).toEqual([3_000, 'database_unreachable', ['database_unreachable']]);
  expect(attempts).toBeLessThan(2 * 86_400 / 7.5 + 50);
  one.database.fate = () => 'answered';
  await pass(60_000);
  expect([one.left(), one.synchronizer.problem, one.said]).toEqual([0, null, ['database_unreachable', 'outbox_sending']]);
  expect(one.sizes().slice(0, 4)).toEqual([1, 2, 4, 8]);
  expect(one.database.stored.get('signal')).toEqual(Array.from({ length: 3_000 }, (_, index) => `id-${index}`));
});

test('an answer that was lost does no harm: the rows are sent again, and known', async () => {
  const fates = ['answer lost', 'answer lost'] as const;
  let call = 0;
  one.database.fate = () => fates[call++] ?? 'answered';
  one.add(5);
  one.synchronizer.nudge();
  await pass(30_000);
  expect([one.left(), one.database.stored.get('signal')?.length]).toEqual([0, 5]);
});

test('rows that the database rejects are set aside, told in the history and as a problem for a day, and hold nobody up', async () => {
  one.add(2);
  one.add(2, 'rejected');
  one.add(1);
  one.synchronizer.nudge();
  await pass(10);
  expect(one.database.stored.get('signal')).toEqual(['id-0', 'id-1', 'id-4']);
  expect(one.store.outbox.setAside().map(({ id, code }) => `${id} ${code}`)).toEqual(['id-2 value_refused', 'id-3 value_refused']);
  expect(one.events()).toMatchObject([{ kind: 'facts_refused', message: 'The database refused signal id-2 (Not this one.), and 1 more: kept on the machine, missing here.', data: { rows: 2 } }]);
  expect(one.synchronizer.problem).toMatchObject({ code: 'facts_refused', message: expect.stringMatching(/refused 2 rows/) as string });
  await pass(15_000);
  expect(one.database.stored.get('event')).toHaveLength(1);
  await pass(86_400_000);
  expect(one.synchronizer.problem).toBeNull();
});

test('an event that is refused is not told by another event', async () => {
  one.store.outbox.add('event', 'bad', { at: '', kind: 'x', message: 'x', harm: 'rejected' } as never);
  await pass(12_000);
  expect([one.left(), one.store.outbox.setAside().length]).toEqual([0, 1]);
});

test('a row that spoils whole calls, and one on which the database fails, are found and set aside; all others are written', async () => {
  one.add(300);
  one.add(1, 'spoils');
  one.add(300);
  one.add(1, 'breaks');
  one.add(300);
  one.synchronizer.nudge();
  await pass(600_000);
  expect(one.database.stored.get('signal')?.length).toBe(900);
  expect(one.store.outbox.setAside().map(({ id, code }) => `${id} ${code}`)).toEqual(['id-300 database_refused', 'id-601 database_failing']);
  expect(one.left()).toBe(0);
});

test('what had to be let go is told once the database answers', async () => {
  one.database.fate = () => 'busy';
  event('gone');
  one.store.outbox.letGoAll();
  one.add(1);
  one.synchronizer.nudge();
  await pass(30_000);
  expect(one.store.outbox.state().rows).toBe(1);
  one.database.fate = () => 'answered';
  await pass(16_000);
  const told = [...one.events(), ...(one.database.stored.get('event') ?? [])];
  expect(told).toHaveLength(1);
});

test('a flush empties the outbox without pauses, and gives up on a database that is away', async () => {
  one.add(4_000);
  const flushed = one.synchronizer.flush(3_000);
  await pass(500);
  expect(await flushed).toBe(true);
  expect(one.sizes()).toEqual([1_000, 1_000, 1_000, 1_000]);
  one.add(1);
  one.database.fate = () => 'unreachable';
  const given = one.synchronizer.flush(15_000);
  await pass(4_000);
  expect(await given).toBe(false);
  expect(one.left()).toBe(1);
});
