import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { DIP, machineEnv, removeDir, spawnMachine, startCloud, startTestExchange, tempDir, until, type Cloud, type Exchange } from './world.ts';

let cloud: Cloud;
let exchange: Exchange;
const dataDir = tempDir();
beforeAll(async () => {
  [cloud, exchange] = await Promise.all([startCloud(), startTestExchange({ speed: 60 })]);
});
afterAll(async () => {
  await exchange.close();
  await cloud.close();
  removeDir(dataDir);
});

test('the machine serves its health from the start, says what it waits for, becomes ready, drains on SIGTERM, and never shows its secret', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const running = await spawnMachine(machineEnv({ cloud, machine, exchange, dataDir }));
  await until('it serves', () => running.port > 0);
  const get = (path: string) => fetch(`http://127.0.0.1:${running.port}${path}`);
  expect((await get('/health')).status).toBe(200);
  await until('it is ready', async () => (await get('/ready')).status === 200);
  const metricsPort = Number(running.logged.find(({ code }) => code === 'serving')?.['metricsPort']);
  const metrics = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  for (const name of ['process_resident_memory_bytes', 'trademind_candles_total', 'trademind_outbox_rows', 'trademind_stream_frames_total{kind="malformed"} 0']) expect(metrics).toContain(name);
  expect((await get('/metrics')).status).toBe(404);
  await until('signals are written', async () => (await cloud.supabase.database.pool.query('select 1 from signals where machine_id = $1 limit 1', [machine.id])).rows.length > 0);
  expect(await running.kill('SIGTERM')).toBe(0);
  expect(running.logged.at(-1)).toMatchObject({ level: 'info', code: 'ended', machine: machine.id });
  expect(JSON.stringify(running.logged)).not.toContain(machine.secret);
  expect(existsSync(join(dataDir, 'last-words.json'))).toBe(false);
});

test('an environment that is not whole ends it with 78 and the whole list', async () => {
  const running = await spawnMachine({ MACHINE_SECRET: 'too-short' });
  await until('it ends', () => running.child.exitCode !== null);
  expect(running.child.exitCode).toBe(78);
  const line = JSON.stringify(running.logged);
  for (const name of ['USER_ID', 'MACHINE_ID', 'SUPABASE_URL', 'CONTROL_PLANE_URL', 'TICKET_JWKS']) expect(line).toContain(`${name} is missing`);
  expect(line).not.toContain('too-short');
});

test('a crash leaves its reason in the data folder, and the next start tells it', async () => {
  const machine = await cloud.addMachine();
  const env = { ...machineEnv({ cloud, machine, exchange, dataDir }), PORT: new URL(exchange.url).port };
  const crashed = await spawnMachine(env);
  await until('it ends', () => crashed.child.exitCode !== null);
  expect(crashed.child.exitCode).toBe(1);
  expect(JSON.parse(readFileSync(join(dataDir, 'last-words.json'), 'utf8'))).toMatchObject([{ kind: 'crashed', code: 'EADDRINUSE' }]);
  const next = await spawnMachine({ ...env, PORT: '0' });
  await until('it serves', () => next.port > 0);
  expect(next.logged.map(({ code }) => code)).toContain('crashed_before');
  // The user hears of it with the next beat.
  const told = async () => (await cloud.supabase.database.pool.query<{ status: { health?: { crash?: { code: string } } } | null }>('select status from machines where id = $1', [machine.id])).rows[0]?.status?.health?.crash;
  await until('the user can see it', async () => (await told())?.code === 'EADDRINUSE');
  expect(await next.kill('SIGTERM')).toBe(0);
});
