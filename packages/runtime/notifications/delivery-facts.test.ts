import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { NotificationEvent } from '@trademind/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { testSignal } from '../../../tests/support/feed.ts';
import { StateStore } from '../state/state-store.ts';
import { recordDeliveries, rowOf } from './delivery-facts.ts';
import type { Ended } from './message-queue.ts';

const signal = testSignal({ symbol: 'BTCUSDT' });
const ended = (over: Partial<Ended> = {}): Ended => ({ id: 'e1', channel: 'phone', rule: 'entries', outcome: 'sent', attempts: 1, problem: null, at: 1_700_000_000_000, event: { kind: 'signal', id: 'e1', at: 1, signal }, ...over });

describe('a delivery as a row', () => {
  test('says by ids what it was about, and by a code why it never came', () => {
    expect(rowOf(ended())).toEqual({ at: '2023-11-14T22:13:20.000Z', channel: 'phone', rule: 'entries', outcome: 'sent', attempts: 1, about: { kind: 'signal', signal_id: signal.id, trader_id: signal.traderId } });
    const end = (over: Partial<Ended>) => { const { outcome, code, message } = rowOf(ended(over)); return [outcome, code, message]; };
    expect(end({ outcome: 'refused', problem: 'telegram_message_refused' })).toEqual(['failed', 'telegram_message_refused', 'It was refused for good.']);
    expect(end({ outcome: 'refused', problem: 'unreadable', attempts: 0 })).toEqual(['failed', 'unreadable', 'It was queued by another version and could not be read.']);
    expect(end({ outcome: 'expired', attempts: 0 })).toEqual(['dropped', 'stale', 'It was no longer worth telling.']);
    expect(end({ outcome: 'expired', attempts: 2, problem: 'receiver_failing' })).toEqual(['dropped', 'stale', 'It was no longer worth telling; 2 attempts had failed, the last with receiver_failing.']);
    expect([end({ outcome: 'limited' })[1], end({ outcome: 'dropped', problem: 'channel_gone' })[1], end({ outcome: 'dropped', problem: 'too_many_waiting' })[1]]).toEqual(['rule_limit', 'channel_gone', 'too_many_waiting']);
  });

  test('whatever a code looks like, the row has one of the form that the database takes', () => {
    fc.assert(fc.property(fc.option(fc.string({ maxLength: 100 })), (problem) => {
      expect(rowOf(ended({ outcome: 'refused', problem })).code).toMatch(/^[a-z][a-z0-9_]{0,63}$/);
    }));
    expect(['ECONNRESET', 'a-b.c', 'é', '7'].map((problem) => rowOf(ended({ outcome: 'refused', problem })).code)).toEqual(['econnreset', 'a_b_c', 'unknown', 'unknown']);
  });

  test('holds nothing of the text', () => {
    const events: NotificationEvent[] = [
      { kind: 'decision', id: 'd', at: 1, traderId: signal.traderId, traderName: 'NAME', signalId: signal.id, symbol: 'X', interval: '5m', side: 'long', decision: 'wait', confidence: 1, reasoning: 'TEXT' },
      { kind: 'position', id: 'p', at: 1, traderId: signal.traderId, traderName: 'NAME', symbol: 'X', side: 'long', event: 'stop', paper: true, price: '1', quantity: '1', sentence: 'TEXT' },
      { kind: 'trader', id: 't', at: 1, traderId: signal.traderId, traderName: 'NAME', state: 'paused', sentence: 'TEXT' },
      { kind: 'health', id: 'h', at: 1, component: 'disk', title: 'Disk', state: 'failing', before: 'healthy', sentence: 'TEXT', nextStep: 'TEXT' }, { kind: 'test', id: 'x', at: 1 },
    ];
    const rows = events.map((event) => rowOf(ended({ event })));
    expect(rows.map(({ about }) => about?.['kind'])).toEqual(['decision', 'position', 'trader', 'health', 'test']);
    expect(JSON.stringify(rows)).not.toMatch(/NAME|TEXT/);
  });
});

describe('in the outbox', () => {
  let dataDir: string;
  let store: StateStore;
  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'tm-deliveries-'));
    store = new StateStore({ dataDir, epoch: () => 1, outbox: true });
  });
  afterEach(() => {
    store.close();
    rmSync(dataDir, { recursive: true });
  });
  const ids = () => store.outbox.batch({ rows: 100, bytes: 1e6 }).map(({ kind, id }) => `${kind} ${id}`);

  test('a delivery waits once, however often it is told; another channel, message or machine is another one', () => {
    const record = recordDeliveries(store, 'm1');
    record([ended(), ended({ channel: 'desk' }), ended({ id: 'e2' })]);
    record([ended()]);
    const before = ids();
    expect([before.length, new Set(before).size, before[0]?.startsWith('notification ')]).toEqual([3, 3, true]);
    recordDeliveries(store, 'm2')([ended()]);
    expect(ids()).toHaveLength(4);
    // The database has taken them, the machine was killed before it knew, and tells them again: under the ids that they had.
    store.outbox.settle(store.outbox.batch({ rows: 100, bytes: 1e6 }), [], () => undefined);
    record([ended({ id: 'e2' }), ended({ channel: 'desk' }), ended()]);
    expect(ids().toSorted()).toEqual(before.toSorted());
  });

  test('all of one telling or none', () => {
    const record = recordDeliveries(store, 'm1');
    expect(() => { record([ended(), ended({ id: 'e2', at: Number.NaN })]); }).toThrow();
    expect(ids()).toEqual([]);
  });
});
