import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { signTicket, ticketJwks, ticketKeys, type TicketOverrides } from '../support/feed.ts';
import { DIP, machineEnv, removeDir, startCloud, startTestExchange, tempDir, until, type Cloud, type Exchange, type TestMachine } from '../runtime/world.ts';

const ROOT = join(import.meta.dirname, '../..');

/** A machine's real process that screens, with tickets as the control plane would give them. */
export interface WorkingMachine {
  cloud: Cloud;
  exchange: Exchange;
  machine: TestMachine;
  dataDir: string;
  env: Record<string, string>;
  /** Where the world reaches it, its feed, and where only the platform does. */
  url: string;
  feed: string;
  privateUrl: string;
  ticket(over?: TicketOverrides): Promise<string>;
  publicKey: CryptoKey;
  /** All that its processes have written to stdout and stderr. */
  said(): string;
  /** Kills it without warning and starts it again. */
  restart(more?: Record<string, string>): Promise<void>;
  child(): ChildProcess;
  close(): Promise<void>;
}

/** @param more its environment beyond what every machine needs @param entrusted what its user has entrusted to the control plane */
export async function startWorkingMachine(more: Record<string, string> = {}, entrusted: Parameters<TestMachine['entrust']>[0] = {}): Promise<WorkingMachine> {
  const [cloud, exchange, keys] = await Promise.all([startCloud(), startTestExchange({ speed: 60 }), ticketKeys()]);
  const machine = await cloud.addMachine();
  machine.entrust(entrusted);
  await machine.addTrader(DIP);
  const dataDir = tempDir();
  const env = { ...machineEnv({ cloud, machine, exchange, dataDir }), TICKET_JWKS: JSON.stringify(await ticketJwks(keys)), ...more };
  let said = '';
  let child!: ChildProcess;
  const self: WorkingMachine = {
    cloud, exchange, machine, dataDir, env, url: '', feed: '', privateUrl: '', publicKey: keys.publicKey,
    ticket: (over) => signTicket({ userId: machine.user.id, machineId: machine.id }, { key: keys.privateKey, ...over }),
    said: () => said,
    child: () => child,
    restart: async (also = {}) => {
      await kill(child);
      await start({ ...env, ...also });
    },
    close: async () => {
      await kill(child);
      await exchange.close();
      await cloud.close();
      removeDir(dataDir);
    },
  };
  async function start(given: Record<string, string>): Promise<void> {
    const from = said.length;
    child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'machine-image/main.ts'], { cwd: ROOT, env: given, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk: Buffer) => { said += chunk.toString(); });
    const serving = () => said.slice(from).split('\n').find((line) => line.includes('"code":"serving"'));
    await until('it serves', () => serving() !== undefined || child.exitCode !== null);
    const line = JSON.parse(serving() ?? '{}') as { port?: number; metricsPort?: number };
    const host = given['HOST'] ?? '127.0.0.1';
    Object.assign(self, { url: `http://${host}:${line.port}`, feed: `ws://${host}:${line.port}/v1/feed`, privateUrl: `http://127.0.0.1:${line.metricsPort}` });
    if (line.port !== undefined) await until('it screens', async () => child.exitCode !== null || await fetch(`${self.url}/ready`, { signal: AbortSignal.timeout(2_000) }).then(({ status }) => status === 200, () => false));
  }
  await start(env);
  return self;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
