import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startTestFly, testMachine, TEST_IMAGES, type TestFly } from '../../tests/support/fly.ts';
import { FlyError, type FlyErrorCode } from './index.ts';

// Every row of what is known of Fly's errors, provoked at the stand-in and seen through the client.
let cloud: TestFly;
let count = 0;
beforeAll(async () => { cloud = await startTestFly(); });
afterEach(() => cloud.admin.clearFaults());
afterAll(() => cloud.close());

async function app(): Promise<string> {
  const name = `errors-${(count += 1)}`;
  await cloud.fly.apps.create({ name, orgSlug: 'errors' });
  return name;
}
async function machine(): Promise<{ app: string; id: string }> {
  const name = await app();
  const { id } = await cloud.fly.machines.create(name, { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny } });
  await cloud.fly.machines.wait(name, id, { state: 'started', timeoutSeconds: 5 });
  return { app: name, id };
}
const create = (name: string, more: { region?: string; guest?: { cpu_kind: string; cpus: number; memory_mb: number } } = {}) =>
  cloud.fly.machines.create(name, { name: 'other', region: more.region ?? 'sin', config: { image: TEST_IMAGES.tiny, ...(more.guest ? { guest: more.guest } : {}) } });

async function failure(promise: Promise<unknown>): Promise<FlyError> {
  const error = await promise.then(() => { throw new Error('it succeeded'); }, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FlyError);
  return error as FlyError;
}

type Row = [row: string, provoke: () => Promise<Promise<unknown>[]>, code: FlyErrorCode, status: number | undefined, outcome: 'known' | 'unknown'];
const fault = (order: { kind: string; [field: string]: unknown }) => cloud.admin.fault(order);

