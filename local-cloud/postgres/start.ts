import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chownSync, closeSync, existsSync, mkdirSync, openSync, readFileSync, realpathSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { explain, lastWords, PostgresError } from './errors.ts';
import { giveUpOwnership, notePort, runningPostmaster, takeOwnership } from './owner.ts';
import { findPlace, giveTo, namedUser, POSTGRES_UID, recordedPlace, type Place } from './place.ts';
import { programPath, runProgram, spawnOptions } from './programs.ts';

export interface PostgresOptions {
  dataDir: string;
  /** 0 takes a free one. */
  port: number;
  /** Of the superuser `postgres`. Absent: the one kept in the data folder, else a random one. */
  password?: string | undefined;
  /** false: no fsync at all; a crash of the system may lose the cluster. For tests. */
  durable?: boolean | undefined;
  maxConnections?: number | undefined;
}

export interface RunningPostgres {
  /** Superuser's URL. Holds the password: not for logs. */
  url: string;
  port: number;
  /** Of the postmaster. */
  pid: number;
  /** Settles when the postmaster has ended, whoever ended it. */
  exited: Promise<void>;
  /** Fast shutdown: open transactions are rolled back, the cluster is clean afterwards. */
  close(): Promise<void>;
}

/**
 * Starts PostgreSQL on loopback with the cluster of `dataDir`, made if there is none (or only half of one). A postmaster left behind by a
 * killed program is stopped first; a crashed one recovers by itself. Throws PostgresError (code, one line, next step).
 */
export async function startPostgres(options: PostgresOptions): Promise<RunningPostgres> {
  let owned: string | null = null;
  try {
    mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
    const place = findPlace(options.dataDir);
    takeOwnership(place.dataDir, options.port);
    owned = place.dataDir;
    return await startCluster(place, options);
  } catch (error) {
    if (owned !== null) giveUpOwnership(owned);
    throw explain(error, options.dataDir);
  }
}

/** Stops whatever still serves `dataDir` and removes its cluster, wherever it was put. Throws already_running while another program has it. */
export async function removePostgres(dataDir: string): Promise<void> {
  if (!existsSync(dataDir)) return;
  const folder = recordedPlace(dataDir) ?? join(dataDir, 'postgres');
  takeOwnership(dataDir, 0);
  try {
    if (existsSync(join(folder, 'data'))) await stopLeftover(findPlace(dataDir));
    rmSync(folder, { recursive: true, force: true });
    removeIfEmpty(dirname(folder));
    for (const name of ['location.json', 'password']) rmSync(join(dataDir, name), { force: true });
  } catch (error) {
    throw explain(error, dataDir);
  } finally {
    giveUpOwnership(dataDir);
  }
}

function removeIfEmpty(folder: string): void {
  if (basename(folder) !== 'trademind') return; // only a place made for root has such a parent
  try {
    rmdirSync(folder);
  } catch { /* other clusters live there */ }
}

async function startCluster(place: Place, options: PostgresOptions): Promise<RunningPostgres> {
  const data = join(place.folder, 'data');
  await stopLeftover(place);
  if (place.abandoned) rmSync(data, { recursive: true, force: true });
  const kept = keptPassword(place);
  const password = options.password ?? kept ?? randomBytes(24).toString('base64url');
  if (!existsSync(data)) {
    await initialise(place, password, options.durable ?? true);
    keepPassword(place, password);
  } else if (kept === null && options.password === undefined) {
    throw new PostgresError('start_failed', `The database's password is missing from ${place.dataDir}: give it, or start with --reset (this deletes the database).`);
  }
  const { child, port } = await launch(place, realpathSync(data), options);
  notePort(place.dataDir, port);
  const exited = new Promise<void>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('exit', () => resolve());
  });
  const ended = exited.then(() => giveUpOwnership(place.dataDir));
  const url = (word: string) => `postgresql://postgres:${encodeURIComponent(word)}@127.0.0.1:${port}/postgres`;
  const close = async () => {
    await stopChild(child, exited);
    await ended;
  };
  try {
    if (kept !== null && kept !== password) await changePassword(url(kept), password);
    if (kept !== password) keepPassword(place, password);
  } catch (error) {
    await close();
    throw error;
  }
  return { url: url(password), port, pid: child.pid ?? 0, exited: ended, close };
}

/** Ends a postmaster whose program was killed: two may never serve one cluster. */
async function stopLeftover(place: Place): Promise<void> {
  const data = join(place.folder, 'data');
  if (!existsSync(data) || runningPostmaster(realpathSync(data)) === null) return;
  await runProgram(place, 'pg_ctl', ['stop', '-D', data, '-m', 'fast', '-w', '-t', '20'])
    .catch(() => runProgram(place, 'pg_ctl', ['stop', '-D', data, '-m', 'immediate', '-w', '-t', '10']));
}

