import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually, startTestFly, testMachine, type MachineConfig, type TestFly } from '../../tests/support/fly.ts';
import { CpuQuota, findCgroup, limitOf, nextBalance, SHARE } from './cpu-quota.ts';
import { runCommand } from './process-tools.ts';

// The verbs that need a real process, and what the simulated runtime answers to them.
let cloud: TestFly;
let simulated: TestFly;
let count = 0;
beforeAll(async () => {
  cloud = await startTestFly({ runtime: 'process', allowExec: true });
  simulated = await startTestFly();
});
afterAll(async () => { await Promise.all([cloud.close(), simulated.close()]); });

interface Seen { pid: number; boots: number[]; env: Record<string, string> }
const look = (app: string): Promise<Seen> => eventually(async () => {
  const response = await fetch(`${cloud.edgeUrl}/${app}/`);
  return response.ok ? response.json() as Promise<Seen> : undefined;
});
async function deploy(change: Partial<MachineConfig> = {}, on = cloud): Promise<{ app: string; id: string; volume: string }> {
  const app = `verbs-${(count += 1)}`;
  await on.fly.apps.create({ name: app, orgSlug: 'o' });
  const volume = await on.fly.volumes.create(app, { name: 'data', region: 'sin', sizeGb: 1 });
  const { id } = await on.fly.machines.create(app, { name: 'main', region: 'sin', config: testMachine(volume.id, change) });
  await on.fly.machines.wait(app, id, { state: 'started', timeoutSeconds: 50 });
  return { app, id, volume: volume.id };
}
const wait = (app: string, id: string, state: 'started' | 'stopped' | 'suspended', on = cloud) => on.fly.machines.wait(app, id, { state, timeoutSeconds: 50 });

describe('suspend', () => {
  test('stands still with its memory kept, answers nobody, and goes on where it was', async () => {
    const { app, id } = await deploy();
    const before = await look(app);
    await cloud.fly.machines.suspend(app, id);
    await wait(app, id, 'suspended');
    expect((await fetch(`${cloud.edgeUrl}/${app}/`)).status).toBe(503);
    await expect(cloud.fly.machines.exec(app, id, { command: ['true'] })).rejects.toMatchObject({ code: 'fly_precondition' });
    await expect(cloud.fly.machines.restart(app, id)).rejects.toMatchObject({ code: 'fly_precondition' });
    await cloud.fly.machines.start(app, id);
    await wait(app, id, 'started');
    expect(await look(app)).toMatchObject({ pid: before.pid, boots: [before.pid] });
  });

  test('a suspended machine can be stopped, and one with much memory or with swap cannot be suspended', async () => {
    const { app, id } = await deploy();
    await look(app);
    await cloud.fly.machines.suspend(app, id);
    await wait(app, id, 'suspended');
    await cloud.fly.machines.stop(app, id);
    await wait(app, id, 'stopped');
    const large = await deploy({ guest: { cpu_kind: 'shared', cpus: 2, memory_mb: 4096 } }, simulated);
    await expect(simulated.fly.machines.suspend(large.app, large.id)).rejects.toMatchObject({ code: 'fly_invalid' });
    const swapping = await deploy({ swap_size_mb: 512 }, simulated);
    await expect(simulated.fly.machines.suspend(swapping.app, swapping.id)).rejects.toMatchObject({ code: 'fly_invalid' });
    await expect(simulated.fly.machines.suspend(swapping.app, 'nobody')).rejects.toMatchObject({ code: 'fly_not_found' });
  });
});

describe('a command in a machine', () => {
  test('runs in its folder and environment, and answers 200 also when it fails', async () => {
    const { app, id } = await deploy();
    const { env } = await look(app);
    const fine = await cloud.fly.machines.exec(app, id, { command: ['node', '-e', 'console.log(process.cwd(), process.env.FLY_MACHINE_ID)'] });
    expect(fine).toMatchObject({ exit_code: 0, stdout: `${env['HOME'] ?? ''} ${id}\n` });
    expect(await cloud.fly.machines.exec(app, id, { command: ['node', '-e', 'console.error("no"); process.exit(4)'] })).toMatchObject({ exit_code: 4, stderr: 'no\n' });
    expect(await cloud.fly.machines.exec(app, id, { command: ['/no/such/program'] })).toMatchObject({ exit_code: 127 });
    const rows = await (await fetch(`${cloud.url}/apps/${app}/machines/${id}/ps`, { headers: { authorization: 'Bearer test-token-of-the-stand-in' } })).json() as { pid: number; rss: number }[];
    expect(rows.map((row) => [row.pid > 0, row.rss > 1_000_000])).toEqual([[true, true]]);
  });

  test('is refused unless the stand-in was started to allow it, and a simulated machine has none', async () => {
    const closed = await startTestFly({ runtime: 'process' });
    try {
      const { app, id } = await deploy({}, closed);
      await expect(closed.fly.machines.exec(app, id, { command: ['id'] })).rejects.toMatchObject({ code: 'fly_forbidden' });
    } finally {
      await closed.close();
    }
    const { app, id } = await deploy({}, simulated);
    expect(await simulated.fly.machines.exec(app, id, { command: ['id'] })).toMatchObject({ exit_code: 127 });
    await expect(simulated.fly.machines.exec(app, id, { command: [] })).rejects.toMatchObject({ code: 'fly_invalid' });
  });

  test('that does not end is ended', async () => {
    expect(await runCommand([process.execPath, '-e', 'setInterval(() => {}, 1000)'], { cwd: '/', env: {}, timeoutMs: 200 })).toMatchObject({ exit_code: 137, exit_signal: 9 });
  });
});

