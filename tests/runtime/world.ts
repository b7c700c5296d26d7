import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CloudLink } from '../../packages/runtime/control/cloud-link.ts';
import { Orchestrator, type OrchestratorOptions } from '../../packages/runtime/orchestrator.ts';
import { systemWall } from '../../packages/runtime/time.ts';
import { startExchange } from '../../local-cloud/exchange/start.ts';
import type { MachineKeys, TraderInput } from '@trademind/core';
import type { TestDatabase } from '../support/database.ts';
import { machineAnswers } from '../support/machine-answers.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';

const root = join(import.meta.dirname, '../..');
const TICKET_JWKS = JSON.stringify({ keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'test', alg: 'EdDSA', x: randomBytes(32).toString('base64url') }] });

/** A trader that signals often: fast averages on one-minute candles of a few symbols. */
export const BUSY: TraderInput = {
  name: 'Fast cross', side: 'long', interval: '1m', where: { cross: 'crossover(sma(close, 3), sma(close, 8))' },
  universe: { quote: 'USDT', largest: 5 },
};
export const DIP: TraderInput = { name: 'Dip', side: 'long', interval: '1m', where: { low: 'rsi(5) < 35' }, universe: { quote: 'USDT', largest: 5 } };

export interface Exchange { url: string; streams: string; close(): Promise<void> }

/** The exchange stand-in with a small simulated market that begins anew. */
export async function startTestExchange(options: { speed: number; seed?: string; symbols?: number; now?: () => number; port?: number; dataDir?: string }): Promise<Exchange> {
  const { symbols = 6, seed = 'runtime', port = 0, dataDir = mkdtempSync(join(tmpdir(), 'tm-exchange-')), ...more } = options;
  const { url, streams, close } = await startExchange({ market: 'simulated', seed, symbols, port, dataDir, log: () => undefined, ...more });
  return { url, streams: streams as string, close };
}

