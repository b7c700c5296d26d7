import { createRequire } from 'node:module';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, startTestFly, TEST_IMAGES, TEST_TOKEN, type TestFly } from '../support/fly.ts';

// The npm package `fly-admin` as its users run it; only the address is another. Only the class takes one.
const { default: FlyAdmin } = createRequire(import.meta.url)('fly-admin/dist/client.js') as typeof import('fly-admin/dist/client.js');
let cloud: TestFly;
let client: InstanceType<typeof FlyAdmin>;
const app_name = 'fly-admin-journey';
const image = TEST_IMAGES.tiny;
/** How far the cloud's clock is ahead of ours (ms). */
let ahead = 0;
beforeAll(async () => {
  cloud = await startTestFly({ runtime: 'process', now: () => Date.now() + ahead });
  client = new FlyAdmin(TEST_TOKEN, { apiUrl: new URL(cloud.url).origin, graphqlUrl: new URL(cloud.url).origin });
});
afterAll(() => cloud.close());

const config = (volume: string, metadata: Record<string, string>) => ({
  image, env: { DATA_DIR: '/data' }, guest: { cpu_kind: 'shared' as const, cpus: 1, memory_mb: 256 }, metadata, mounts: [{ volume, path: '/data' }],
  services: [{ protocol: 'tcp', internal_port: 8080, ports: [{ port: 443, handlers: ['tls', 'http'] }] }],
} as never);
const answer = async () => {
  const response = await fetch(`${cloud.edgeUrl}/${app_name}/`);
  return response.ok ? response.json() as Promise<{ boots: number[]; env: Record<string, string> }> : undefined;
};

