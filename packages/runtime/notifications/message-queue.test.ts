import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { NotificationEvent } from '@trademind/core';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { testSignal } from '../../../tests/support/feed.ts';
import { MessageQueue, QUEUE_FILE } from './message-queue.ts';

const HOUR_MS = 3_600_000;
let dataDir: string;
let queue: MessageQueue;
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'tm-queue-'));
  queue = open();
});
afterEach(() => {
  queue.close();
  rmSync(dataDir, { recursive: true });
});
const open = (): MessageQueue => { const opened = MessageQueue.open(dataDir); expect(opened.trouble).toBeUndefined(); return opened.queue; };
const signal = (id: string): NotificationEvent => ({ kind: 'signal', id, at: 1, signal: testSignal() });
const health = (id: string): NotificationEvent => ({ kind: 'health', id, at: 1, component: 'disk', title: 'Disk', state: 'failing', before: 'healthy', sentence: 'Full.' });
const add = (event: NotificationEvent, over: { channel?: string; limited?: boolean; now?: number } = {}): boolean => queue.add({ event, channel: 'me', rule: 'r', limited: false, now: 1_000, ...over });
const settle = (id: string, outcome: 'sent' | 'refused'): void => queue.settle('me', [id], { outcome, problem: outcome === 'sent' ? null : 'no', now: 5_000 });
const ids = (channel = 'me'): string[] => queue.waiting(channel, 1_000, 9_000).map(({ id }) => id);

test('the important come first, then the old; what is settled waits no more, and a repeat changes nothing', () => {
  for (const [event, now] of [[signal('s1'), 1], [signal('s2'), 2], [health('h1'), 3]] as const) expect(add(event, { now })).toBe(true);
  expect(ids()).toEqual(['h1', 's1', 's2']);
  settle('h1', 'sent');
  expect(add(health('h1'))).toBe(false);
  expect(add(health('h1'), { channel: 'other' })).toBe(true);
  expect(ids()).toEqual(['s1', 's2']);
  expect(queue.stats()).toEqual({ waiting: 3, oldestAt: 1 });
});

test('a restart forgets nothing and repeats nothing, whatever happened before it', () => {
  fc.assert(fc.property(fc.array(fc.record({ id: fc.constantFrom('a', 'b', 'c', 'd', 'e'), act: fc.constantFrom('add', 'send', 'refuse', 'restart') }), { maxLength: 30 }), (acts) => {
    queue.close();
    for (const end of ['', '-wal', '-shm']) rmSync(join(dataDir, `${QUEUE_FILE}${end}`), { force: true });
    queue = open();
    const state = new Map<string, string>();
    for (const { id, act } of acts) {
      if (act === 'restart') { queue.close(); queue = open(); }
      if (act === 'add') { expect(add(signal(id))).toBe(!state.has(id)); state.set(id, state.get(id) ?? 'waiting'); }
      if (act === 'send' || act === 'refuse') {
        settle(id, act === 'send' ? 'sent' : 'refused');
        // How a message ended does not change any more.
        if (state.get(id) === 'waiting') state.set(id, act);
      }
      expect(ids().toSorted()).toEqual([...state].filter(([, one]) => one === 'waiting').map(([one]) => one).toSorted());
    }
    expect(queue.missed('me')).toBe([...state.values()].filter((one) => one === 'refuse').length);
  }), { numRuns: 40 });
});

test('what is too old or too much is taken out, the least important first, and counted until it has been told', () => {
  for (let index = 0; index < 510; index++) add(signal(`s${index}`), { now: 1_000 + index });
  add(health('h'));
  expect(queue.tidy(2_000)).toEqual(new Map([['me', 11]]));
  expect(ids()).toHaveLength(500);
  expect(ids().slice(0, 2)).toEqual(['h', 's11']);
  expect(queue.tidy(1_000 + 400 + HOUR_MS).get('me')).toBe(390);
  expect(queue.missed('me')).toBe(401);
  queue.toldMissed('me');
  expect(queue.missed('me')).toBe(0);
  expect(ids()[0]).toBe('h');
  queue.tidy(1_000 + 25 * HOUR_MS);
  expect(ids()).toEqual([]);
});

test('what was sent is forgotten after a week, no sooner', () => {
  add(signal('s'));
  settle('s', 'sent');
  queue.tidy(1_000 + 6 * 24 * HOUR_MS);
  expect(add(signal('s'), { now: 5_000 })).toBe(false);
  queue.tidy(1_000 + 8 * 24 * HOUR_MS);
  expect(add(signal('s'), { now: 5_000 })).toBe(true);
});

test('what a rule leaves out is kept as left out, and counts for no share of it', () => {
  add(signal('a'));
  add(signal('b'), { limited: true });
  expect([queue.ofRule('r', 0), queue.ofRule('r', 1_000), queue.missed('me'), ids()]).toEqual([1, 0, 1, ['a']]);
});

