import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '../..');
const TICKS_A_SECOND = 100;

/** The exchange stand-in as a process of its own, with an admin port and a simulated market in a folder that ends with it. */
export interface ExchangeProcess { child: ChildProcess; url: string; streams: string; admin: string; dataDir: string }

export async function startExchangeProcess(options: { symbols: number; speed: number; seed: string }): Promise<ExchangeProcess> {
  const dataDir = mkdtempSync(join(tmpdir(), 'tm-exchange-'));
  const args = ['--disable-warning=ExperimentalWarning', 'local-cloud/main.ts', 'exchange', '--port', '0', '--admin-port', '0', '--market', 'simulated', '--symbols', String(options.symbols), '--speed', String(options.speed), '--seed', options.seed, '--data', dataDir];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  return { child, dataDir, ...(JSON.parse(line) as Pick<ExchangeProcess, 'url' | 'streams' | 'admin'>) };
}

export async function endExchangeProcess({ child, dataDir }: ExchangeProcess): Promise<void> {
  child.kill('SIGTERM');
  await once(child, 'exit');
  rmSync(dataDir, { recursive: true, force: true });
}

/** Asks the admin port. Throws what it refuses, with its `status`. */
export async function admin<T>(exchange: Pick<ExchangeProcess, 'admin'>, path: string, body?: unknown): Promise<T> {
  const response = await fetch(exchange.admin + path, body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const answer = (await response.json()) as T & { message?: string };
  if (!response.ok) throw Object.assign(new Error(`${path}: ${answer.message ?? response.status}`), { status: response.status });
  return answer;
}

export const marketTime = async (exchange: ExchangeProcess) => (await admin<{ marketTime: number }>(exchange, '/clock')).marketTime;

/** ms of processor time that a process has used: user and system, from the kernel. */
export function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_A_SECOND;
}

export const wait = (ms: number) => new Promise((resolve) => { setTimeout(resolve, ms); });
