import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { importJWK, SignJWT, type CryptoKey } from 'jose';
import { Pool } from 'pg';
import type { MachineStatus, TraderInput } from '@trademind/core';
import { prepareDatabase } from '../../local-cloud/postgres/migrate.ts';
import { removePostgres, startPostgres, type RunningPostgres } from '../../local-cloud/postgres/start.ts';
import { generateKeys, generateSigningJwk } from '../../local-cloud/supabase/keys.ts';
import { startSupabase } from '../../local-cloud/supabase/start.ts';
import { signTicket, ticketJwks, ticketKeys } from '../../tests/support/feed.ts';
import { startTestGemini, type TestGemini } from '../../tests/support/gemini.ts';
import { roomForAll } from '../../tests/support/room.ts';
import { machineAnswers } from '../../tests/support/machine-answers.ts';
import { startLine, type Line } from '../../tests/support/line.ts';
import { endExchangeProcess, startExchangeProcess, wait, type ExchangeProcess } from '../market/exchange-process.ts';

const ROOT = join(import.meta.dirname, '../..');
const DISK_MB = 96;

/** Traders that signal often, on all symbols of the exchange: which are screened does not depend on their volume. */
export const TRADERS: readonly TraderInput[] = [
  { name: 'Fast cross', side: 'long', interval: '1m', where: { cross: 'crossover(sma(close, 3), sma(close, 8))' }, universe: { quote: 'USDT' } },
  { name: 'Dip', side: 'long', interval: '1m', where: { low: 'rsi(5) < 30', hours: 'on("1h", rsi(7) > 20)' }, universe: { quote: 'USDT' } },
  { name: 'Breakdown', side: 'short', interval: '5m', where: { low: 'close < lowest(low, 20)[1]' }, universe: { quote: 'USDT' }, analysis: { priority: 9 } },
];

/** A user with a machine's row, its folder and its traders. */
export interface Account { userId: string; machineId: string; secret: string; dataDir: string; traderIds: readonly string[] }

/** A machine's real process. */
export interface MachineProcess { child: ChildProcess; port: number; metricsPort: number; logged: Record<string, unknown>[]; exited: Promise<number | null> }

export interface ChaosWorld {
  exchange: ExchangeProcess;
  gemini: TestGemini;
  /** The machine's line to the database's gateway. */
  line: Line;
  pool: Pool;
  /** Whether the machine's folder is a file system of its own, which can be filled up. */
  smallDisk: boolean;
  restartDatabase(downMs: number): Promise<void>;
  addAccount(): Promise<Account>;
  /** @param through whether all that goes wrong with the line to the database concerns it */
  startMachine(account: Account, through: 'line' | 'straight'): Promise<MachineProcess>;
  /** How far the machine's own clock is off, ms. */
  shiftClock(ms: number): void;
  ticket(account: Account, key?: CryptoKey): Promise<string>;
  close(): Promise<void>;
}

