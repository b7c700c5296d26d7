import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startTestFly, TEST_IMAGES, type TestFly } from '../../tests/support/fly.ts';
import { withLease, type Hold } from './index.ts';

let cloud: TestFly;
let count = 0;
/** Time by hand, for whoever holds a lease and for Fly alike: it goes by where somebody sleeps. */
let ms = Date.UTC(2026, 9, 9);
beforeAll(async () => { cloud = await startTestFly({ now: () => ms }); });
afterEach(() => cloud.admin.clearFaults());
afterAll(() => cloud.close());

const sleep = async (forMs: number, signal: AbortSignal) => {
  await wait(0);
  if (!signal.aborted) ms += forMs;
};
const passed = async (forMs: number) => { for (const end = ms + forMs; ms < end;) await wait(1); };
async function machine() {
  const app = `lease-${(count += 1)}`;
  await cloud.fly.apps.create({ name: app, orgSlug: 'lease' });
  const { id } = await cloud.fly.machines.create(app, { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny }, skipLaunch: true });
  return { app, machineId: id, holder: () => cloud.fly.leases.read(app, id) };
}
const options = (at: { app: string; machineId: string }, ttlSeconds: number) =>
  ({ leases: cloud.fly.leases, ...at, ttlSeconds, description: 'test', clock: () => ms, sleep });
const untilLost = (hold: Hold) => new Promise<void>((resolve) => { hold.lost.addEventListener('abort', () => resolve()); });

test('work that lasts longer than the lease keeps it, works under its nonce, and gives it back', async () => {
  const at = await machine();
  const nonces = await withLease(options(at, 60), async (hold) => {
    await passed(96_000);
    expect([hold.lost.aborted, (await at.holder())?.description]).toEqual([false, 'test']);
    await cloud.fly.machines.start(at.app, at.machineId, { leaseNonce: hold.nonce });
    return (await cloud.admin.journal({ machine: at.machineId, verb: 'lease.acquire' })).map((entry) => entry.nonce === hold.nonce);
  });
  expect(nonces.length).toBeGreaterThan(2);
  expect(nonces.every(Boolean)).toBe(true);
  expect(await at.holder()).toBeNull();
});

test('a lease that another took is known to be lost', async () => {
  const at = await machine();
  await withLease(options(at, 60), async (hold) => {
    await cloud.admin.fault({ kind: 'steal-lease', verb: 'lease.*', owner: 'another' });
    await untilLost(hold);
  });
  // not given back: it is the other's
  expect(await at.holder()).toMatchObject({ owner: 'another' });
});

test('one refresh that is not answered loses nothing', async () => {
  const at = await machine();
  await withLease(options(at, 60), async (hold) => {
    const lost = await cloud.admin.fault({ kind: 'lost-answer', verb: 'lease.acquire', count: 1 });
    await passed(78_000);
    expect([await lost.strikes(), hold.lost.aborted]).toEqual([1, false]);
  });
});

test('when nothing is heard any more, it is lost when it runs out by our own clock, and not later', async () => {
  const at = await machine();
  await cloud.admin.fault({ kind: 'clock-skew', ms: 86_400_000 }); // Fly's clock tells nothing
  const asked = performance.now();
  const real = { clock: () => performance.now(), sleep: async (forMs: number, signal: AbortSignal) => { await wait(forMs, undefined, { signal }).catch(() => undefined); } };
  await withLease({ ...options(at, 1), ...real }, async (hold) => {
    await cloud.admin.fault({ kind: 'hang', done: false, verb: 'lease.acquire' });
    await untilLost(hold);
    expect(performance.now() - asked).toBeGreaterThan(990);
  });
});

test('it is given back when the work fails, when the caller gives up, and not taken when another has it', async () => {
  const at = await machine();
  await expect(withLease(options(at, 5), async () => { throw new Error('the work failed'); })).rejects.toThrow('the work failed');
  expect(await at.holder()).toBeNull();
  const caller = new AbortController();
  await withLease({ ...options(at, 5), signal: caller.signal }, async (hold) => {
    caller.abort();
    expect(hold.lost.aborted).toBe(true);
  });
  expect(await at.holder()).toBeNull();
  await cloud.fly.leases.acquire(at.app, at.machineId, { ttlSeconds: 30 });
  await expect(withLease(options(at, 5), async () => 'never')).rejects.toMatchObject({ code: 'fly_conflict_lease' });
});
