import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { countRecording, openReplay, startLocal } from '@trademind/runtime';
import { ArchiveWriter, connectExchange, download, nodeDisk } from '@trademind/runtime/archive';
import { readRecording } from '../../packages/runtime/market/recording/recording-file.ts';
import { DIP, machineEnv, removeDir, spawnMachine, startCloud, startTestExchange, tempDir, until, type Cloud, type Exchange, type MachineProcess } from './world.ts';

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

const recordingsOf = (folder: string) => readdirSync(join(folder, 'recordings')).toSorted().map((name) => join(folder, 'recordings', name));

/** When the last frame came that can be read now; 0 while there is none. */
async function lastFrameAt(path: string): Promise<number> {
  let last = 0;
  try {
    for await (const event of readRecording(path)) if (event.kind === 'frame') last = event.at;
  } catch {
    // Its first block is half-written.
  }
  return last;
}

async function fillArchive(path: string): Promise<void> {
  const { signal } = new AbortController();
  const source = connectExchange({ url: exchange.url, signal });
  const writer = new ArchiveWriter(path, { disk: nodeDisk, pid: process.pid });
  const to = await source.time();
  const keys = (await source.largest('USDT', 6)).map((symbol) => ({ symbol, interval: '1m' as const }));
  await download({ writer, source, keys, range: { from: to - 28 * 3_600_000, to }, concurrency: 8, signal, onProgress: () => undefined });
  writer.close();
}

test('the machine serves its health from the start, says what it waits for, becomes ready, drains on SIGTERM, and never shows its secret; what it recorded is whole', async () => {
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const running = await spawnMachine({ ...machineEnv({ cloud, machine, exchange, dataDir }), RECORDING_MB: '50' });
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
  const [recording] = recordingsOf(dataDir);
  expect(statSync(recording!).mode & 0o777).toBe(0o600);
  expect(await countRecording(recording!)).toMatchObject({ torn: false, undelivered: 0 });
  const text = gunzipSync(readFileSync(recording!)).toString();
  for (const secret of [machine.secret, cloud.supabase.publishableKey]) expect(text).not.toContain(secret);
});

const codeIn = ({ logged }: MachineProcess, code: string) => logged.find((line) => line['code'] === code);

test('a session that was recorded up to a kill replays, with all that the machine knew of its market', async () => {
  const [folder, archive] = [tempDir(), tempDir()];
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  const killed = await spawnMachine({ ...machineEnv({ cloud, machine, exchange, dataDir: folder }), ARCHIVE_DIR: archive, RECORDING_MB: '50' });
  try {
    await until('it screens', () => killed.logged.some(({ phase }) => phase === 'screening'));
    const [recording = ''] = recordingsOf(folder);
    const since = Date.now();
    await until('all that it booted with is on disk, and frames', async () => await lastFrameAt(recording) > since);
    await killed.kill('SIGKILL');
    // What lies in an archive is in no frame: whoever records looks at none.
    expect(codeIn(killed, 'history_loaded')).toBeUndefined();
    const replay = await openReplay(recording);
    const local = await startLocal({ dataDir: join(folder, 'replay'), interval: '5m', exchange: replay.exchange, wall: replay.wall, traders: [DIP] });
    expect((await replay.run()).frames).toBeGreaterThan(0);
    expect(local.source.candles('BTCUSDT', '1m', 5_000).length).toBeGreaterThan(1_440);
    expect(local.source.signals(10)).toHaveLength(10);
    await local.stop();
  } finally {
    await killed.kill('SIGKILL');
    for (const path of [folder, archive]) removeDir(path);
  }
});

test('with an archive a start asks the exchange only for what is not in it', async () => {
  const [folder, archive] = [tempDir(), tempDir()];
  const machine = await cloud.addMachine();
  await machine.addTrader(DIP);
  await fillArchive(archive);
  const running = await spawnMachine({ ...machineEnv({ cloud, machine, exchange, dataDir: folder }), ARCHIVE_DIR: archive });
  try {
    await until('its history is there', () => codeIn(running, 'history_loaded') !== undefined);
    // A day of minutes of each symbol; at this speed of the market a minute passes in a second.
    const { stored, asked } = codeIn(running, 'history_loaded') as { stored: number; asked: number };
    expect(stored).toBeGreaterThan(5 * 1_300);
    expect(asked).toBeLessThan(5 * 300);
    expect(existsSync(join(folder, 'recordings'))).toBe(false);
  } finally {
    await running.kill('SIGKILL');
    for (const path of [folder, archive]) removeDir(path);
  }
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
