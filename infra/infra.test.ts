import { Module } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { output, runtime, type dynamic, type Output } from '@pulumi/pulumi';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { TEST_IMAGES, TEST_TOKEN, startTestFly, type TestFly } from '../tests/support/fly.ts';
import { awaitServing } from './await-serving.ts';
import { appProvider, secretsProvider } from './fly-app.ts';
import { machineProvider } from './fly-machine.ts';

const DIGEST = `registry.fly.io/x@sha256:${'c'.repeat(64)}`;
interface Declared { type: string; name: string; inputs: Record<string, unknown> }

const resolved = <T>(value: Output<T>): Promise<T> => new Promise((resolve) => { value.apply((inner) => { resolve(inner as T); }); });

describe('the program', () => {
  const declared: Declared[] = [];
  /** How many replicas were being made when each was begun. */
  const atOnce: number[] = [];
  let underWay = 0;
  let stack: { openApi: Output<string>; replicaIds: Output<string>[] };
  beforeAll(async () => {
    runtime.setAllConfig({
      'trademind:org': 'platform', 'trademind:userOrg': 'users', 'trademind:replicas': '3', 'trademind:region': 'fra', 'trademind:allowedOrigins': 'https://app.example',
      'trademind:supabaseUrl': 'https://x.supabase.co', 'trademind:supabasePublishableKey': 'sb_publishable_x', 'trademind:supabaseSecretKey': 'the-secret-key',
      'trademind:userFlyToken': 'the-fly-token', 'trademind:machineTokenJwk': '{"d":"jwk-1"}', 'trademind:ticketJwk': '{"d":"jwk-2"}', 'trademind:appNameKey': 'the-name-key',
      'trademind:sealingKeys': '{"current":"a"}',
    }, ['trademind:supabaseSecretKey', 'trademind:userFlyToken', 'trademind:machineTokenJwk', 'trademind:ticketJwk', 'trademind:appNameKey', 'trademind:sealingKeys']);
    await runtime.setMocks({
      call: ({ inputs }) => inputs as Record<string, unknown>,
      newResource: async ({ type, name, inputs }) => {
        declared.push({ type, name, inputs: inputs as Record<string, unknown> });
        if (type.endsWith(':Machine')) {
          atOnce.push(underWay += 1);
          await sleep(20);
          underWay -= 1;
        }
        return { id: `${name}-id`, state: { ...inputs as Record<string, unknown>, repoDigest: DIGEST, version: 7, machineId: `${name}-id` } };
      },
    }, 'trademind', 'staging');
    stack = await import('./index.ts');
    await resolved(output(stack.replicaIds));
  });

  test('names two images, one app, its secrets and as many replicas as asked for', async () => {
    const count = (type: string) => declared.filter((one) => one.type === type).map((one) => one.name);
    expect(count('docker:index/image:Image')).toEqual(['machine', 'control-plane']);
    expect(count('pulumi-nodejs:dynamic/fly:App')).toEqual(['control-plane']);
    expect(count('pulumi-nodejs:dynamic/fly:Secrets')).toEqual(['control-plane-secrets']);
    expect(count('pulumi-nodejs:dynamic/fly:Machine')).toEqual(['control-plane-1', 'control-plane-2', 'control-plane-3']);
    expect(await resolved(stack.openApi)).toBe('https://trademind-control-plane-staging.fly.dev/openapi.json');
  });

  test('replicas are changed one after the other, so that the others serve meanwhile', () => {
    expect(atOnce).toEqual([1, 1, 1]);
  });

  test('every image is pinned by digest where it is used', () => {
    for (const { inputs } of declared.filter((one) => one.type.endsWith(':Machine'))) expect(inputs).toMatchObject({ image: DIGEST, region: 'fra', env: { MACHINE_IMAGE: DIGEST, FLY_ORG: 'users' } });
  });

  test('what is secret is in the app\'s secrets alone, never in plain environment', () => {
    const secrets = declared.find((one) => one.type.endsWith(':Secrets'));
    expect(JSON.stringify(secrets?.inputs)).toContain('the-secret-key');
    const rest = JSON.stringify(declared.filter((one) => one !== secrets));
    for (const value of ['the-secret-key', 'the-fly-token', 'jwk-1', 'jwk-2', 'the-name-key']) expect(rest).not.toContain(value);
  });
});

