import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { systemWall, type Wall } from '../time.ts';
import type { LeaseAnswer } from './database.ts';
import { OwnerLease, type OwnerState } from './owner-lease.ts';

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const held = (fence: number): LeaseAnswer => ({ held: true, fence, expires_in_ms: 60_000 });
const other = (freeInMs: number, superseded = false): LeaseAnswer => ({
  held: false, superseded, expires_in_ms: 0, free_in_ms: freeInMs,
  holder: { machine_id: '6a2f41a3-c54c-4ce8-b5f7-0f2f6a3f1b11', environment: 'production', region: 'sin', since: '2026-11-26T10:00:00+00:00' },
});
const away = () => Promise.reject(Object.assign(new Error('away'), { code: 'database_unreachable' }));

function world(first: LeaseAnswer | (() => Promise<LeaseAnswer>), kept = new Map<string, string>()) {
  const state = { answer: first, epochJump: 0, asked: [] as (number | null)[], released: [] as number[], said: [] as string[], told: [] as string[] };
  const wall: Wall = { ...systemWall, epoch: () => Date.now() + state.epochJump, random: () => 0 };
  const ending = new AbortController();
  const lease = new OwnerLease({
    wall, signal: ending.signal, newId: randomUUID, log: (_level, code) => state.said.push(code), onChange: ({ state: name }: OwnerState) => state.told.push(name),
    store: { get: (key) => kept.get(key), set: (key, value) => { kept.set(key, value); } },
    database: {
      holdLease: (_holder, fence) => { state.asked.push(fence); return typeof state.answer === 'function' ? state.answer() : Promise.resolve(state.answer); },
      releaseLease: (_holder, fence) => { state.released.push(fence); return Promise.resolve(true); },
    },
  });
  const running = lease.run();
  const refusal = () => { try { return lease.entryFence(); } catch (error) { return (error as { code: string }).code; } };
  return { lease, state, kept, refusal, stop: async () => { ending.abort(); await running; } };
}
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

test('before the database has answered nothing is opened; then it is taken, and renewed under the same fence', async () => {
  const one = world(held(7));
  expect([one.lease.state.state, one.lease.mayAct, one.refusal()]).toEqual(['unknown', true, 'owner_unsure']);
  await pass(10);
  expect([one.lease.state, one.lease.mayAct, one.refusal()]).toEqual([{ state: 'held', fence: 7 }, true, 7]);
  await pass(60_000);
  expect(one.state.asked).toEqual([null, 7, 7, 7]);
  expect(one.state.told).toEqual(['held']);
  await one.stop();
});

test('while the database is away it holds until its time is over, then goes on but opens nothing, and says so; when it answers all is as before', async () => {
  const one = world(held(3));
  await pass(10);
  one.state.answer = away;
  await pass(55_000);
  expect([one.lease.state.state, one.refusal(), one.lease.problem?.code]).toEqual(['held', 3, 'database_unreachable']);
  await pass(10_000);
  expect([one.lease.state.state, one.lease.mayAct, one.refusal(), one.lease.problem?.code]).toEqual(['lapsed', true, 'owner_unsure', 'owner_unsure']);
  one.state.answer = held(3);
  await pass(5_000);
  expect([one.refusal(), one.lease.problem]).toEqual([3, null]);
  expect(one.state.told).toEqual(['held', 'lapsed', 'held']);
  expect(one.state.said).toEqual(['owner', 'database_unreachable', 'owner_lease_answered']);
  await one.stop();
});

test('its time counts from before it asked, so an answer that came late holds for less', async () => {
  const one = world(() => new Promise((resolve) => { setTimeout(() => resolve(held(1)), 9_000); }));
  await pass(9_010);
  one.state.answer = away;
  expect(one.refusal()).toBe(1);
  await pass(51_000);
  expect(one.refusal()).toBe('owner_unsure');
  await one.stop();
});

test('a machine that was suspended, or whose clock was set, no longer trusts its lease', async () => {
  const one = world(held(1));
  await pass(10);
  for (const jump of [120_000, -120_000]) {
    one.state.epochJump = jump;
    expect([one.lease.state.state, one.refusal()]).toEqual(['lapsed', 'owner_unsure']);
  }
  await pass(20_000);
  expect(one.refusal()).toBe(1);
  await one.stop();
});

test('another owner is said, waited for, and followed as soon as it is free', async () => {
  const one = world(other(100_000));
  await pass(10);
  expect([one.lease.state.state, one.lease.mayAct, one.refusal()]).toEqual(['waiting', false, 'owner_elsewhere']);
  expect(one.lease.problem?.message).toContain('6a2f41a3-c54c-4ce8-b5f7-0f2f6a3f1b11 (production, sin) acts since 2026-11-26');
  await pass(4_000);
  expect(one.state.asked.length).toBe(1);
  one.state.answer = other(1_000);
  await pass(2_000);
  one.state.answer = held(9);
  await pass(2_000);
  expect([one.refusal(), one.state.told]).toEqual([9, ['waiting', 'held']]);
  expect(one.state.said.filter((code) => code === 'owner_elsewhere')).toHaveLength(1);
  await one.stop();
});

test('an owner that finds another in its place stops acting at once', async () => {
  const one = world(held(1));
  await pass(10);
  one.state.answer = other(60_000);
  await pass(20_000);
  expect([one.lease.mayAct, one.refusal()]).toEqual([false, 'owner_elsewhere']);
  one.state.answer = away;
  await pass(30_000);
  expect(one.lease.mayAct).toBe(false);
  expect(one.state.asked.slice(2).every((fence) => fence === null)).toBe(true);
  await one.stop();
});

test('a process that a newer one on its own disk has overtaken never takes the lease back from it', async () => {
  const one = world(held(1));
  await pass(10);
  one.state.answer = other(60_000, true);
  await pass(60_000);
  expect(one.lease.mayAct).toBe(false);
  expect(one.state.asked.slice(1).every((fence) => fence === 1)).toBe(true);
  await one.stop();
});

test('a machine that waited waits again after a restart, even if the database does not answer; one that held it goes on', async () => {
  const waited = world(other(60_000));
  await pass(10);
  await waited.stop();
  const again = world(away, waited.kept);
  expect([again.lease.state.state, again.lease.mayAct]).toEqual(['unknown', false]);
  again.state.answer = held(2);
  await pass(2_000);
  expect(again.lease.mayAct).toBe(true);
  await again.stop();
  const owner = world(away, again.kept);
  expect([owner.lease.mayAct, owner.refusal()]).toEqual([true, 'owner_unsure']);
  await owner.stop();
});

test('a release ends all, is sent with the fence, and waits for what was asked before', async () => {
  const one = world(() => new Promise((resolve) => { setTimeout(() => resolve(held(4)), 1_000); }));
  const released = one.lease.release();
  expect([one.lease.mayAct, one.refusal(), one.state.released]).toEqual([false, 'owner_released', []]);
  await pass(1_000);
  await released;
  expect([one.state.released, one.lease.state.state]).toEqual([[4], 'released']);
  await one.stop();
});
