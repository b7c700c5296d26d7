import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFlyClient, createReadFlyLogs, fleetPages, lastExit, type FleetPage, type Machine } from './index.ts';
import { startTestFly, testMachine, TEST_IMAGES, TEST_TOKEN, type TestFly } from '../../tests/support/fly.ts';

let cloud: TestFly;
let count = 0;
beforeAll(async () => { cloud = await startTestFly(); });
afterAll(() => cloud.close());

async function app(): Promise<string> {
  const name = `client-${(count += 1)}`;
  await cloud.fly.apps.create({ name, orgSlug: 'client', network: name });
  return name;
}
async function machine(name: string): Promise<Machine> {
  const volume = await cloud.fly.volumes.create(name, { name: 'data', region: 'sin', sizeGb: 1 });
  const created = await cloud.fly.machines.create(name, { name: 'main', region: 'sin', config: testMachine(volume.id) });
  await cloud.fly.machines.wait(name, created.id, { state: 'started', timeoutSeconds: 50 });
  return created;
}

test('a whole deployment: app, addresses, volume, secret, machine, and everything gone again', async () => {
  const { fly } = cloud;
  const name = await app();
  expect(await fly.apps.get(name)).toMatchObject({ name, network: name, organization: { slug: 'client' } });
  await fly.ipAssignments.create(name, { type: 'shared_v4' });
  const v6 = await fly.ipAssignments.create(name, { type: 'v6' });
  expect((await fly.ipAssignments.list(name)).length).toBe(2);
  await fly.ipAssignments.delete(name, v6.ip);
  const set = await fly.secrets.set(name, { MACHINE_SECRET: 's3cret', OLD: 'x' });
  expect(set.version).toBe(1);
  await fly.secrets.set(name, { OLD: null });
  expect((await fly.secrets.list(name)).secrets.map((secret) => secret.name)).toEqual(['MACHINE_SECRET']);

  const created = await machine(name);
  expect(created.state).toBe('created');
  expect(created.image_ref?.digest).toBe(TEST_IMAGES.tiny.split('@')[1]);
  expect(await fly.machines.get(name, created.id)).toMatchObject({ state: 'started', config: { services: [{ autostop: false, autostart: false }] } });
  expect((await fly.machines.list(name, { state: ['started'], metadata: { owner: 'test' } })).map((row) => row.id)).toEqual([created.id]);
  expect(await fly.machines.list(name, { metadata: { owner: 'other' } })).toEqual([]);
  expect((await fly.machines.events(name, created.id)).map((event) => event.status)).toEqual(['started', 'created']);

  await fly.apps.delete(name, { force: true });
  await expect(fly.apps.get(name)).rejects.toMatchObject({ code: 'fly_not_found' });
});

test('start, stop, restart, update and destroy change what they say', async () => {
  const { fly } = cloud;
  const name = await app();
  const first = await machine(name);
  const see = () => fly.machines.get(name, first.id);
  await fly.machines.restart(name, first.id);
  await fly.machines.wait(name, first.id, { state: 'started' });
  expect((await see()).instance_id).toBe(first.instance_id);
  await fly.machines.stop(name, first.id);
  await fly.machines.wait(name, first.id, { state: 'stopped' });
  const config = { ...testMachine(first.config?.mounts?.[0]?.volume ?? ''), guest: { cpu_kind: 'shared', cpus: 2, memory_mb: 1024 } };
  const quiet = await fly.machines.update(name, first.id, { config, skipLaunch: true, currentVersion: first.instance_id ?? undefined });
  expect(quiet).toMatchObject({ state: 'stopped', config: { guest: { cpus: 2 } } });
  expect(quiet.instance_id).not.toBe(first.instance_id);
  await expect(fly.machines.update(name, first.id, { config, skipLaunch: true, currentVersion: first.instance_id ?? undefined })).rejects.toMatchObject({ code: 'fly_precondition' });
  await fly.machines.update(name, first.id, { config, skipLaunch: false });
  await fly.machines.wait(name, first.id, { state: 'started' });
  expect((await fly.machines.versions(name, first.id)).length).toBe(3);
  await fly.machines.stop(name, first.id);
  await fly.machines.wait(name, first.id, { state: 'stopped' });
  await fly.machines.start(name, first.id);
  await fly.machines.wait(name, first.id, { state: 'started' });
  await expect(fly.machines.destroy(name, first.id)).rejects.toMatchObject({ code: 'fly_precondition' });
  await fly.machines.destroy(name, first.id, { force: true });
  await fly.machines.wait(name, first.id, { state: 'destroyed' });
  expect((await fly.volumes.list(name))[0]?.attached_machine_id).toBeNull();
  expect(await fly.machines.wait(name, 'no-such-machine', { state: 'destroyed' })).toMatchObject({ state: 'destroyed' });
});