describe('fly-admin (npm)', () => {
  let machine_id = '';
  let volume = '';

  test('makes an app and finds it', async () => {
    await client.App.createApp({ app_name, org_slug: 'personal', network: app_name });
    expect(await client.App.getApp(app_name)).toMatchObject({ name: app_name, status: 'pending', organization: { slug: 'personal' } });
    expect(await client.App.listApps('personal')).toMatchObject({ total_apps: 1, apps: [{ name: app_name, machine_count: 0 }] });
    await expect(client.App.createApp({ app_name, org_slug: 'personal' })).rejects.toThrow(/^422: .*already been taken/);
    await expect(client.App.getApp('nobody')).rejects.toThrow(/^404: /);
  });

  test('gives it addresses and secrets, and reads it in detail', async () => {
    const { allocateIpAddress: { ipAddress } } = await client.Network.allocateIpAddress({ appId: app_name, type: 'v6' as never });
    await client.Network.allocateIpAddress({ appId: app_name, type: 'shared_v4' as never });
    expect(await client.App.getAppDetailed(app_name)).toMatchObject({
      name: app_name, organization: { slug: 'personal' }, ipAddresses: [{ type: 'v6', address: ipAddress?.address }, { type: 'shared_v4' }],
    });
    expect(await client.Network.releaseIpAddress({ appId: app_name, ip: ipAddress?.address ?? '' })).toEqual({ releaseIpAddress: { app: { name: app_name } } });
    await client.Secret.setSecrets({ appId: app_name, secrets: [{ key: 'OLD', value: '1' }, { key: 'GONE', value: '2' }] });
    expect((await client.Secret.setSecrets({ appId: app_name, secrets: [{ key: 'MACHINE_SECRET', value: 'kept-to-itself' }], replaceAll: true })).setSecrets.release).toMatchObject({ version: 2 });
    await client.Secret.unsetSecrets({ appId: app_name, keys: ['GONE'] });
    expect((await cloud.fly.secrets.list(app_name)).secrets.map((secret) => secret.name)).toEqual(['MACHINE_SECRET']);
    await expect(client.App.getAppDetailed('nobody')).rejects.toThrow(/app not found/);
    await expect(client.Network.allocateIpAddress({ appId: app_name, type: 'v9' as never })).rejects.toThrow(/type must be one of/);
  });

  test('knows the platform and the organisation', async () => {
    expect((await client.Regions.getRegions()).platform.regions.map((region) => region.code)).toContain('sin');
    expect(await client.Organization.getOrganization('personal')).toMatchObject({ organization: { slug: 'personal', type: 'PERSONAL' } });
  });

  test('makes a volume, extends it, and finds its snapshots', async () => {
    volume = (await client.Volume.createVolume({ app_name, name: 'data', region: 'sin', size_gb: 1 } as never)).id;
    expect(await client.Volume.listVolumes(app_name)).toMatchObject([{ id: volume, size_gb: 1, state: 'created', attached_machine_id: null }]);
    expect(await client.Volume.extendVolume({ app_name, volume_id: volume, size_gb: 2 })).toMatchObject({ volume: { id: volume, size_gb: 2 } });
    expect(await client.Volume.listSnapshots({ app_name, volume_id: volume })).toEqual([]);
  });

  test('makes a machine with its metadata, waits until it runs, and finds it by what it carries', async () => {
    const made = await client.Machine.createMachine({ app_name, name: 'main', region: 'sin', config: config(volume, { owner: 'journey' }) });
    machine_id = made.id;
    expect(made).toMatchObject({ name: 'main', region: 'sin', image_ref: { digest: image.split('@')[1] }, config: { metadata: { owner: 'journey' } } });
    expect(await client.Machine.waitMachine({ app_name, machine_id, state: 'started' as never, timeout: '20s' })).toMatchObject({ ok: true });
    expect((await eventually(answer)).env).toMatchObject({ FLY_APP_NAME: app_name, FLY_MACHINE_ID: machine_id, MACHINE_SECRET: 'kept-to-itself' });
    expect((await client.Machine.listMachines({ app_name, 'metadata.owner': 'journey' } as never)).map((machine) => machine.id)).toEqual([machine_id]);
    expect(await client.Machine.listMachines({ app_name, 'metadata.owner': 'others' } as never)).toEqual([]);
    expect((await client.Machine.listEvents({ app_name, machine_id })).map((event) => event.type)).toEqual(['start', 'launch']);
    expect(await client.Machine.listProcesses({ app_name, machine_id })).toMatchObject([{ pid: expect.any(Number) as number }]);
  });

  test('stops, starts, restarts, signals, cordons and updates it', async () => {
    const reach = (state: string) => client.Machine.waitMachine({ app_name, machine_id, state: state as never, timeout: '20' });
    await client.Machine.stopMachine({ app_name, machine_id });
    await reach('stopped');
    await expect(client.Machine.restartMachine({ app_name, machine_id })).rejects.toThrow(/^412: /);
    await client.Machine.startMachine({ app_name, machine_id });
    await reach('started');
    await eventually(async () => ((await answer())?.boots.length === 2 ? true : undefined));
    await client.Machine.restartMachine({ app_name, machine_id, timeout: '5s' });
    await reach('started');
    await eventually(async () => ((await answer())?.boots.length === 3 ? true : undefined));
    await client.Machine.cordonMachine({ app_name, machine_id });
    expect((await fetch(`${cloud.edgeUrl}/${app_name}/`)).status).toBe(503);
    await client.Machine.uncordonMachine({ app_name, machine_id });
    await client.Machine.signalMachine({ app_name, machine_id, signal: 'SIGUSR2' as never });
    const updated = await client.Machine.updateMachine({ app_name, machine_id, config: config(volume, { owner: 'journey', generation: '2' }) });
    expect(updated.config.metadata).toEqual({ owner: 'journey', generation: '2' });
    await reach('started');
    const versions = await client.Machine.listVersions({ app_name, machine_id });
    expect([versions.length, versions[0]?.version]).toEqual([2, updated.instance_id]);
  });

  test('holds a lease that shuts everybody out until it ends', async () => {
    const lease = await client.Machine.acquireLease({ app_name, machine_id, ttl: 300, description: 'journey' });
    expect(lease).toMatchObject({ status: 'success', data: { description: 'journey', nonce: expect.stringMatching(/^[0-9a-f]+$/) as string } });
    expect(await client.Machine.getLease({ app_name, machine_id })).toMatchObject({ status: 'success', data: { owner: lease.data.owner, expires_at: lease.data.expires_at } });
    await expect(client.Machine.stopMachine({ app_name, machine_id })).rejects.toThrow(/^409: .*lease currently held/);
    ahead += 300_001;
    await client.Machine.stopMachine({ app_name, machine_id });
    await expect(client.Machine.getLease({ app_name, machine_id })).rejects.toThrow(/^404: /);
  });

  test('destroys the machine, its volume and the app', async () => {
    await client.Machine.deleteMachine({ app_name, machine_id, force: true });
    await client.Machine.waitMachine({ app_name, machine_id, state: 'destroyed' as never, timeout: '20' });
    expect(await client.Machine.listMachines(app_name)).toEqual([]);
    expect((await client.Machine.listMachines({ app_name, include_deleted: '' })).map((machine) => machine.state)).toEqual(['destroyed']);
    await client.Volume.deleteVolume({ app_name, volume_id: volume });
    await client.App.deleteApp(app_name);
    expect((await cloud.admin.journal({ app: app_name, verb: 'secret.set' })).map((entry) => entry.status)).toEqual([200, 200, 200]);
    await expect(client.App.getApp(app_name)).rejects.toThrow(/^404: /);
  });
});