test('what waits for a channel that is gone goes nowhere', () => {
  add(signal('a'));
  add(signal('a'), { channel: 'other' });
  expect(queue.keepOnly(['me'], 7_000)).toBe(1);
  expect([ids(), ids('other')]).toEqual([['a'], []]);
  expect(queue.keepOnly([], 8_000)).toBe(1);
});

test('a file that is no queue is moved aside, and what a row of another version holds is set aside', () => {
  add({ ...health('new'), state: 'on fire' } as unknown as NotificationEvent);
  expect(ids()).toEqual([]);
  expect(queue.missed('me')).toBe(1);
  queue.close();
  writeFileSync(join(dataDir, QUEUE_FILE), 'this is no database, and long enough to be seen as none'.repeat(200));
  const opened = MessageQueue.open(dataDir);
  ({ queue } = opened);
  expect(opened.trouble?.kind).toBe('moved aside');
  expect(existsSync(join(dataDir, `${QUEUE_FILE}.broken`))).toBe(true);
  expect(readFileSync(join(dataDir, `${QUEUE_FILE}.broken`), 'utf8')).toContain('no database');
  expect(ids()).toEqual([]);
});

test('how each message ended is told until somebody has kept it, across a restart too, with the requests made and the reason', () => {
  for (const [index, id] of ['sent', 'refused', 'old', 'gone'].entries()) add(signal(id), { now: 1_000 + index, ...(id === 'gone' && { channel: 'other' }) });
  add(signal('left-out'), { limited: true, now: 1_500 });
  queue.attempted('me', ['sent', 'old'], 'telegram_failing');
  settle('sent', 'sent');
  queue.settle('me', ['refused'], { outcome: 'refused', problem: 'telegram_message_refused', now: 6_000 });
  queue.keepOnly(['me'], 7_000);
  queue.tidy(1_003 + HOUR_MS);
  queue.close();
  queue = open();
  const told = queue.ended(100).map(({ id, channel, rule, outcome, attempts, problem, at, event }) => [id, channel, rule, outcome, attempts, problem, at, event?.kind]);
  expect(told).toEqual([
    ['left-out', 'me', 'r', 'limited', 0, null, 1_500, 'signal'], ['sent', 'me', 'r', 'sent', 2, null, 5_000, 'signal'], ['refused', 'me', 'r', 'refused', 1, 'telegram_message_refused', 6_000, 'signal'],
    ['gone', 'other', 'r', 'dropped', 0, 'channel_gone', 7_000, 'signal'], ['old', 'me', 'r', 'expired', 1, 'telegram_failing', 1_003 + HOUR_MS, 'signal'],
  ]);
  queue.recorded(queue.ended(2));
  expect(queue.ended(100).map(({ id }) => id)).toEqual(['refused', 'gone', 'old']);
});

test('too many waiting, and a row that cannot be read, are ends with a reason of their own', () => {
  for (let index = 0; index < 501; index++) add(signal(`s${index}`), { now: 1_000 + index });
  queue.tidy(2_000);
  add({ ...health('new'), state: 'on fire' } as unknown as NotificationEvent, { channel: 'other' });
  ids('other');
  expect(queue.ended(9).map(({ id, outcome, problem, at, event }) => [id, outcome, problem, at, event?.kind])).toEqual([['s0', 'dropped', 'too_many_waiting', 2_000, 'signal'], ['new', 'refused', 'unreadable', 9_000, undefined]]);
});

test('the file of the first version is brought forward: what waits goes on, what ended before is not told', () => {
  queue.close();
  for (const end of ['', '-wal', '-shm']) rmSync(join(dataDir, `${QUEUE_FILE}${end}`), { force: true });
  const first = new DatabaseSync(join(dataDir, QUEUE_FILE));
  first.exec(`create table messages (id text not null, channel text not null, rule text not null, priority integer not null, event text not null, queued_at integer not null, expires_at integer not null,
    state text not null, attempts integer not null default 0, problem text, missed integer not null default 0, primary key (id, channel)) strict, without rowid; pragma user_version = 1`);
  for (const [id, state] of [['was sent', 'sent'], ['waits', 'waiting']] as const) {
    first.prepare("insert into messages (id, channel, rule, priority, event, queued_at, expires_at, state) values (?, 'me', 'r', 0, ?, 1, 2, ?)").run(id, JSON.stringify(signal(id)), state);
  }
  first.close();
  queue = open();
  expect([ids(), queue.ended(9)]).toEqual([['waits'], []]);
  settle('waits', 'sent');
  expect(queue.ended(9).map(({ id }) => id)).toEqual(['waits']);
});
