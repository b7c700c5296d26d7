import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { eventually, spawnTestFly, tempFolder, testMachine, type SpawnedFly } from '../../tests/support/fly.ts';
import { processIdentity } from './process-identity.ts';

const started: SpawnedFly[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const cloud of started.splice(0)) if (cloud.child.exitCode === null && cloud.child.signalCode === null) await cloud.kill('SIGTERM');
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});
async function folder(): Promise<string> {
  const dataDir = await tempFolder();
  folders.push(dataDir);
  return dataDir;
}
async function spawn(dataDir: string): Promise<SpawnedFly> {
  const cloud = await spawnTestFly(dataDir);
  started.push(cloud);
  return cloud;
}

interface Seen { pid: number; boots: number[]; env: Record<string, string> }
const look = (cloud: SpawnedFly, app: string): Promise<Seen> => eventually(async () => {
  const response = await fetch(`${cloud.edgeUrl}/${app}/`);
  return response.ok ? response.json() as Promise<Seen> : undefined;
});
async function deploy(cloud: SpawnedFly, app: string): Promise<{ id: string; volume: string }> {
  await cloud.fly.apps.create({ name: app, orgSlug: 'o' });
  const volume = await cloud.fly.volumes.create(app, { name: 'data', region: 'sin', sizeGb: 1 });
  const { id } = await cloud.fly.machines.create(app, { name: 'main', region: 'sin', config: testMachine(volume.id) });
  return { id, volume: volume.id };
}
const bootsOf = (dataDir: string, volume: string): number[] => readFileSync(join(dataDir, 'volumes', volume, 'boots'), 'utf8').trim().split('\n').map(Number);
const alive = (pids: number[]): number[] => pids.filter((pid) => processIdentity(pid) !== null);

test('a machine outlives kill -9 of the stand-in, is taken over, obeys, and is still watched', async () => {
  const dataDir = await folder();
  const first = await spawn(dataDir);
  const { id } = await deploy(first, 'survivor');
  const before = await look(first, 'survivor');
  expect(before.env['SECRET_OF_THE_PARENT']).toBeUndefined();
  expect(before.env['FLY_STAND_IN_TOKEN']).toBeUndefined();
  await first.kill('SIGKILL');
  expect(alive([before.pid])).toEqual([before.pid]);

  const second = await spawn(dataDir);
  const after = await look(second, 'survivor');
  expect(after).toMatchObject({ pid: before.pid, boots: [before.pid] });
  await fetch(`${second.edgeUrl}/survivor/exit?code=1`).catch(() => undefined);
  const reborn = await eventually(async () => { const seen = await look(second, 'survivor'); return seen.boots.length === 2 ? seen : undefined; });
  await second.fly.machines.stop('survivor', id);
  await second.fly.machines.wait('survivor', id, { state: 'stopped', timeoutSeconds: 50 });
  expect(alive(reborn.boots)).toEqual([]);
});

test('a machine that died while no stand-in watched is started again', async () => {
  const dataDir = await folder();
  const first = await spawn(dataDir);
  await deploy(first, 'lost');
  const before = await look(first, 'lost');
  await first.kill('SIGKILL');
  process.kill(before.pid, 'SIGKILL');
  const second = await spawn(dataDir);
  const after = await eventually(async () => { const seen = await look(second, 'lost'); return seen.pid === before.pid ? undefined : seen; });
  expect(after.boots).toEqual([before.pid, after.pid]);
});

test('SIGTERM is the host going down: machines drain, and come back at the next start', async () => {
  const dataDir = await folder();
  const first = await spawn(dataDir);
  const { id, volume } = await deploy(first, 'hosted');
  const before = await look(first, 'hosted');
  await first.kill('SIGTERM');
  expect(alive([before.pid])).toEqual([]);
  expect(readFileSync(join(dataDir, 'volumes', volume, 'drained'), 'utf8').trim()).toBe(String(before.pid));
  const second = await spawn(dataDir);
  const after = await look(second, 'hosted');
  expect(after.boots).toEqual([before.pid, after.pid]);
  expect((await second.fly.machines.get('hosted', id)).events?.[0]).toMatchObject({ type: 'start', status: 'started' });
});

test('killed again and again at any moment of a boot, it never has two processes of one machine', async () => {
  const dataDir = await folder();
  let cloud = await spawn(dataDir);
  const { id, volume } = await deploy(cloud, 'unlucky');
  await look(cloud, 'unlucky');
  for (const delay of [0, 3, 8, 20]) {
    await cloud.fly.machines.restart('unlucky', id, { forceStop: true }).catch(() => undefined);
    await new Promise((resolve) => { setTimeout(resolve, delay); });
    await cloud.kill('SIGKILL');
    cloud = await spawn(dataDir);
    await cloud.fly.machines.wait('unlucky', id, { state: 'started', timeoutSeconds: 50 });
    const { pid } = await look(cloud, 'unlucky');
    expect(alive(bootsOf(dataDir, volume))).toEqual([pid]);
  }
});

test('a folder in use is refused with one clear line', async () => {
  const dataDir = await folder();
  await spawn(dataDir);
  await expect(spawn(dataDir)).rejects.toThrow(/"code":"data_in_use"/);
});
