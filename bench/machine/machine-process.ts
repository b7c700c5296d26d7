import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { bundleMachine } from '../../machine-image/build/bundle.ts';
import { MACHINE_ENV, NODE_FLAGS, warmCompileCache } from '../../machine-image/build/node.ts';
import { processorMs } from '../market/exchange-process.ts';

const READY_WITHIN_MS = 180_000;
const LOOK_MS = 5;

/** The machine as the image has it: bundled, compiled, with the image's flags of Node. */
export interface Bundle { folder: string; cacheFolder: string; remove(): void }

export async function makeBundle(): Promise<Bundle> {
  const folder = mkdtempSync(join(tmpdir(), 'trademind-bundle-'));
  const [app, cacheFolder] = [join(folder, 'app'), join(folder, 'cache')];
  await bundleMachine(app);
  await warmCompileCache([process.execPath, ...NODE_FLAGS, join(app, 'main.js')], { cacheFolder, dataDir: join(folder, 'data') });
  return { folder: app, cacheFolder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

export interface MachineUnderTest {
  pid: number;
  port: number;
  metricsPort: number;
  /** ms from the start of the process to `/ready`. */
  readyAfterMs: number;
  warnings: readonly string[];
  /** Drains it by SIGTERM; throws when it does not end with 0. */
  stop(): Promise<void>;
}

/** Starts the bundled machine on so many CPUs and waits until it is ready. */
export async function startMachineProcess(bundle: Bundle, env: Readonly<Record<string, string>>, cpus: number): Promise<MachineUnderTest> {
  const began = performance.now();
  const node = [process.execPath, ...NODE_FLAGS, join(bundle.folder, 'main.js')] as const;
  const [program, ...args] = cpus === 1 ? ['taskset', '-c', '0', ...node] : node;
  const child = spawn(program!, args, { env: { ...MACHINE_ENV, ...env, NODE_COMPILE_CACHE: bundle.cacheFolder }, stdio: ['ignore', 'pipe', 'inherit'] });
  // A bench that is ended takes its machine along.
  const end = () => { child.kill('SIGKILL'); };
  process.once('exit', end);
  child.once('exit', () => process.off('exit', end));
  try {
    const { port, metricsPort, warnings } = await serving(child);
    const url = `http://127.0.0.1:${port}/ready`;
    while ((await fetch(url)).status !== 200) {
      if (performance.now() - began > READY_WITHIN_MS) throw new Error(`The machine was not ready within ${READY_WITHIN_MS} ms. ${warnings.join(' ')}`);
      await sleep(LOOK_MS);
    }
    return { pid: child.pid!, port, metricsPort, warnings, readyAfterMs: performance.now() - began, stop: () => stop(child) };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

function serving(child: ChildProcess): Promise<{ port: number; metricsPort: number; warnings: string[] }> {
  const warnings: string[] = [];
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`The machine ended with ${code} before it served. ${warnings.join(' ')}`)));
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const { level, code, msg, port, metricsPort } = JSON.parse(line) as { level: string; code: string; msg: string; port: number; metricsPort: number };
      if (level !== 'info') warnings.push(`${code}: ${msg}`);
      if (code === 'serving') resolve({ port, metricsPort, warnings });
    });
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, 'exit');
    child.kill('SIGTERM');
    await exit;
  }
  if (child.exitCode !== 0) throw new Error(`The machine ended with ${child.exitCode ?? child.signalCode} where it was to drain.`);
}

/** What a process holds, MB (2^20 bytes): all of it, and the part that is its own and on no disk. */
export function memoryOf(pid: number): { rss: number; anon: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const mb = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1_024;
  return { rss: mb('VmRSS'), anon: mb('RssAnon') };
}

/** Open files and sockets, and threads. */
export function handlesOf(pid: number): { files: number; threads: number } {
  return { files: readdirSync(`/proc/${pid}/fd`).length, threads: readdirSync(`/proc/${pid}/task`).length };
}

export interface Window { rssMb: number; anonMb: number; cpuPercent: number }

/** Watches a process for so long: the most that it held, and its share of one core. */
export async function watch(pid: number, ms: number): Promise<Window> {
  const [began, used] = [performance.now(), processorMs(pid)];
  const most = { rssMb: 0, anonMb: 0 };
  while (performance.now() - began < ms) {
    await sleep(500);
    const { rss, anon } = memoryOf(pid);
    most.rssMb = Math.max(most.rssMb, rss);
    most.anonMb = Math.max(most.anonMb, anon);
  }
  return { ...most, cpuPercent: ((processorMs(pid) - used) / (performance.now() - began)) * 100 };
}
