import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FACTS } from './facts.ts';
import type { LetGo, Outbox, OutboxRow } from './outbox.ts';
import { MIGRATIONS } from './schema.ts';
import { STATE_FILE, StateStore } from './state-store.ts';

let dataDir: string;
let store: StateStore;
let outbox: Outbox;
let now = 1_000;
const open = () => {
  store = new StateStore({ dataDir, epoch: () => now, outbox: true });
  ({ outbox } = store);
};
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tm-outbox-'));
  now = 1_000;
  open();
});
afterEach(() => {
  store.close();
  rmSync(dataDir, { recursive: true });
});

const at = '2026-11-26T10:00:00.000Z';
const event = (id: string, message = 'It happened.') => outbox.add('event', id, { at, kind: 'test', message });
const decision = (id: string) => outbox.add('decision', id, { at, outcome: 'none', reason: 'stale', message: 'Too old.' });
const signal = (id: string, more: Record<string, unknown> = {}) => outbox.add('signal', id, { symbol: 'BTCUSDT', ...more });
const metric = (minute: number) => outbox.add('metric', String(minute), { at, seconds: 60, cpu_percent: 1, cpu_percent_max: 1, rss_mb: 1, rss_mb_max: 1, candles: 0, signals: 0, outbox_rows_max: 0 });
const all = () => outbox.batch({ rows: 10_000, bytes: 1e9 });
const ids = (rows: readonly OutboxRow[]) => rows.map(({ kind, id }) => `${kind} ${id}`);
const told = () => {
  let gone: readonly LetGo[] = [];
  outbox.tellLetGo((one) => { gone = one; });
  return gone;
};

test('what is never let go comes first, each oldest first, and events and metrics use the room that is left', () => {
  event('e1');
  signal('s1');
  metric(1);
  decision('s1');
  signal('s2');
  event('e2');
  expect(ids(all())).toEqual(['signal s1', 'decision s1', 'signal s2', 'event e1', 'metric 1', 'event e2']);
  expect(ids(outbox.batch({ rows: 4, bytes: 1e9 }))).toEqual(['signal s1', 'decision s1', 'signal s2', 'event e1']);
});

test('a batch is bounded by its bytes too, but a row that is larger than all bounds still goes, alone', () => {
  signal('large', { conditions: 'x'.repeat(5_000) });
  signal('small');
  expect(ids(outbox.batch({ rows: 10, bytes: 1_000 }))).toEqual(['signal large']);
  expect(ids(outbox.batch({ rows: 10, bytes: 6_000 }))).toEqual(['signal large', 'signal small']);
});

test('some rows may be passed over, or one picked', () => {
  signal('a');
  signal('b');
  const [first, second] = all() as [OutboxRow, OutboxRow];
  expect(ids(outbox.batch({ rows: 9, bytes: 1e9 }, { except: [first.seq] }))).toEqual(['signal b']);
  expect(ids(outbox.batch({ rows: 9, bytes: 1e9 }, { only: second.seq }))).toEqual(['signal b']);
});

test('a fact that waits already is not queued again, and the count is right through all of it, a restart included', () => {
  signal('a');
  now = 2_000;
  signal('a');
  signal('b');
  expect(outbox.state()).toEqual({ rows: 2, oldestAt: 1_000 });
  expect(() => store.file.transaction(() => { signal('c'); throw new Error('no'); })).toThrow('no');
  store.close();
  open();
  expect(outbox.state()).toEqual({ rows: 2, oldestAt: 1_000 });
  outbox.settle(all().slice(0, 1), [], () => undefined);
  expect(outbox.state()).toEqual({ rows: 1, oldestAt: 2_000 });
});

test('rows leave when they are answered for; a refused one is set aside with its reason, told, and counted for a day', () => {
  signal('a');
  signal('b');
  signal('c');
  const rows = all();
  let heard: string[] = [];
  outbox.settle(rows.slice(0, 2), [{ row: rows[0]!, code: 'value_refused', message: 'no' }], (aside) => { heard = ids(aside.map(({ row }) => row)); });
  expect([ids(all()), heard, outbox.setAside()]).toEqual([['signal c'], ['signal a'], [{ kind: 'signal', id: 'a', code: 'value_refused', message: 'no' }]]);
  expect([outbox.setAsideSince(999), outbox.setAsideSince(1_000)]).toEqual([1, 0]);
});

