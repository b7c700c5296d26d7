import * as fc from 'fast-check';
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { CallGate } from './call-gate.ts';

// a file is read in real time, which the tests' clock knows nothing of
beforeAll(() => import('bottleneck/light.js'));
beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

const MINUTE = { concurrency: 4, calls: 60, perMs: 60_000 };
const sleep = (ms: number) => new Promise<void>((resolve) => { setTimeout(resolve, ms); });
/** Most begins in any stretch of a minute, and most at once. */
function most(calls: readonly { from: number; to: number }[], perMs = 60_000) {
  return {
    inWindow: Math.max(0, ...calls.map(({ from }) => calls.filter((other) => other.from > from - perMs && other.from <= from).length)),
    atOnce: Math.max(0, ...calls.map(({ from }) => calls.filter((other) => other.from <= from && other.to > from).length)),
  };
}

function caller(gate: CallGate) {
  const calls: { from: number; to: number }[] = [];
  const call = (ms: number) => gate.pass(async () => {
    const one = { from: Date.now(), to: Infinity };
    calls.push(one);
    await sleep(ms);
    one.to = Date.now();
    return true;
  });
  return { calls, call };
}

test('never more than four at once, and never more than sixty in any minute, wherever it begins', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.record({ pause: fc.nat(3_000), ms: fc.integer({ min: 1, max: 5_000 }) }), { minLength: 60, maxLength: 200 }), async (plan) => {
    const { calls, call } = caller(new CallGate(MINUTE));
    const all: Promise<boolean>[] = [];
    for (const { pause, ms } of plan) {
      all.push(call(ms));
      await vi.advanceTimersByTimeAsync(pause);
    }
    await vi.advanceTimersByTimeAsync(3_600_000);
    expect(await Promise.all(all)).toEqual(plan.map(() => true));
    expect(most(calls).atOnce).toBeLessThanOrEqual(4);
    expect(most(calls).inWindow).toBeLessThanOrEqual(60);
  }), { numRuns: 10 });
});

test('a burst is served at once up to the share, and goes on a minute after', async () => {
  const { calls, call } = caller(new CallGate(MINUTE));
  const all = Promise.all(Array.from({ length: 61 }, () => call(10)));
  await vi.advanceTimersByTimeAsync(59_000);
  expect(calls.length).toBe(60);
  await vi.advanceTimersByTimeAsync(1_200);
  expect(calls.length).toBe(61);
  await all;
});

test('calls of an earlier run still count, by their age', async () => {
  const { calls, call } = caller(new CallGate({ ...MINUTE, calls: 3 }, [0, 50_000, 70_000]));
  const all = [call(1), call(1), call(1)];
  await vi.advanceTimersByTimeAsync(9_000);
  expect(calls.length).toBe(1);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(calls.length).toBe(2);
  await vi.advanceTimersByTimeAsync(49_500);
  expect(calls.length).toBe(3);
  await Promise.all(all);
});

test('work that made no call gives its place back at once; another share holds from then on', async () => {
  const gate = new CallGate({ ...MINUTE, calls: 1 });
  const began: number[] = [];
  const none = Array.from({ length: 5 }, (_, at) => gate.pass(() => { began.push(at); return Promise.resolve(false); }));
  await vi.advanceTimersByTimeAsync(10);
  await vi.advanceTimersByTimeAsync(90);
  await Promise.all(none);
  expect(began).toEqual([0, 1, 2, 3, 4]);
  const { calls, call } = caller(gate);
  const all = [call(1), call(1), call(1)];
  await vi.advanceTimersByTimeAsync(10);
  expect(calls.length).toBe(1);
  const shared = gate.setShare({ concurrency: 4, calls: 3 });
  await vi.advanceTimersByTimeAsync(10);
  await shared;
  expect(calls.length).toBe(3);
  await Promise.all(all);
});

test('once stopped, what runs goes on and what waits never begins', async () => {
  const gate = new CallGate({ ...MINUTE, concurrency: 1 });
  const { calls, call } = caller(gate);
  const all = [call(100), call(100)];
  await vi.advanceTimersByTimeAsync(10);
  const stopped = gate.stop();
  await vi.advanceTimersByTimeAsync(200);
  await stopped;
  expect(await Promise.all(all)).toEqual([true, false]);
  expect(calls.length).toBe(1);
  expect(await gate.pass(() => Promise.resolve(true))).toBe(false);
});

test('a wall clock that jumped ahead and is set back holds nobody up', async () => {
  const { calls, call } = caller(new CallGate({ ...MINUTE, concurrency: 2 }));
  const now = Date.now();
  vi.setSystemTime(now + 90 * 60_000);
  const ahead = [call(5_000), call(5_000), call(10)];
  await vi.advanceTimersByTimeAsync(1_000);
  expect(calls).toHaveLength(2);
  vi.setSystemTime(now + 1_000);
  const back = call(10);
  // whoever waited, and whoever comes now: as soon as there is a place
  await vi.advanceTimersByTimeAsync(4_500);
  expect(await Promise.all([...ahead, back])).toEqual([true, true, true, true]);
});
