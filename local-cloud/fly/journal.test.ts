import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, startTestFly, TEST_IMAGES, TEST_TOKEN, type TestFly } from '../../tests/support/fly.ts';

let cloud: TestFly;
let count = 0;
beforeAll(async () => { cloud = await startTestFly(); });
afterAll(() => cloud.close());

async function app(): Promise<string> {
  const name = `journal-${(count += 1)}`;
  await cloud.fly.apps.create({ name, orgSlug: 'journal' });
  return name;
}
const create = (name: string, machine = 'main', metadata: Record<string, string> = {}) =>
  cloud.fly.machines.create(name, { name: machine, region: 'sin', config: { image: TEST_IMAGES.tiny, metadata } });
const started = async (name: string, id: string) => { await cloud.fly.machines.wait(name, id, { state: 'started', timeoutSeconds: 50 }); };
const replica = async (name: string) => cloud.clientOf(await cloud.admin.token(name));

test('it says who wrote what, under which lease, and what was decided', async () => {
  const name = await app();
  const { id } = await create(name);
  await started(name, id);
  const [first, second] = [await replica('replica-1'), await replica('replica-2')];
  const lease = await first.leases.acquire(name, id, { ttlSeconds: 30 });
  expect(await second.leases.read(name, id)).toMatchObject({ owner: 'replica-1' });
  await expect(second.machines.stop(name, id)).rejects.toMatchObject({ leaseOwner: 'replica-1' });
  await first.machines.stop(name, id, { leaseNonce: lease.nonce });
  expect((await cloud.admin.journal({ machine: id })).map(({ who, verb, nonce, lease, status }) => ({ who, verb, nonce, lease, status }))).toEqual([
    { who: 'operator@local', verb: 'machine.create', nonce: null, lease: null, status: 200 },
    { who: 'replica-1', verb: 'lease.acquire', nonce: lease.nonce, lease: 'none', status: 201 },
    { who: 'replica-2', verb: 'machine.stop', nonce: null, lease: 'other', status: 409 },
    { who: 'replica-1', verb: 'machine.stop', nonce: lease.nonce, lease: 'own', status: 200 },
  ]);
  expect((await cloud.admin.journal({ machine: id, who: 'replica-2' })).length).toBe(1);
  expect((await cloud.admin.journal({ app: name, verb: 'machine.stop' })).length).toBe(2);
});

test('a token with a name that the stand-in did not make is refused', async () => {
  const real = await cloud.admin.token('replica-1');
  const forged = `${Buffer.from('replica-9').toString('base64url')}.${real.split('.')[1] ?? ''}`;
  for (const token of [forged, real.slice(0, -1), Buffer.from('replica-1').toString('base64url')]) {
    await expect(cloud.clientOf(token).listRegions()).rejects.toMatchObject({ code: 'fly_unauthorized' });
  }
});

test('two machines of one app at once are found, one after the other are not', async () => {
  const [one, two] = [await app(), await app()];
  const old = await create(one, 'old');
  await started(one, old.id);
  await cloud.fly.machines.stop(one, old.id);
  await cloud.fly.machines.wait(one, old.id, { state: 'stopped', timeoutSeconds: 50 });
  await started(one, (await create(one, 'new')).id);
  const clean = (await cloud.admin.audit()).overlaps.filter(({ owner }) => owner === one || owner === two);
  expect(clean).toEqual([]);
  const both = [await create(two, 'a', { owner: 'u' }), await create(two, 'b', { owner: 'u' })];
  for (const { id } of both) await started(two, id);
  const overlap = (await cloud.admin.audit()).overlaps.find(({ owner }) => owner === two);
  expect(overlap).toMatchObject({ first: both[0]?.id, second: both[1]?.id, to: null });
  expect((await cloud.admin.audit('metadata.owner')).overlaps.map(({ owner }) => owner)).toEqual(['u']);
});

test('a change without a lease is found, and one that was refused is not', async () => {
  const name = await app();
  const { id } = await create(name);
  await started(name, id);
  const before = (await cloud.admin.audit()).unleased.length;
  const lease = await cloud.fly.leases.acquire(name, id, { ttlSeconds: 30 });
  await cloud.fly.machines.metadata.set(name, id, 'a', '1', { leaseNonce: lease.nonce });
  await expect(cloud.fly.machines.restart(name, id)).rejects.toMatchObject({ code: 'fly_conflict_lease' });
  await cloud.fly.leases.release(name, id, lease.nonce);
  expect((await cloud.admin.audit()).unleased.length).toBe(before);
  await cloud.fly.machines.restart(name, id);
  expect((await cloud.admin.audit()).unleased.slice(before)).toMatchObject([{ verb: 'machine.restart', app: name, machine: id, lease: 'none' }]);
});

test('a lease that has run out protects nobody, and its nonce opens nothing', async () => {
  const name = await app();
  const { id } = await create(name);
  await started(name, id);
  const lease = await cloud.fly.leases.acquire(name, id, { ttlSeconds: 1 });
  await eventually(async () => ((await cloud.fly.leases.read(name, id)) === null ? true : undefined));
  await expect(cloud.fly.machines.restart(name, id, { leaseNonce: lease.nonce })).rejects.toMatchObject({ code: 'fly_conflict_lease' });
  const next = await cloud.fly.leases.acquire(name, id, { ttlSeconds: 30 });
  expect(next.nonce).not.toBe(lease.nonce);
});

test('what was asked too fast is counted, what a fault refused is not; app deletes have a rate of their own', async () => {
  // In one moment: none of what was used up comes back meanwhile.
  const moment = Date.now();
  const limited = await startTestFly({ rateLimits: true, now: () => moment });
  try {
    const { fly, admin } = limited;
    await fly.apps.create({ name: 'fast', orgSlug: 'o' });
    const { id } = await fly.machines.create('fast', { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny } });
    await admin.fault({ kind: 'status', status: 429, verb: 'machine.get', count: 2 });
    const codes = await Promise.all(Array.from({ length: 6 }, () => fly.machines.list('fast').then(() => 'done', (error: { code: string }) => error.code)));
    expect(codes.filter((code) => code === 'fly_rate_limited').length).toBe(3);
    for (let index = 0; index < 2; index += 1) await expect(fly.machines.get('fast', id)).rejects.toMatchObject({ code: 'fly_rate_limited' });
    expect((await admin.audit()).limited).toEqual([{ verb: 'machine.list', app: 'fast', machine: null, times: 3 }]);
    expect((await admin.requests()).verbs).toMatchObject({ 'machine.list': { asked: 6, limited: 3 }, 'machine.get': { asked: 2, struck: 2 } });
    const deletes = await Promise.all(Array.from({ length: 103 }, (_, index) => fly.apps.delete(`none-${index}`).catch((error: { code: string }) => error.code)));
    expect(deletes.filter((code) => code === 'fly_rate_limited').length).toBe(3);
    await admin.resetRequests();
    expect(await admin.requests()).toEqual({ total: 0, verbs: {} });
  } finally {
    await limited.close();
  }
});

test('the audit holds no secret and wants the token', async () => {
  const name = await app();
  await cloud.fly.secrets.set(name, { KEY: 'never-in-the-journal' });
  expect(JSON.stringify(await cloud.admin.journal({ app: name }))).not.toContain('never-in-the-journal');
  for (const path of ['audit', 'journal', 'faults', 'requests', 'capacity', 'memory', 'token?name=x']) {
    expect((await fetch(`${new URL(cloud.url).origin}/_stand-in/${path}`, { headers: { authorization: `Bearer ${TEST_TOKEN}x` } })).status).toBe(401);
  }
});