/** PostgreSQL behind the gateway, the exchange and Gemini, all real processes or servers, and whoever gives a machine its token. */
export async function startChaosWorld(options: { symbols: number; speed: number; seed: string }): Promise<ChaosWorld> {
  const started: (() => unknown)[] = [];
  const close = async () => { for (const end of started.toReversed()) await end(); };
  try {
    const folder = mkdtempSync(join(tmpdir(), 'trademind-chaos-'));
    started.push(() => { rmSync(folder, { recursive: true, force: true }); });
    const smallDisk = mountSmall(join(folder, 'disk'));
    if (smallDisk) started.push(() => execFileSync('umount', ['-l', join(folder, 'disk')]));
    const databaseDir = join(folder, 'postgres');
    started.push(() => removePostgres(databaseDir));
    let postgres: RunningPostgres = await startPostgres({ dataDir: databaseDir, port: 0, durable: false });
    const { url: postgresUrl, port: postgresPort } = postgres;
    started.push(() => postgres.close());
    await prepareDatabase(postgresUrl);
    await roomForAll(postgresUrl);
    const pool = new Pool({ connectionString: postgresUrl, max: 2 });
    pool.on('error', () => undefined);
    started.push(() => pool.end());
    const [keys, machineJwk, tickets] = [await generateKeys(), await generateSigningJwk(), await ticketKeys()];
    const gateway = await startSupabase({ ...keys, port: 0, postgresUrl, extraJwks: [machineJwk] });
    started.push(() => gateway.close());
    const line = await startLine(Number(new URL(gateway.url).port));
    started.push(() => line.close());
    const exchange = await startExchangeProcess(options);
    started.push(() => endExchangeProcess(exchange));
    const gemini = await startTestGemini({ seed: options.seed, latencyMs: undefined, requestsPerMinute: 60 });
    started.push(() => gemini.close());
    const accounts = new Map<string, Account>();
    const machineKey = await importJWK(machineJwk, 'ES256');
    const control = await startTokens(async (secret) => {
      const account = accounts.get(secret);
      if (!account) return undefined;
      const { rows } = await pool.query<{ token_epoch: number }>('select token_epoch from machines where id = $1', [account.machineId]);
      const token = await new SignJWT({ role: 'machine', machine_id: account.machineId, epoch: rows[0]?.token_epoch }).setProtectedHeader({ alg: 'ES256', kid: machineJwk.kid ?? '' })
        .setSubject(account.userId).setAudience('authenticated').setIssuedAt().setExpirationTime('1h').sign(machineKey);
      return { machineId: account.machineId, userId: account.userId, token, expiresAt: new Date(Date.now() + 3_600_000).toISOString(), supabaseUrl: gateway.url };
    });
    started.push(control.close);
    const shiftFile = join(folder, 'clock-shift');
    const jwks = JSON.stringify(await ticketJwks(tickets));
    const port = await freePort();

    return {
      exchange, gemini, line, pool, smallDisk, close,
      restartDatabase: async (downMs) => {
        await postgres.close();
        await wait(downMs);
        postgres = await startPostgres({ dataDir: databaseDir, port: postgresPort, durable: false });
      },
      addAccount: async () => {
        const userId = randomUUID();
        await pool.query('insert into auth.users (id, email) values ($1, $2)', [userId, `${userId}@example.test`]);
        const { rows } = await pool.query<{ id: string }>(`select public.deploy_machine($1, 'local', 'sin', 'shared', 1, 512, 'x') -> 'machine' ->> 'id' as id`, [userId]);
        const traderIds: string[] = [];
        for (const document of TRADERS) {
          traderIds.push(randomUUID());
          await pool.query('insert into public.traders (id, user_id, name, document) values ($1, $2, $3, $4)', [traderIds.at(-1), userId, document.name, document]);
        }
        const secret = randomBytes(24).toString('hex');
        const account: Account = { userId, machineId: rows[0]!.id, secret, dataDir: accounts.size === 0 ? join(folder, 'disk') : join(folder, randomUUID()), traderIds };
        accounts.set(secret, account);
        return account;
      },
      startMachine: async (account, through) => startMachine({
        USER_ID: account.userId, MACHINE_ID: account.machineId, MACHINE_SECRET: account.secret, DATA_DIR: account.dataDir,
        SUPABASE_URL: through === 'line' ? line.url : gateway.url, SUPABASE_PUBLISHABLE_KEY: keys.publishableKey, CONTROL_PLANE_URL: control.url, TICKET_JWKS: jwks,
        BINANCE_REST_URL: exchange.url, BINANCE_STREAM_URL: exchange.streams, GEMINI_API_KEY: gemini.key, GEMINI_BASE_URL: gemini.url,
        SCREENING_INTERVAL_MS: '2000', HOST: '127.0.0.1', PORT: through === 'line' ? String(port) : '0', METRICS_PORT: '0', ...(through === 'line' && { SHIFT_FILE: shiftFile }),
      }),
      shiftClock: (ms) => writeFileSync(shiftFile, String(ms)),
      ticket: (account, key = tickets.privateKey) => signTicket(account, { key }),
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A machine's folder on a small file system of its own; only root may make one. */
function mountSmall(path: string): boolean {
  try {
    execFileSync('mkdir', ['-p', path]);
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_MB}m`, 'tmpfs', path], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** The endpoints of the control plane that a machine calls. */
async function startTokens(tokenFor: (secret: string) => Promise<object | undefined>): Promise<{ url: string; close(): Promise<void> }> {
  const server = createHttpServer((request, response) => {
    const answer = machineAnswers[`${request.method} ${request.url}`];
    if (answer !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
      return;
    }
    const known = request.url === '/v1/machine/token' && request.method === 'POST';
    (known ? tokenFor((request.headers.authorization ?? '').replace('Bearer ', '')) : Promise.resolve(undefined)).then(
      (answer) => (answer ? response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer)) : response.writeHead(known ? 401 : 404).end()),
      () => response.writeHead(503).end(),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => { server.close(); server.closeAllConnections(); await once(server, 'close'); },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves as soon as the process runs; ports are 0 until it serves. */
async function startMachine(env: Record<string, string>): Promise<MachineProcess> {
  const shifted = env['SHIFT_FILE'] === undefined ? [] : ['--import', join(import.meta.dirname, 'shifted-clock.mjs')];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...shifted, 'machine-image/main.ts'], { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const machine: MachineProcess = { child, port: 0, metricsPort: 0, logged: [], exited };
  createInterface({ input: child.stdout! }).on('line', (text) => {
    const entry = JSON.parse(text) as Record<string, unknown>;
    machine.logged.push(entry);
    if (machine.logged.length > 2_000) machine.logged.splice(0, 1_000);
    if (entry['code'] !== 'serving') return;
    machine.port = Number(entry['port']);
    machine.metricsPort = Number(entry['metricsPort']);
  });
  await once(child, 'spawn');
  return machine;
}

/** What the machine says of itself on its private port; undefined while it does not answer. */
export async function statusOf(machine: MachineProcess): Promise<{ ready: boolean; status: MachineStatus } | undefined> {
  if (machine.metricsPort === 0) return undefined;
  try {
    const response = await fetch(`http://127.0.0.1:${machine.metricsPort}/ready`, { signal: AbortSignal.timeout(2_000) });
    return (await response.json()) as { ready: boolean; status: MachineStatus };
  } catch {
    return undefined;
  }
}

/** A wish of the user's, and a model that is left alone for a while: how long until it answers again is measured apart. */
const NO_FAULT = new Set(['analysis_cap', 'analysis_circuit']);

/** It screens, hears the exchange, has the newest candles, the database has what it found, and it knows of nothing that is wrong. */
export function isWell(told: Awaited<ReturnType<typeof statusOf>>): boolean {
  if (!told?.ready) return false;
  const { market, outbox, problems } = told.status;
  if (problems.some(({ code }) => !NO_FAULT.has(code))) return false;
  return market.connected && market.lastCloseAt !== null && market.time - market.lastCloseAt < 60_000 + 3_000 * market.rate && outbox.oldestMs < 12_000;
}

/** Waits until the model has decided something again, or the day's cap is used up. */
export async function untilDecided(world: ChaosWorld, machine: () => MachineProcess, account: Account, mostMs = 180_000): Promise<void> {
  const decisions = async () => (await world.pool.query<{ n: number }>(`select count(*)::int as n from decisions where user_id = $1 and outcome <> 'none'`, [account.userId])).rows[0]!.n;
  const began = performance.now();
  for (const before = await decisions(); await decisions() === before; await wait(200)) {
    const told = await statusOf(machine());
    if (told?.status.problems.some(({ code }) => code === 'analysis_cap')) return;
    if (performance.now() - began > mostMs) throw new Error(`The model has decided nothing for ${mostMs / 1_000} s: ${JSON.stringify(told)}`);
  }
}

/** Waits until it is well; answers after how many seconds. */
export async function untilWell(machine: () => MachineProcess, what: string, mostMs = 180_000): Promise<number> {
  const began = performance.now();
  for (;;) {
    const told = await statusOf(machine());
    if (isWell(told)) return (performance.now() - began) / 1_000;
    if (performance.now() - began > mostMs) throw new Error(`${what}: not recovered within ${mostMs / 1_000} s: ${JSON.stringify(told?.status.problems ?? 'it does not answer')} ${JSON.stringify(told?.status.outbox)}`);
    await wait(100);
  }
}