test('a signal reaches the process, by name or number', async () => {
  const { app, id } = await deploy({ restart: { policy: 'no' } });
  await look(app);
  await cloud.fly.machines.signal(app, id, 9);
  await wait(app, id, 'stopped');
  expect((await cloud.fly.machines.events(app, id)).find((event) => event.type === 'exit')?.request?.exit_event).toMatchObject({ signal: 9, requested_stop: false });
  await expect(cloud.fly.machines.signal(app, id, 'SIGTERM')).rejects.toMatchObject({ code: 'fly_precondition' });
});

test('its last lines are in the log API after it has ended', async () => {
  const { app, id } = await deploy({ restart: { policy: 'no' } });
  const { env } = await look(app);
  await cloud.admin.fault({ kind: 'exit', app, exitCode: 137, oomKilled: true, log: 'Killed process (out of memory)' });
  await wait(app, id, 'stopped');
  const answer = await fetch(`${new URL(cloud.url).origin}/api/v1/apps/${app}/logs?instance=${id}`, { headers: { authorization: 'Bearer test-token-of-the-stand-in' } });
  const { data } = await answer.json() as { data: { attributes: { message: string } }[] };
  expect(data.at(-1)?.attributes.message).toBe('Killed process (out of memory)');
  expect((await cloud.fly.machines.events(app, id)).find((event) => event.type === 'exit')?.request?.exit_event).toMatchObject({ exit_code: 137, oom_killed: true });
  expect(existsSync(join(env['DATA_DIR'] ?? '', 'boots'))).toBe(true);
});

describe('volumes', () => {
  test('a snapshot keeps what was, and a volume can be made from it', async () => {
    const { app, volume } = await deploy();
    const { env } = await look(app);
    writeFileSync(join(env['DATA_DIR'] ?? '', 'note'), 'before');
    await cloud.fly.volumes.takeSnapshot(app, volume);
    writeFileSync(join(env['DATA_DIR'] ?? '', 'note'), 'after');
    const [snapshot] = await cloud.fly.volumes.snapshots(app, volume);
    const copy = await cloud.fly.volumes.create(app, { name: 'data', region: 'sin', sizeGb: 1, snapshotId: snapshot?.id ?? '' });
    expect(readFileSync(join(cloud.dataDir, 'volumes', copy.id, 'note'), 'utf8')).toBe('before');
    await expect(cloud.fly.volumes.create(app, { name: 'data', region: 'sin', sizeGb: 1, snapshotId: 'vs_none' })).rejects.toMatchObject({ code: 'fly_invalid' });
  });

  test('keep their snapshots for as many days as they are told', async () => {
    const { app, volume } = await deploy({}, simulated);
    const put = (body: unknown) => fetch(`${simulated.url}/apps/${app}/volumes/${volume}`, {
      method: 'PUT', headers: { authorization: 'Bearer test-token-of-the-stand-in', 'content-type': 'application/json' }, body: JSON.stringify(body),
    });
    expect(await (await put({ snapshot_retention: 9, auto_backup_enabled: false })).json()).toMatchObject({ id: volume, snapshot_retention: 9, auto_backup_enabled: false });
    expect((await put({ snapshot_retention: 99 })).status).toBe(400);
  });

  test('only grow', async () => {
    const { app, volume } = await deploy({}, simulated);
    expect(await simulated.fly.volumes.extend(app, volume, 3)).toMatchObject({ volume: { size_gb: 3 }, needsRestart: false });
    await expect(simulated.fly.volumes.extend(app, volume, 2)).rejects.toMatchObject({ code: 'fly_invalid' });
  });

  test('follow a migrated machine to its new host with what they hold', async () => {
    const { app, id } = await deploy();
    const before = await look(app);
    await cloud.admin.fault({ kind: 'migrate', app });
    const after = await eventually(async () => { const seen = await look(app); return seen.boots.length === 2 ? seen : undefined; });
    expect(after.boots[0]).toBe(before.pid);
    expect(after.env['DATA_DIR']).not.toBe(before.env['DATA_DIR']);
    expect((await cloud.fly.machines.get(app, id)).config?.mounts?.[0]?.volume).toBe(after.env['DATA_DIR']?.split('/').at(-1));
  });
});