/** A TCP relay that can be cut and opened again: a network that fails. */
export async function startRelay(target: string): Promise<{ port: number; cut(): void; open(): void; close(): Promise<void> }> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let isOpen = true;
  const server = createServer((client) => {
    if (!isOpen) {
      client.destroy();
      return;
    }
    const upstream = connect(Number(port), hostname);
    for (const [from, to] of [[client, upstream], [upstream, client]] as const) {
      sockets.add(from);
      from.on('close', () => { sockets.delete(from); to.destroy(); });
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => { isOpen = false; for (const socket of sockets) socket.destroy(); },
    open: () => { isOpen = true; },
    close: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

export interface Cloud {
  supabase: TestSupabase;
  /** The one endpoint of the control plane that a machine calls. */
  controlPlaneUrl: string;
  tokensGiven(): number;
  /** A user with a machine's row, as after a deploy; or another machine of the same user, in an environment of its own. */
  addMachine(of?: { user: TestUser; environment: string }): Promise<TestMachine>;
  close(): Promise<void>;
}

export interface TestMachine { user: TestUser; id: string; secret: string; addTrader(document: TraderInput): Promise<string>; /** What the control plane hands to the machine from now on. */ entrust(keys: Partial<MachineKeys>): void }

/** A real database behind the real gateway, and who gives tokens for secrets, by the epoch of the machine's row. */
export async function startCloud(options: { database?: TestDatabase } = {}): Promise<Cloud> {
  const supabase = await startTestSupabase(options);
  const machines = new Map<string, { machineId: string; userId: string }>();
  const entrusted = new Map<string, Partial<MachineKeys>>();
  let given = 0;
  const server = createHttpServer((request, response) => {
    const secret = (request.headers.authorization ?? '').replace('Bearer ', '');
    const owner = machines.get(secret);
    const known = owner && machineAnswers[`${request.method} ${request.url}`] as object | undefined;
    if (known !== undefined) {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(request.url === '/v1/machine/keys' ? { ...known, ...entrusted.get(secret) } : known));
      return;
    }
    if (request.url !== '/v1/machine/token' || request.method !== 'POST' || !owner) {
      response.writeHead(401).end();
      return;
    }
    void (async () => {
      const { rows } = await supabase.database.pool.query<{ token_epoch: number }>('select token_epoch from machines where id = $1', [owner.machineId]);
      const token = await supabase.signMachineToken({ ...owner, epoch: rows[0]?.token_epoch ?? 1 });
      given += 1;
      response.writeHead(200, { 'content-type': 'application/json' })
        .end(JSON.stringify({ ...owner, token, expiresAt: new Date(Date.now() + 3_600_000).toISOString(), supabaseUrl: supabase.url }));
    })();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    supabase,
    controlPlaneUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tokensGiven: () => given,
    addMachine: async (of) => {
      const user = of?.user ?? await supabase.createUser();
      const { data, error } = await supabase.adminClient.rpc('deploy_machine', {
        p_user_id: user.id, p_environment: of?.environment ?? 'local', p_region: 'sin', p_cpu_kind: 'shared', p_cpus: 1, p_memory_mb: 512, p_image: 'registry.local/machine@sha256:00',
      });
      if (error) throw error;
      const { machine } = data as { machine: { id: string } };
      const secret = randomBytes(24).toString('hex');
      machines.set(secret, { machineId: machine.id, userId: user.id });
      return {
        user, id: machine.id, secret,
        entrust: (keys) => { entrusted.set(secret, keys); },
        addTrader: async (document) => {
          const id = randomUUID();
          const added = await user.client.from('traders').insert({ id, user_id: user.id, name: document.name, enabled: true, document });
          if (added.error) throw added.error;
          return id;
        },
      };
    },
    close: async () => {
      server.close();
      server.closeAllConnections();
      await supabase.close();
    },
  };
}

export function tempDir(): string {
  return mkdtempSync(join(tmpdir(), 'tm-machine-'));
}

export function removeDir(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

export interface InProcess { orchestrator: Orchestrator; link(): CloudLink; logged: { level: string; code: string; message: string }[] }

/** The orchestrator of a machine inside the test's process, without a feed server. */
export function startOrchestrator(options: {
  cloud: Pick<Cloud, 'controlPlaneUrl'>; supabase: { url: string; publishableKey: string }; machine: Pick<TestMachine, 'id' | 'secret' | 'user'>;
  exchange: { url: string; streams: string }; dataDir: string; more?: Partial<OrchestratorOptions>;
}): InProcess {
  const { cloud, supabase, machine, exchange, dataDir } = options;
  const logged: InProcess['logged'] = [];
  let link: CloudLink | undefined;
  const orchestrator = new Orchestrator({
    machineId: machine.id, userId: machine.user.id, bootId: randomUUID(), version: 'test', dataDir, defaultInterval: '5m', screeningIntervalMs: 1_000, wall: systemWall,
    exchange: { restUrl: exchange.url, streamUrl: exchange.streams },
    log: (level, code, message) => logged.push({ level, code, message }),
    cloud: (hooks) => {
      link = new CloudLink({ controlPlaneUrl: cloud.controlPlaneUrl, machineSecret: machine.secret, supabaseUrl: supabase.url, publishableKey: supabase.publishableKey }, hooks);
      return link;
    },
    ...options.more,
  });
  orchestrator.start();
  return { orchestrator, logged, link: () => link as CloudLink };
}

export interface MachineProcess { child: ChildProcess; logged: Record<string, unknown>[]; port: number; kill(signal: NodeJS.Signals): Promise<number | null> }

/** The whole environment that a machine needs; nothing of the test's own leaks in. */
export function machineEnv(options: { cloud: Cloud; machine: TestMachine; exchange: Exchange; dataDir: string }): Record<string, string> {
  const { cloud, machine, exchange, dataDir } = options;
  return {
    USER_ID: machine.user.id, MACHINE_ID: machine.id, SUPABASE_URL: cloud.supabase.url, SUPABASE_PUBLISHABLE_KEY: cloud.supabase.publishableKey,
    CONTROL_PLANE_URL: cloud.controlPlaneUrl, MACHINE_SECRET: machine.secret, TICKET_JWKS, DATA_DIR: dataDir, HOST: '127.0.0.1', PORT: '0', METRICS_PORT: '0',
    BINANCE_REST_URL: exchange.url, BINANCE_STREAM_URL: exchange.streams,
  };
}

/** The machine's real process. Resolves as soon as it runs; `logged` grows with its lines. */
export async function spawnMachine(env: Record<string, string>): Promise<MachineProcess> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'machine-image/main.ts'], { cwd: root, env, stdio: ['ignore', 'pipe', 'inherit'] });
  const logged: Record<string, unknown>[] = [];
  const running: MachineProcess = {
    child, logged, port: 0,
    kill: async (signal) => {
      if (child.exitCode === null && child.signalCode === null) {
        const exit = once(child, 'exit');
        child.kill(signal);
        await exit;
      }
      return child.exitCode;
    },
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    logged.push(entry);
    if (entry['code'] === 'serving') running.port = Number(entry['port']);
  });
  await once(child, 'spawn');
  return running;
}

/** Looks every 25 ms until the answer is true; when it never is, the error says what was there instead. */
export async function until(what: string, answer: () => boolean | Promise<boolean>, ms = 60_000, instead?: () => unknown): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await answer())) {
    if (performance.now() > deadline) throw new Error(`Waited ${ms} ms in vain: ${what}${instead ? `; instead ${JSON.stringify(instead())}` : ''}`);
    await new Promise((resolve) => { setTimeout(resolve, 25); });
  }
}