test('a duplicate name tells which machine has it, so that a lost answer can be adopted', async () => {
  const name = await app();
  const first = await machine(name);
  const volume = await cloud.fly.volumes.create(name, { name: 'data', region: 'sin', sizeGb: 1 });
  await expect(cloud.fly.machines.create(name, { name: 'main', region: 'sin', config: testMachine(volume.id) }))
    .rejects.toMatchObject({ code: 'fly_already_exists', machineId: first.id, status: 409 });
});

test('a lease shuts out whoever has no nonce, can be kept alive, and ends', async () => {
  const { fly } = cloud;
  const name = await app();
  const { id } = await machine(name);
  const lease = await fly.leases.acquire(name, id, { ttlSeconds: 30, description: 'resize' });
  await expect(fly.machines.stop(name, id)).rejects.toMatchObject({ code: 'fly_conflict_lease', status: 409 });
  await expect(fly.leases.acquire(name, id, { ttlSeconds: 30 })).rejects.toMatchObject({ code: 'fly_conflict_lease' });
  const longer = await fly.leases.refresh(name, id, { nonce: lease.nonce, ttlSeconds: 60 });
  expect(longer.nonce).toBe(lease.nonce);
  expect(longer.expiresAtMs ?? 0).toBeGreaterThan(lease.expiresAtMs ?? 0);
  expect(await fly.leases.read(name, id)).toMatchObject({ description: 'resize' });
  await fly.machines.stop(name, id, { leaseNonce: lease.nonce });
  await fly.leases.release(name, id, lease.nonce);
  expect(await fly.leases.read(name, id)).toBeNull();
  await expect(fly.machines.start(name, id, { leaseNonce: lease.nonce })).rejects.toMatchObject({ code: 'fly_conflict_lease' });
});

test('metadata changes without a new version', async () => {
  const { fly } = cloud;
  const name = await app();
  const { id, instance_id } = await machine(name);
  await fly.machines.metadata.set(name, id, 'generation', '7');
  expect(await fly.machines.metadata.get(name, id)).toEqual({ owner: 'test', generation: '7' });
  await fly.machines.metadata.delete(name, id, 'generation');
  expect(await fly.machines.metadata.get(name, id)).toEqual({ owner: 'test' });
  expect((await fly.machines.get(name, id)).instance_id).toBe(instance_id);
});

test('the fleet is read page by page until no cursor is left', async () => {
  const { fly } = cloud;
  const org = 'fleet';
  for (let index = 0; index < 5; index += 1) {
    await fly.apps.create({ name: `fleet-${index}`, orgSlug: org });
    await fly.machines.create(`fleet-${index}`, { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny }, skipLaunch: true });
  }
  const seen: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await fly.listOrgMachines({ org, cursor, limit: 2 });
    seen.push(...page.machines.map((row) => row.app_name));
    expect(page.errorRegions).toEqual([]);
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(seen).toEqual(['fleet-0', 'fleet-1', 'fleet-2', 'fleet-3', 'fleet-4']);
  expect(await fly.listRegions()).toContain('sin');
});