test('where there is room for a machine of a size can be asked', async () => {
  await simulated.admin.room({ syd: 1024, fra: 100 });
  const response = await fetch(`${simulated.url}/platform/placements`, {
    method: 'POST', headers: { authorization: 'Bearer test-token-of-the-stand-in', 'content-type': 'application/json' },
    body: JSON.stringify({ compute: { cpu_kind: 'shared', cpus: 1, memory_mb: 512 }, count: 9, region: 'syd,fra,ams' }),
  });
  await simulated.admin.room({});
  expect(await response.json()).toMatchObject({ regions: [{ region: 'syd', count: 2 }, { region: 'ams', count: 9 }] });
});

test('a summary leaves out what is long', async () => {
  const { app, id } = await deploy({}, simulated);
  const response = await fetch(`${simulated.url}/apps/${app}/machines?summary=true`, { headers: { authorization: 'Bearer test-token-of-the-stand-in' } });
  const [row] = await response.json() as Record<string, unknown>[];
  expect([row?.['id'], row?.['state'], row?.['config'], row?.['events']]).toEqual([id, 'started', undefined, undefined]);
});

test('a list of apps goes on behind its cursor', async () => {
  for (const name of ['page-a', 'page-b', 'page-c']) await simulated.fly.apps.create({ name, orgSlug: 'pages' });
  expect((await simulated.fly.apps.list({ orgSlug: 'pages', limit: 2 })).map((app) => app.name)).toEqual(['page-a', 'page-b', 'page-c']);
});

describe('the CPU time of a shared machine', () => {
  test('is banked while it rests, spent while it works, and ends at its share', () => {
    const share = SHARE.quotaUs / SHARE.periodUs;
    expect(nextBalance(0, 0, 1e6, 1)).toBe(1e6 * share);
    expect(nextBalance(1e6, 1e6, 1e6, 1)).toBe(1e6 * share);
    expect(nextBalance(0, 1e6, 1e6, 1)).toBe(0);
    expect(nextBalance(1e12, 0, 1e6, 2)).toBe(500e6 * share * 2);
    expect([limitOf(0, 1), limitOf(0.5e6, 1), limitOf(9e6, 2)]).toEqual([5_000, 45_000, 160_000]);
  });

  const found = findCgroup();
  test.skipIf('why' in found)(`is held where the system allows (${'why' in found ? found.why : found.name})`, async () => {
    if ('why' in found) return;
    const quota = new CpuQuota(found);
    const busy = ["const end = Date.now() + 1500; while (Date.now() < end); process.stdout.write(String(process.cpuUsage().user + process.cpuUsage().system))"];
    const run = async (name: string, balance: number | undefined) => {
      const machine = `${name}-${process.pid}`;
      const child = spawn('/bin/sh', ['-c', 'read go && exec "$0" -e "$1"', process.execPath, ...busy], { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
      quota.govern(machine, child.pid ?? 0, { cpu_kind: 'shared', cpus: 1 }, balance);
      child.stdin.end('go\n');
      let said = '';
      const exit = once(child, 'exit');
      for await (const chunk of child.stdout) said += String(chunk);
      await exit;
      const throttled = Number(/nr_throttled (\d+)/.exec(readFileSync(join(found.base, `trademind-${machine}`, 'cpu.stat'), 'utf8'))?.[1]);
      quota.release(machine);
      return { usedUs: Number(said), throttled };
    };
    const [rich, poor] = [await run('test-rich', 50), await run('test-poor', 0)];
    quota.close();
    // its share of 1.5 s is below a tenth; a loaded computer gives less, never more
    expect(poor.usedUs).toBeLessThan(600_000);
    // what each got tells of the load too; how often it was held back tells of its share alone
    expect(poor.throttled).toBeGreaterThan(rich.throttled);
  });

  test.skipIf('why' in found)('holds a machine of the stand-in from its first moment until it is gone', async () => {
    if ('why' in found) return;
    const governed = await startTestFly({ runtime: 'process', cpuQuota: true });
    try {
      const { app, id } = await deploy({ guest: { cpu_kind: 'shared', cpus: 2, memory_mb: 512 } }, governed);
      const group = join(found.base, `trademind-${id}`);
      const { pid } = await eventually(async () => { const answer = await fetch(`${governed.edgeUrl}/${app}/`); return answer.ok ? answer.json() as Promise<Seen> : undefined; });
      expect(readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').map(Number)).toContain(pid);
      await governed.fly.machines.destroy(app, id, { force: true });
      await governed.fly.machines.wait(app, id, { state: 'destroyed', timeoutSeconds: 50 });
      await eventually(async () => (existsSync(group) ? undefined : true));
    } finally {
      await governed.close();
    }
  });

  test('is said to be free where no control group may be made', () => {
    expect(findCgroup('/nowhere')).toEqual({ why: expect.stringMatching(/control group/) as string });
  });
});
