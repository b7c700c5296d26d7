import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { keepRowLease } from './row-lease.ts';

// On a clock that the test moves: a stalled machine loses no lease that the test holds.
beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });
const goBy = (ms: number) => vi.advanceTimersByTimeAsync(ms);

/** Whether a lease of 150 ms was lost, and how often it was renewed, after so long. */
async function after(ms: number, renew: () => Promise<boolean>): Promise<{ lost: boolean; renewals: number; failures: number }> {
  const told = { lost: false, renewals: 0, failures: 0 };
  const lease = keepRowLease({
    leaseMs: 150, since: Date.now(), now: Date.now, renew: () => { told.renewals += 1; return renew(); },
    failed: () => { told.failures += 1; }, lost: () => { told.lost = true; },
  });
  await goBy(ms);
  lease.end();
  return told;
}

test('a lease that is renewed is kept for longer than it lasts', async () => {
  expect(await after(500, () => Promise.resolve(true))).toMatchObject({ lost: false, failures: 0 });
});

test('a refused renewal loses it at once', async () => {
  let lost = 0;
  const lease = keepRowLease({ leaseMs: 60_000 / 1_000, since: Date.now(), now: Date.now, renew: () => Promise.resolve(false), failed: () => undefined, lost: () => { lost += 1; } });
  await goBy(20);
  lease.end();
  expect(lost).toBe(1);
});

test('a database that does not answer, or answers with an error, keeps nobody acting beyond the lease', async () => {
  expect(await after(500, () => Promise.reject(new Error('away')))).toMatchObject({ lost: true });
  expect(await after(500, () => new Promise(() => undefined))).toMatchObject({ lost: true });
});

test('a look that took longer than its lease to begin has lost it', async () => {
  let lost = false;
  const lease = keepRowLease({ leaseMs: 10_000, since: Date.now() - 10_001, now: Date.now, renew: () => Promise.resolve(true), failed: () => undefined, lost: () => { lost = true; } });
  await goBy(0);
  lease.end();
  expect(lost).toBe(true);
});

test('after its end it is neither renewed nor lost', async () => {
  const told = await after(0, () => Promise.resolve(true));
  await goBy(300);
  expect(told).toEqual({ lost: false, renewals: 0, failures: 0 });
});
