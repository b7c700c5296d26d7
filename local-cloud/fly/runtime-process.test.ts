import { readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, startTestFly, tempFolder, TEST_IMAGES, testMachine, type Machine, type MachineConfig, type TestFly } from '../../tests/support/fly.ts';
import { processIdentity } from './process-identity.ts';
import { ProcessRuntime } from './runtime-process.ts';
import type { MachineRow, Run } from './types.ts';

interface Seen { pid: number; env: Record<string, string>; cwd: string; crumb: boolean; boots: number[] }

let cloud: TestFly;
let count = 0;
beforeAll(async () => { cloud = await startTestFly({ runtime: 'process' }); });
afterAll(() => cloud.close());

async function deploy(change: Partial<MachineConfig> = {}, image: string = TEST_IMAGES.tiny): Promise<{ app: string; machine: Machine }> {
  const app = `process-${(count += 1)}`;
  await cloud.fly.apps.create({ name: app, orgSlug: 'o' });
  await cloud.fly.secrets.set(app, { MACHINE_SECRET: 'only-in-the-environment' });
  const volume = await cloud.fly.volumes.create(app, { name: 'data', region: 'sin', sizeGb: 1 });
  return { app, machine: await cloud.fly.machines.create(app, { name: 'main', region: 'sin', config: testMachine(volume.id, change, image) }) };
}
const look = (app: string): Promise<Seen> => eventually(async () => {
  const response = await fetch(`${cloud.edgeUrl}/${app}/`);
  return response.ok ? response.json() as Promise<Seen> : undefined;
});
const exits = async (app: string, id: string) => (await cloud.fly.machines.events(app, id)).filter((event) => event.type === 'exit').map((event) => event.request?.exit_event);

test('a machine finds its own environment and nothing of its host', async () => {
  process.env['SECRET_OF_THE_HOST'] = 'must not be seen';
  const { app, machine } = await deploy({ env: { DATA_DIR: '/data', CACHE: '/data/cache', OTHER: '/database' } });
  const { env, cwd } = await look(app);
  delete process.env['SECRET_OF_THE_HOST'];
  const volume = join(cloud.dataDir, 'volumes', machine.config?.mounts?.[0]?.volume ?? '');
  expect(env).toMatchObject({
    DATA_DIR: volume, CACHE: join(volume, 'cache'), OTHER: '/database', MACHINE_SECRET: 'only-in-the-environment', FLY_APP_NAME: app, FLY_MACHINE_ID: machine.id,
    FLY_REGION: 'sin', FLY_MACHINE_VERSION: machine.instance_id, HOST: '127.0.0.1', HOME: cwd, TMPDIR: join(cwd, 'tmp'),
  });
  expect(Object.keys(env).filter((key) => !/^(FLY_|DATA_DIR|CACHE|OTHER|MACHINE_SECRET|HOST|PORT|METRICS_PORT|METRICS_HOST|HOME|TMPDIR|PATH|PWD|OLDPWD|SHLVL|_|LC_CTYPE|__CF)/.test(key))).toEqual([]);
  expect(Number(env['PORT'])).not.toBe(Number(env['METRICS_PORT']));
  expect(readFileSync(join(cloud.dataDir, 'logs', `${machine.id}.log`), 'utf8')).not.toContain('only-in-the-environment');
  expect(statSync(volume).mode & 0o077).toBe(0);
});

test('its http check is asked and shown', async () => {
  const { app, machine } = await deploy();
  const check = await eventually(async () => (await cloud.fly.machines.get(app, machine.id)).checks?.find((one) => one.status === 'passing'));
  expect(check).toMatchObject({ name: 'health', status: 'passing' });
});

test('a machine that ends by itself is started again, its root folder empty and its volume kept', async () => {
  const { app, machine } = await deploy();
  const first = await look(app);
  expect(first.crumb).toBe(false);
  await fetch(`${cloud.edgeUrl}/${app}/exit?code=7`).catch(() => undefined);
  const second = await eventually(async () => { const seen = await look(app); return seen.pid === first.pid ? undefined : seen; });
  expect(second).toMatchObject({ crumb: false, boots: [first.pid, second.pid] });
  await fetch(`${cloud.edgeUrl}/${app}/crash`).catch(() => undefined);
  await eventually(async () => ((await look(app)).boots.length === 3 ? true : undefined));
  expect(await exits(app, machine.id)).toMatchObject([
    { exit_code: 137, signal: 9, requested_stop: false, restarting: true }, { exit_code: 7, requested_stop: false, restarting: true },
  ]);
});

test('on-failure lets a good end be and gives up a machine that cannot boot, keeping its exit codes', async () => {
  const good = await deploy({ restart: { policy: 'on-failure' } });
  await look(good.app);
  await fetch(`${cloud.edgeUrl}/${good.app}/exit?code=0`).catch(() => undefined);
  await cloud.fly.machines.wait(good.app, good.machine.id, { state: 'stopped', timeoutSeconds: 50 });
  const bad = await deploy({ restart: { policy: 'on-failure', max_retries: 1 } }, TEST_IMAGES.broken);
  await cloud.fly.machines.wait(bad.app, bad.machine.id, { state: 'stopped', timeoutSeconds: 50 });
  expect((await exits(bad.app, bad.machine.id)).map((exit) => [exit?.exit_code, exit?.restarting])).toEqual([[3, false], [3, true]]);
});