test('a listing that goes round in a circle is an error, not the whole fleet', async () => {
  const page: FleetPage = { machines: [], nextCursor: 'again', lastMachineId: undefined, lastUpdatedAt: undefined, errorRegions: [] };
  const read = async () => { const pages = []; for await (const one of fleetPages(async () => page, { org: 'o' })) pages.push(one); return pages; };
  await expect(read()).rejects.toMatchObject({ code: 'fly_unexpected_answer' });
  const org = 'circle';
  await cloud.fly.apps.create({ name: 'circle-1', orgSlug: org });
  for (const name of ['a', 'b', 'c']) await cloud.fly.machines.create('circle-1', { name, region: 'sin', config: { image: TEST_IMAGES.tiny }, skipLaunch: true });
  const names = [];
  for await (const one of fleetPages(cloud.fly.listOrgMachines, { org, limit: 2 })) names.push(one.machines.map((row) => row.name));
  expect(names).toEqual([['a', 'b'], ['c']]);
});

test('a boot that never reached us is explained by its exit and by the log API', async () => {
  const name = await app();
  await cloud.admin.fault({ kind: 'boot', app: name, exitCode: 137, signal: 9, oomKilled: true, log: 'first line\nlast words' });
  const { id } = await cloud.fly.machines.create(name, { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny, restart: { policy: 'no' } } });
  await cloud.fly.machines.wait(name, id, { state: 'stopped', timeoutSeconds: 50 });
  expect(lastExit(await cloud.fly.machines.events(name, id))).toMatchObject({ exitCode: 137, signal: 9, oomKilled: true, requested: false, restarting: false });
  const readLogs = createReadFlyLogs({ baseUrl: `${new URL(cloud.url).origin}/api/v1`, token: TEST_TOKEN });
  expect((await readLogs(name, id)).map((line) => line.message)).toEqual(['first line', 'last words']);
  await expect(readLogs('nobody', id)).rejects.toMatchObject({ code: 'fly_not_found' });
});

test('a whole map of metadata is replaced only at the version that was read', async () => {
  const name = await app();
  const { id, instance_id: version } = await machine(name);
  await cloud.fly.machines.metadata.replace(name, id, { metadata: { owner: 'other' }, machineVersion: version ?? undefined });
  expect(await cloud.fly.machines.metadata.get(name, id)).toEqual({ owner: 'other' });
  await expect(cloud.fly.machines.metadata.replace(name, id, { metadata: {}, machineVersion: 'old' })).rejects.toMatchObject({ code: 'fly_precondition' });
});

test('both forms of every disputed answer are understood', async () => {
  const name = await app();
  const { id } = await machine(name);
  for (const form of ['flat-lease', 'bare-ips'] as const) await cloud.admin.fault({ kind: 'dialect', form });
  const lease = await cloud.fly.leases.acquire(name, id, { ttlSeconds: 5 });
  expect(lease.nonce).toMatch(/^[0-9a-f]+$/);
  await cloud.fly.ipAssignments.create(name, { type: 'shared_v4' });
  expect((await cloud.fly.ipAssignments.list(name)).map((row) => row.type)).toEqual(['shared_v4']);
  await cloud.admin.clearFaults();
});

test('a name cannot step into another path', async () => {
  await expect(cloud.fly.apps.get('../orgs/client/machines')).rejects.toMatchObject({ code: 'fly_not_found' });
  for (const name of ['', '.', '..']) await expect(cloud.fly.apps.delete(name)).rejects.toMatchObject({ code: 'fly_invalid' });
});

test('a token with its scheme is sent as it is, others as Bearer', async () => {
  for (const token of [TEST_TOKEN, `FlyV1 ${TEST_TOKEN}`, `Bearer ${TEST_TOKEN}`]) {
    expect(await createFlyClient({ baseUrl: cloud.url, token }).listRegions()).toContain('fra');
  }
  await expect(createFlyClient({ baseUrl: cloud.url, token: 'wrong' }).listRegions()).rejects.toMatchObject({ code: 'fly_unauthorized' });
});
