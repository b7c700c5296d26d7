import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { durationMs } from './duration.ts';
import { backoffMs, nextMove, restarts } from './next-move.ts';
import { RateLimits } from './rate-limit.ts';
import type { Goal, MachineConfig, Run } from './types.ts';

const run = (boot: number): Run => ({ id: 'r', boot, startedAt: 0 });
const row = (goal: Goal, ran: Run | null, state = 'started', boot = 1) => ({ goal, run: ran, boot, state, destroyedAt: null });

test.each([
  ['a created machine rests until it is started', row('created', null, 'created'), 'rest'],
  ['a wished machine that does not run is launched', row('started', null, 'stopped'), 'launch'],
  ['one that runs is left alone', row('started', run(1)), 'rest'],
  ['one that is to boot anew is halted first', row('started', run(1), 'replacing', 2), 'halt'],
  ['one that is to stop is halted', row('stopped', run(1), 'stopping'), 'halt'],
  ['one that never ran is settled as stopped', row('stopped', null, 'stopping'), 'settle'],
  ['a stopped one rests', row('stopped', null, 'stopped'), 'rest'],
  ['one to be destroyed is halted first', row('destroyed', run(1), 'destroying'), 'halt'],
  ['and buried then', row('destroyed', null, 'destroying'), 'bury'],
  ['what is destroyed rests', { ...row('destroyed', null, 'destroyed'), destroyedAt: 1 }, 'rest'],
] as const)('%s', (_what, machine, move) => {
  expect(nextMove(machine, 0, 10)).toBe(move);
});

test('a machine that waits for its restart is not launched before its time', () => {
  expect([nextMove(row('started', null), 11, 10), nextMove(row('started', null), 10, 10)]).toEqual(['wait', 'launch']);
});

test('every row of a machine has a move that ends: from any row its goal is reached in a few moves', () => {
  fc.assert(fc.property(fc.constantFrom<Goal>('started', 'stopped', 'destroyed'), fc.boolean(), fc.integer({ min: 0, max: 2 }), (goal, running, behind) => {
    const machine: { goal: Goal; run: Run | null; boot: number; state: string; destroyedAt: number | null } = { ...row(goal, running ? run(3 - behind) : null, 'starting', 3) };
    let moves = 0;
    for (let move = nextMove(machine, 0, 1); move !== 'rest'; move = nextMove(machine, 0, 1)) {
      if (move === 'halt') machine.run = null;
      if (move === 'launch') machine.run = run(machine.boot);
      if (move === 'settle') machine.state = 'stopped';
      if (move === 'bury') machine.destroyedAt = 1;
      expect((moves += 1)).toBeLessThan(4);
    }
    expect(machine.run !== null).toBe(goal === 'started');
  }));
});

const config = (policy?: string, max?: number): MachineConfig => ({ image: 'x', restart: { ...(policy ? { policy } : {}), ...(max === undefined ? {} : { max_retries: max }) } });
const exit = (exitCode: number) => ({ exitCode, signal: -1, oomKilled: false });

test('the restart policy decides by the exit code, and gives up after its retries', () => {
  expect([restarts(config('always'), exit(0), 99), restarts(config('no'), exit(1), 0)]).toEqual([true, false]);
  expect([restarts(config('on-failure'), exit(0), 0), restarts(config('on-failure'), exit(1), 0), restarts(config('on-failure', 2), exit(1), 2)]).toEqual([false, true, false]);
  expect([restarts(config(), exit(137), 9), restarts(config(), exit(137), 10)]).toEqual([true, false]);
});

test('the back-off begins at 0.2 s, doubles, and ends at 10 s', () => {
  expect([1, 2, 3, 6, 7, 50].map(backoffMs)).toEqual([200, 400, 800, 6400, 10_000, 10_000]);
});

test('durations are Go strings or nanoseconds', () => {
  expect(['15s', '1m30s', '500ms', '1.5h', 5e9].map(durationMs)).toEqual([15_000, 90_000, 500, 5_400_000, 5000]);
  expect(['', '15', 'soon', null, -1, {}].map(durationMs)).toEqual([null, null, null, null, null, null]);
});

test('a token bucket allows its burst, then its rate, whatever the arrival', () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 3000 }), { maxLength: 60 }), (pauses) => {
    let now = 1_000_000;
    const limits = new RateLimits(() => now);
    const start = now;
    let allowed = 0;
    for (const pause of pauses) {
      now += pause;
      if (limits.take('action', 'machine.stop:x')) allowed += 1;
    }
    expect(allowed).toBeLessThanOrEqual(3 + (now - start) / 1000 + 1e-9);
    expect(limits.take('action', 'machine.stop:y')).toBe(true);
  }));
});