test('a stop sends the signal of the configuration and lets the machine drain', async () => {
  const { app, machine } = await deploy();
  const { pid, env } = await look(app);
  await cloud.fly.machines.stop(app, machine.id);
  await cloud.fly.machines.wait(app, machine.id, { state: 'stopped', timeoutSeconds: 50 });
  expect(processIdentity(pid)).toBeNull();
  expect(readFileSync(join(env['DATA_DIR'] ?? '', 'drained'), 'utf8').trim()).toBe(String(pid));
  expect((await fetch(`${cloud.edgeUrl}/${app}/`)).status).toBe(503);
  expect(await exits(app, machine.id)).toMatchObject([{ exit_code: 0, requested_stop: true, restarting: false }]);
  await cloud.fly.machines.start(app, machine.id);
  expect((await look(app)).boots.length).toBe(2);
});

test('a machine that does not heed its signal is killed after its timeout', async () => {
  const { app, machine } = await deploy({ env: { DATA_DIR: '/data', IGNORE_SIGTERM: 'true' }, stop_config: { signal: 'SIGTERM', timeout: '300ms' } });
  await look(app);
  await cloud.fly.machines.stop(app, machine.id);
  await cloud.fly.machines.wait(app, machine.id, { state: 'stopped', timeoutSeconds: 50 });
  expect(await exits(app, machine.id)).toMatchObject([{ exit_code: 137, signal: 9, requested_stop: true }]);
});

test('an update replaces the process and the secrets it boots with; a destroyed machine leaves no process and no folder', async () => {
  const { app, machine } = await deploy();
  const first = await look(app);
  await cloud.fly.secrets.set(app, { MACHINE_SECRET: 'rotated' });
  const updated = await cloud.fly.machines.update(app, machine.id, { config: { ...testMachine(machine.config?.mounts?.[0]?.volume ?? ''), metadata: { v: '2' } }, skipLaunch: false });
  await cloud.fly.machines.wait(app, machine.id, { state: 'started', version: updated.instance_id ?? undefined, timeoutSeconds: 50 });
  const second = await eventually(async () => { const seen = await look(app); return seen.pid === first.pid ? undefined : seen; });
  expect(second.env).toMatchObject({ MACHINE_SECRET: 'rotated', FLY_MACHINE_VERSION: updated.instance_id });
  expect(processIdentity(first.pid)).toBeNull();
  await cloud.fly.apps.delete(app, { force: true });
  await eventually(async () => (processIdentity(second.pid) === null ? true : undefined));
  await eventually(async () => (statSync(second.cwd, { throwIfNoEntry: false }) ?? statSync(second.env['DATA_DIR'] ?? '', { throwIfNoEntry: false }) ? undefined : true));
});

const runOf = (identity: string): Run => ({ id: 'r', boot: 1, startedAt: 0, process: { pid: process.pid, identity, ports: {} } });

test('nothing runs before its pid is stored, and a process of another start time is not taken for ours', async () => {
  const dataDir = await tempFolder();
  const exits: string[] = [];
  const command = ['node', '-e', "require('fs').writeFileSync(process.env.DATA_DIR + '/ran', '')"];
  const runtime = new ProcessRuntime({ dataDir, images: { x: { command } }, now: Date.now, onExit: (_machine, run) => exits.push(run) });
  const machine: MachineRow = {
    id: 'm', appId: 'a', name: 'n', region: 'sin', state: 'starting', goal: 'started', config: { image: 'x', env: { DATA_DIR: dataDir } }, instanceId: 'i', boot: 1, run: null,
    stopWith: null, privateIp: '::1', cordoned: false, restartCount: 0, createdAt: 0, updatedAt: 0, destroyedAt: null,
  };
  const boot = { appName: 'a', secrets: {} };
  await expect(runtime.launch(machine, boot, () => { throw new Error('the disk is full'); })).rejects.toThrow('the disk is full');
  await eventually(async () => (exits.length === 1 ? true : undefined));
  expect(statSync(join(dataDir, 'ran'), { throwIfNoEntry: false })).toBeUndefined();
  await runtime.launch(machine, boot, () => undefined);
  await eventually(async () => (exits.length === 2 ? true : undefined));
  expect(statSync(join(dataDir, 'ran')).size).toBe(0);

  const mine = processIdentity(process.pid) ?? '';
  expect([runtime.adopt('m', runOf(`${mine}1`)), runtime.adopt('m', runOf(mine))]).toEqual([false, true]);
  runtime.signal(runOf(`${mine}1`), 'SIGKILL'); // would end this test
  runtime.close();
  await rm(dataDir, { recursive: true, force: true });
});