describe('the providers, turned into text and back as Pulumi does it', () => {
  let fly: TestFly;
  beforeAll(async () => {
    fly = await startTestFly();
    vi.stubEnv('FLY_API_URL', fly.url);
    vi.stubEnv('FLY_API_TOKEN', TEST_TOKEN);
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await fly.close();
  });

  /** What Pulumi's provider process makes of a provider: its text, compiled as a module of nowhere. */
  async function reborn<In, Out>(provider: dynamic.ResourceProvider<In, Out>): Promise<Required<dynamic.ResourceProvider<In, Out>>> {
    const { text } = await runtime.serializeFunction(() => provider);
    const module = new Module('') as Module & { _compile(code: string, file: string): void; exports: { handler: () => Required<dynamic.ResourceProvider<In, Out>> } };
    module._compile(text, '');
    return module.exports.handler();
  }

  test('a replica that does not serve is named with its reason, so that those after it are left as they are', async () => {
    const [apps, machines] = await Promise.all([reborn(appProvider), reborn(machineProvider)]);
    const app = 'trademind-control-plane-broken';
    await apps.create({ name: app, org: 'personal' });
    const inputs = { app, name: 'replica-1', region: 'sin', image: TEST_IMAGES.tiny, env: {}, cpuKind: 'shared', cpus: 1, memoryMb: 256, secretsVersion: 0 };
    const { id } = await machines.create(inputs);
    await awaitServing(fly.fly, app, id, (await fly.fly.machines.get(app, id)).instance_id ?? undefined, 0);
    await expect(awaitServing(fly.fly, app, id, 'another-version', 0)).rejects.toThrow(/^Replica .* of trademind-control-plane-broken is started: the others were left as they are/);
    await fly.fly.machines.stop(app, id);
    await expect(awaitServing(fly.fly, app, id, undefined, 0)).rejects.toThrow(/is stop/);
    await apps.delete(app, { name: app, org: 'personal' });
  });

  test('make what was declared at Fly, find it again after a lost answer, change it in place, and take it away', async () => {
    const [apps, secrets, machines] = await Promise.all([reborn(appProvider), reborn(secretsProvider), reborn(machineProvider)]);
    const app = { name: 'trademind-control-plane-test', org: 'personal' };
    expect((await apps.create(app)).id).toBe(app.name);
    expect((await apps.create(app)).id).toBe(app.name);
    expect((await fly.fly.ipAssignments.list(app.name)).length).toBe(2);
    const { outs } = await secrets.create({ app: app.name, values: { A: '1', B: '2' } });
    const inputs = { app: app.name, name: 'replica-1', region: 'sin', image: TEST_IMAGES.tiny, env: { X: '1' }, cpuKind: 'shared', cpus: 1, memoryMb: 256, secretsVersion: outs?.version ?? 0 };
    const first = await machines.create(inputs);
    expect((await machines.create(inputs)).id).toBe(first.id);
    expect(await fly.fly.machines.list(app.name)).toHaveLength(1);

    const news = { ...inputs, memoryMb: 512 };
    const olds = { ...inputs, machineId: first.id };
    expect(await machines.diff(first.id, olds, inputs)).toMatchObject({ changes: false, replaces: [] });
    expect(await machines.diff(first.id, olds, { ...inputs, region: 'fra' })).toMatchObject({ changes: true, replaces: ['region'], deleteBeforeReplace: true });
    expect(await machines.diff(first.id, olds, news)).toMatchObject({ changes: true, replaces: [] });
    await machines.update(first.id, olds, news);
    expect((await fly.fly.machines.get(app.name, first.id)).config?.guest?.memory_mb).toBe(512);
    await secrets.update('s', { app: app.name, values: { A: '1', B: '2' }, version: 1 }, { app: app.name, values: { A: '3' } });
    expect((await fly.fly.secrets.list(app.name)).secrets.map((secret) => secret.name)).toEqual(['A']);

    await machines.delete(first.id, { ...news, machineId: first.id });
    await machines.delete(first.id, { ...news, machineId: first.id });
    await apps.delete(app.name, app);
    await expect(fly.fly.apps.get(app.name)).rejects.toMatchObject({ code: 'fly_not_found' });
  });
});