/** Makes the cluster beside its place and renames it when it is complete: a half-written one never has the name. */
async function initialise(place: Place, password: string, durable: boolean): Promise<void> {
  const part = join(place.folder, 'data.part');
  const passwordFile = join(place.folder, 'password.part');
  rmSync(part, { recursive: true, force: true });
  rmSync(passwordFile, { force: true });
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
  try {
    const initdb = place.uid === undefined ? place : { ...place, uid: namedUser() };
    mkdirSync(part, { mode: 0o700 });
    if (initdb.uid !== undefined) for (const path of [part, passwordFile]) chownSync(path, initdb.uid, POSTGRES_UID);
    await runProgram(initdb, 'initdb', [
      '-D', part, '-U', 'postgres', '--auth=scram-sha-256', `--pwfile=${passwordFile}`, '--encoding=UTF8', '--no-locale',
      '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--no-instructions', ...(durable ? [] : ['--no-sync']),
    ]);
  } finally {
    rmSync(passwordFile, { force: true });
  }
  giveTo(place, part);
  renameSync(part, join(place.folder, 'data'));
}

/** Small, loopback only, no Unix socket; nothing of a failed statement goes to the log. */
function settings(port: number, options: PostgresOptions): string[] {
  const all: Record<string, string | number> = {
    listen_addresses: '127.0.0.1', port, unix_socket_directories: '', max_connections: options.maxConnections ?? 60,
    shared_buffers: '32MB', max_wal_size: '256MB', min_wal_size: '32MB', wal_level: 'minimal', max_wal_senders: 0,
    jit: 'off', io_method: 'sync', max_worker_processes: 4, max_parallel_workers_per_gather: 0, huge_pages: 'off', timezone: 'UTC', log_timezone: 'UTC',
    log_min_messages: 'log', log_min_error_statement: 'panic', log_checkpoints: 'off', log_statement: 'none',
    ...(options.durable === false ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  };
  return Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

async function launch(place: Place, data: string, options: PostgresOptions): Promise<{ child: ChildProcess; port: number }> {
  const log = join(place.folder, 'postgres.log');
  for (let attempt = 1; ; attempt += 1) {
    const port = options.port === 0 ? await freePort() : options.port;
    if (existsSync(log)) renameSync(log, `${log}.before`);
    const out = openSync(log, 'w', 0o600);
    let child: ChildProcess;
    try {
      // A group of its own: Ctrl-C in a terminal reaches the program that started us, and it decides when the database ends.
      child = spawn(programPath(place, 'postgres'), ['-D', data, ...settings(port, options)], { ...spawnOptions(place), stdio: ['ignore', out, out], detached: true });
    } finally {
      closeSync(out);
    }
    if (await isReady(child, data)) return { child, port };
    const said = readFileSync(log, 'utf8');
    const taken = /could not bind|could not create any TCP/i.test(said);
    if (taken && options.port !== 0) throw new PostgresError('port_taken', `Port ${port} is taken: stop the program that listens there, or choose another port.`);
    // A postmaster killed a moment ago leaves children that need a moment to notice; a free port may have been taken since.
    if (attempt < 20 && (taken || /pre-existing shared memory block|lock file .* already exists/i.test(said))) {
      await sleep(250);
      continue;
    }
    throw new Error(lastWords(said));
  }
}

/** True when the postmaster accepts connections; false when it ended first. Its lock file says so in the eighth line. */
async function isReady(child: ChildProcess, data: string): Promise<boolean> {
  const failed = new Promise<never>((_, reject) => { child.once('error', reject); });
  failed.catch(() => undefined);
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) return false;
    try {
      const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
      if (Number(lines[0]) === child.pid && lines[7]?.trim() === 'ready') return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
    await Promise.race([sleep(15), failed]);
  }
}

async function stopChild(child: ChildProcess, exited: Promise<void>): Promise<void> {
  for (const [signal, patience] of [['SIGINT', 15_000], ['SIGQUIT', 5_000], ['SIGKILL', 5_000]] as const) {
    child.kill(signal);
    const waiting = new AbortController();
    const done = await Promise.race([exited.then(() => true), sleep(patience, false, { signal: waiting.signal }).catch(() => false)]);
    waiting.abort();
    if (done) return;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => { resolve(typeof address === 'object' && address !== null ? address.port : 0); });
    });
  });
}

const passwordFile = (place: Place) => join(place.dataDir, 'password');

function keptPassword(place: Place): string | null {
  const word = existsSync(passwordFile(place)) ? readFileSync(passwordFile(place), 'utf8').trim() : '';
  return word === '' ? null : word;
}

function keepPassword(place: Place, password: string): void {
  writeFileSync(`${passwordFile(place)}.part`, `${password}\n`, { mode: 0o600 });
  renameSync(`${passwordFile(place)}.part`, passwordFile(place));
}

async function changePassword(url: string, password: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`alter role postgres password ${client.escapeLiteral(password)}`);
  } finally {
    await client.end();
  }
}
