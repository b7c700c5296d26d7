import { expect, test } from 'vitest';
import { DRAIN_LEASE_S, drainOf } from './drain.ts';

const at = (seconds: number) => new Date(Date.parse('2026-11-26T12:00:00Z') + seconds * 1_000).toISOString();
const status = (phase: 'screening' | 'draining', rows: number, more: { time?: number; rate?: number; interval?: string } = {}) => ({
  phase, detail: '.', bootId: 'b', version: '1', startedAt: 0, market: { time: more.time ?? Date.parse(at(0)), rate: more.rate ?? 1, connected: true, symbols: 0, backfilled: { done: 0, total: 0 }, lastCloseAt: null, candles: 0, halted: [] },
  traders: more.interval === undefined ? [] : [{ id: '00000000-0000-4000-8000-000000000001', name: 'T', version: 1, interval: more.interval, state: 'running', symbols: 1, ready: 1, matching: 0, historyFrom: 0, liveFrom: 0, signals: { live: 0, history: 0 } }],
  outbox: { rows, oldestMs: 0 }, process: { rssMb: 1, cpuPercent: 0, uptimeS: 1 }, problems: [],
});
/** Asked at 0; looked at after 20 s. */
const asked = { claimed_at: at(20), drain_until: at(DRAIN_LEASE_S) };

test('a machine has drained when it said so after it was asked, with nothing left', () => {
  expect(drainOf({ ...asked, beat_at: at(15), status: status('draining', 0) })).toMatchObject({ beating: true, askedMs: 20_000, drained: true });
  expect(drainOf({ ...asked, beat_at: at(15), status: status('draining', 3) })).toMatchObject({ drained: false });
  expect(drainOf({ ...asked, beat_at: at(15), status: status('screening', 0) })).toMatchObject({ drained: false });
  // of a drain before this one
  expect(drainOf({ ...asked, beat_at: at(-5), status: status('draining', 0) })).toMatchObject({ drained: false });
});

test('one that was never asked, or so long ago that the drain has ended by itself, is to be asked', () => {
  expect(drainOf({ claimed_at: at(20), drain_until: null, beat_at: at(15), status: status('draining', 0) })).toMatchObject({ askedMs: null, drained: false });
  expect(drainOf({ claimed_at: at(500), drain_until: at(DRAIN_LEASE_S), beat_at: at(495), status: status('draining', 0) })).toMatchObject({ askedMs: null, drained: false });
});

test('who has not beaten for a minute, or never, is not there', () => {
  expect(drainOf({ ...asked, claimed_at: at(90), beat_at: at(20), status: null })).toMatchObject({ beating: false });
  expect(drainOf({ ...asked, beat_at: null, status: null })).toMatchObject({ beating: false, drained: false });
});

test('the moment after a close follows the market\'s clock and the shortest interval; a replay is not waited for', () => {
  const beat = { ...asked, claimed_at: at(20), beat_at: at(10) };
  // the beat said 12:00:00; ten seconds later it is 12:00:10: the minute has just closed
  expect(drainOf({ ...beat, status: status('draining', 0, { interval: '1m' }) }).untilCloseMs).toBe(0);
  expect(drainOf({ ...beat, status: status('draining', 0, { interval: '1m', time: Date.parse(at(40)) }) }).untilCloseMs).toBe(12_000);
  expect(drainOf({ ...beat, status: status('draining', 0, { interval: '1h', time: Date.parse(at(40)) }) }).untilCloseMs).toBe(0);
  expect(drainOf({ ...beat, status: status('draining', 0, { interval: '1m', time: Date.parse(at(40)), rate: 60 }) }).untilCloseMs).toBe(0);
});