describe("each row of Fly's error table", () => {
  const rows: Row[] = [
    ['400: a wait above a minute', async () => { const { app, id } = await machine(); return [cloud.fly.machines.wait(app, id, { state: 'stopped', timeoutSeconds: 61 })]; }, 'fly_invalid', 400, 'known'],
    ['400: no capacity for a volume', async () => { await fault({ kind: 'capacity', of: 'volume' }); return [cloud.fly.volumes.create(await app(), { name: 'data', region: 'sin', sizeGb: 1 })]; }, 'fly_capacity', 400, 'known'],
    ['400: a guest that does not exist', async () => [create(await app(), { guest: { cpu_kind: 'shared', cpus: 3, memory_mb: 512 } })], 'fly_invalid', 400, 'known'],
    ['401: a moment after the app was made', async () => { await fault({ kind: 'young-app', ms: 60_000 }); return [create(await app())]; }, 'fly_unauthorized', 401, 'known'],
    ['403: the app of another organisation', async () => { await fault({ kind: 'take-app-name', name: 'squatted' }); return [cloud.fly.apps.get('squatted'), cloud.fly.volumes.list('squatted')]; }, 'fly_forbidden', 403, 'known'],
    ['403: over the quota', async () => { await fault({ kind: 'status', status: 403, verb: 'machine.create' }); return [create(await app())]; }, 'fly_forbidden', 403, 'known'],
    ['404: no such app or machine', async () => { const name = await app(); return [cloud.fly.apps.get('nobody'), cloud.fly.machines.get(name, '00000000000000')]; }, 'fly_not_found', 404, 'known'],
    ['404: a wait just after a create', async () => { const { app, id } = await machine(); await fault({ kind: 'young-machine', ms: 60_000, verb: 'machine.wait' }); return [cloud.fly.machines.wait(app, id, { state: 'started' })]; }, 'fly_not_found', 404, 'known'],
    ['408: a wait that ran out', async () => { const { app, id } = await machine(); return [cloud.fly.machines.wait(app, id, { state: 'stopped', timeoutSeconds: 1 })]; }, 'fly_wait_expired', 408, 'known'],
    ['408: a write that ran out', async () => { await fault({ kind: 'status', status: 408, done: true, only: 'writes' }); return [cloud.fly.apps.create({ name: 'late', orgSlug: 'errors' })]; }, 'fly_unknown_outcome', 408, 'unknown'],
    ['409: a lease held by another', async () => { const { app, id } = await machine(); await cloud.fly.leases.acquire(app, id, { ttlSeconds: 30 }); return [cloud.fly.machines.stop(app, id)]; }, 'fly_conflict_lease', 409, 'known'],
    ['409: a lease that was stolen', async () => {
      const { app, id } = await machine();
      const lease = await cloud.fly.leases.acquire(app, id, { ttlSeconds: 30 });
      await fault({ kind: 'steal-lease', verb: 'machine.*' });
      return [cloud.fly.machines.stop(app, id, { leaseNonce: lease.nonce })];
    }, 'fly_conflict_lease', 409, 'known'],
    ['409: a duplicate name', async () => { const { app } = await machine(); return [cloud.fly.machines.create(app, { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny } })]; }, 'fly_already_exists', 409, 'known'],
    ['409: memory that could not be reserved', async () => { await fault({ kind: 'capacity', as: 'memory' }); return [create(await app())]; }, 'fly_capacity', 409, 'known'],
    ['409: a stale version, as some see it', async () => {
      const { app, id } = await machine();
      await fault({ kind: 'dialect', form: 'stale-version-409' });
      return [cloud.fly.machines.update(app, id, { config: { image: TEST_IMAGES.tiny }, skipLaunch: false, currentVersion: 'old' })];
    }, 'fly_precondition', 409, 'known'],
    ['409: an app name taken, as some see it', async () => { const name = await app(); await fault({ kind: 'dialect', form: 'name-taken-409' }); return [cloud.fly.apps.create({ name, orgSlug: 'errors' })]; }, 'fly_already_exists', 409, 'known'],
    ['412: a start from a state that has none', async () => {
      const { app, id } = await machine();
      await fault({ kind: 'wedge', state: 'stopping', app });
      await cloud.fly.machines.stop(app, id);
      return [cloud.fly.machines.start(app, id)];
    }, 'fly_precondition', 412, 'known'],
    ['412: a start while it is replaced', async () => {
      const { app, id } = await machine();
      await fault({ kind: 'wedge', state: 'replacing', app });
      await cloud.fly.machines.update(app, id, { config: { image: TEST_IMAGES.tiny }, skipLaunch: false });
      return [cloud.fly.machines.start(app, id)];
    }, 'fly_precondition', 412, 'known'],
    ['412: a stale version', async () => { const { app, id } = await machine(); return [cloud.fly.machines.update(app, id, { config: { image: TEST_IMAGES.tiny }, skipLaunch: false, currentVersion: 'old' })]; }, 'fly_precondition', 412, 'known'],
    ['422: an app name taken', async () => { const name = await app(); return [cloud.fly.apps.create({ name, orgSlug: 'errors' })]; }, 'fly_already_exists', 422, 'known'],
    ['422: an invalid config', async () => [cloud.fly.machines.create(await app(), { name: 'x', region: 'moon', config: { image: TEST_IMAGES.tiny } })], 'fly_invalid', 422, 'known'],
    ['422: no room, by its word', async () => { await fault({ kind: 'capacity' }); return [create(await app())]; }, 'fly_capacity', 422, 'known'],
    ['429: too fast', async () => { await fault({ kind: 'status', status: 429, only: 'reads' }); return [cloud.fly.listRegions()]; }, 'fly_rate_limited', 429, 'known'],
    ['500: a write', async () => { await fault({ kind: 'status', status: 500, only: 'writes' }); return [cloud.fly.apps.create({ name: 'broken', orgSlug: 'errors' })]; }, 'fly_unknown_outcome', 500, 'unknown'],
    ['502: a gateway that speaks HTML', async () => { await fault({ kind: 'status', status: 502, html: true, only: 'writes' }); return [cloud.fly.apps.create({ name: 'gateway', orgSlug: 'errors' })]; }, 'fly_unknown_outcome', 502, 'unknown'],
    ['503: no room, from the gateway, is known not to have happened', async () => { await fault({ kind: 'capacity', as: 'gateway' }); return [create(await app())]; }, 'fly_capacity', 503, 'known'],
    ['503: a read', async () => { await fault({ kind: 'status', status: 503, only: 'reads' }); return [cloud.fly.listRegions()]; }, 'fly_unavailable', 503, 'known'],
    ['503: a host that cannot be reached', async () => { const { app, id } = await machine(); await fault({ kind: 'host-unreachable', app }); return [cloud.fly.machines.stop(app, id)]; }, 'fly_unknown_outcome', 503, 'unknown'],
    ['a write whose request was lost', async () => { await fault({ kind: 'lost-request', only: 'writes' }); return [cloud.fly.apps.create({ name: 'lost-request', orgSlug: 'errors' })]; }, 'fly_unknown_outcome', undefined, 'unknown'],
    ['a write whose answer was lost', async () => { await fault({ kind: 'lost-answer', only: 'writes' }); return [cloud.fly.apps.create({ name: 'lost-answer', orgSlug: 'errors' })]; }, 'fly_unknown_outcome', undefined, 'unknown'],
    ['a write that nobody answered', async () => { await fault({ kind: 'hang', only: 'writes' }); return [cloud.fly.apps.create({ name: 'hung', orgSlug: 'errors' }, { timeoutMs: 200 })]; }, 'fly_unknown_outcome', undefined, 'unknown'],
    ['a write whose answer was cut off', async () => { await fault({ kind: 'cut', only: 'writes' }); return [cloud.fly.apps.create({ name: 'cut', orgSlug: 'errors' })]; }, 'fly_unknown_outcome', undefined, 'unknown'],
    ['a write whose answer is no JSON', async () => { await fault({ kind: 'garbled', only: 'writes' }); return [cloud.fly.apps.create({ name: 'garbled', orgSlug: 'errors' })]; }, 'fly_unexpected_answer', 201, 'unknown'],
    ['a read that nobody answered', async () => { await fault({ kind: 'hang', only: 'reads' }); return [cloud.fly.listRegions({ timeoutMs: 200 })]; }, 'fly_unavailable', undefined, 'known'],
  ];
  test.each(rows)('%s', async (_row, provoke, code, status, outcome) => {
    for (const promise of await provoke()) {
      const error = await failure(promise);
      expect({ code: error.code, status: error.status, outcome: error.outcome }, error.message).toEqual({ code, status, outcome });
    }
  });
});