test('a decision that was refused because its signal is not there stays while the signal still waits, and not for longer', () => {
  signal('s');
  decision('s');
  const rows = all();
  const refused = { row: rows[1]!, code: 'signal_unknown', message: 'no' };
  outbox.settle([rows[1]!], [refused], () => undefined);
  expect(ids(all())).toEqual(['signal s', 'decision s']);
  outbox.settle([rows[0]!], [], () => undefined);
  outbox.settle([rows[1]!], [refused], () => undefined);
  expect([all(), outbox.setAside().length]).toEqual([[], 1]);
});

test('of what may be let go so many wait at most: the oldest go, and how many is told once; the rest is never touched', () => {
  for (let minute = 0; minute < FACTS.metric + 300; minute++) {
    now = 1_000 + minute;
    metric(minute);
    signal(`s${minute}`);
  }
  const rows = all();
  const metrics = rows.filter(({ kind }) => kind === 'metric');
  expect(rows.length - metrics.length).toBe(FACTS.metric + 300);
  expect(metrics.length).toBeLessThanOrEqual(FACTS.metric);
  expect(metrics.length).toBeGreaterThan(FACTS.metric * 0.85);
  expect(metrics.at(-1)?.id).toBe(String(FACTS.metric + 299));
  const gone = FACTS.metric + 300 - metrics.length;
  expect(told()).toEqual([{ kind: 'metric', rows: gone, from: 1_000, to: 999 + gone }]);
  expect(told()).toEqual([]);
});

test('on a full disk all goes that may, and signals, decisions and what was paid stay', () => {
  signal('s');
  decision('s');
  outbox.add('analysis', 'a', { signal_id: 's', attempt: 1, model: 'm', prompt_version: 'p', prompt_hash: 'h', started_at: at, latency_ms: 1, tokens_in: 1, tokens_out: 1, nano_usd: 1, estimated: false, result: 'answered' });
  event('e');
  metric(1);
  outbox.letGoAll();
  expect(ids(all())).toEqual(['signal s', 'decision s', 'analysis a']);
  expect(told().map(({ kind, rows }) => [kind, rows])).toEqual([['event', 1], ['metric', 1]]);
});

test('when telling what was let go fails, it is told the next time', () => {
  metric(1);
  outbox.letGoAll();
  expect(() => outbox.tellLetGo(() => { throw new Error('no'); })).toThrow('no');
  expect(told()).toHaveLength(1);
});

test('the file of an earlier version is brought forward with what waits in it', () => {
  store.close();
  rmSync(dataDir, { recursive: true });
  dataDir = mkdtempSync(join(tmpdir(), 'tm-outbox-'));
  const old = new DatabaseSync(join(dataDir, STATE_FILE));
  const before = MIGRATIONS.findIndex((sql) => sql.includes('outbox_counts'));
  old.exec(`${MIGRATIONS.slice(0, before).join(';')}; pragma user_version = ${before}`);
  const id = randomUUID();
  old.prepare("insert into outbox (kind, id, payload, at) values ('signal', ?, '{}', 5)").run(id);
  old.exec("insert into set_aside (id, kind, payload, code, message, at) values ('x', 'signal', '{}', 'c', 'm', 5)");
  old.close();
  open();
  expect([ids(all()), outbox.state(), outbox.setAside()]).toEqual([[`signal ${id}`], { rows: 1, oldestAt: 5 }, [{ kind: 'signal', id: 'x', code: 'c', message: 'm' }]]);
});

test('without anywhere to send to, nothing is queued', () => {
  store.close();
  store = new StateStore({ dataDir, epoch: () => 1, outbox: false });
  ({ outbox } = store);
  signal('a');
  event('b');
  expect(outbox.state().rows).toBe(0);
});