test('a refusal says whether it was for a quota', async () => {
  const name = await app();
  await fault({ kind: 'status', status: 403, verb: 'machine.create' });
  expect((await failure(create(name))).overQuota).toBe(true);
  await fault({ kind: 'take-app-name', name: 'taken-by-others' });
  expect((await failure(cloud.fly.apps.get('taken-by-others'))).overQuota).toBe(false);
  expect((await failure(cloud.fly.apps.create({ name: 'taken-by-others', orgSlug: 'errors' }))).code).toBe('fly_already_exists');
});

test('Retry-After is heard in both of its forms, and its absence too', async () => {
  for (const [more, least, most] of [[{ retryAfter: 7 }, 7000, 7000], [{ retryAfter: 7, asDate: true }, 6000, 7000], [{}, undefined, undefined]] as const) {
    await fault({ kind: 'status', status: 429, only: 'reads', count: 1, ...more });
    const asked = performance.now();
    const { retryAfterMs } = await failure(cloud.fly.listRegions());
    // A date comes nearer on its way; it tells whole seconds.
    const passed = 'asDate' in more ? performance.now() - asked : 0;
    if (least === undefined) expect(retryAfterMs).toBeUndefined();
    else {
      expect(retryAfterMs).toBeGreaterThanOrEqual(least - passed - 1);
      expect(retryAfterMs).toBeLessThanOrEqual(most);
    }
  }
});

test('a stolen lease names the thief, by the clock that Fly tells', async () => {
  const { app, id } = await machine();
  const lease = await cloud.fly.leases.acquire(app, id, { ttlSeconds: 30 });
  await fault({ kind: 'clock-skew', ms: 3_600_000 });
  await fault({ kind: 'steal-lease', owner: 'night-shift@example.org', ttl: 60 });
  const error = await failure(cloud.fly.machines.update(app, id, { config: testMachine(''), skipLaunch: true }, { leaseNonce: lease.nonce }));
  expect(error.leaseOwner).toBe('night-shift@example.org');
  expect(Date.parse(error.leaseExpiresAt ?? '')).toBeGreaterThan(Date.now() + 3_600_000);
});
