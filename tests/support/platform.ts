import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '../..');

/** One JSON line of `npm start -- --json`. */
export type Line = Record<string, unknown> & { event?: string };

export interface ReadyLine extends Line {
  ready: true;
  controlPlane: string;
  dashboard: string;
  supabase: string;
  fly: string;
  exchange: string;
  publishableKey: string;
  user: { id: string; email: string; token: string };
  machine: { id: string; app: string; feed: string; health: string };
}

export interface Platform {
  ready: ReadyLine;
  dataDir: string;
  /** Milliseconds from the command to the ready line. */
  readyAfterMs: number;
  lines: readonly Line[];
  /** Waits for a line; rejects with what was said on stderr when the platform ends first or nothing comes. */
  line(matches: (line: Line) => boolean, withinMs: number): Promise<Line>;
  /** Pid of a supervised process, or of the one machine. */
  pidOf(name: 'postgres' | 'supabase' | 'fly' | 'exchange' | 'gemini' | 'control-plane' | 'page' | 'machine'): number;
  /** SIGTERM to the command, as a service manager sends it; resolves with its exit status. */
  stop(): Promise<number | null>;
  /** The exit status, whenever it ends. */
  exited: Promise<number | null>;
  stderr(): string;
  child: ChildProcess;
}

export interface PlatformOptions {
  market: string;
  speed?: number;
  /** Absent: a new one. The caller removes it. */
  dataDir?: string;
  args?: readonly string[];
}

/** Starts the whole platform as `npm start` does, on free ports and in a data folder of its own, and waits until it is ready. */
export async function startPlatform({ market, speed = 60, dataDir = newDataDir(), args = [] }: PlatformOptions): Promise<Platform> {
  const began = performance.now();
  const child = spawn(process.execPath, [
    join(ROOT, 'bootstrap.mjs'), 'cli/main.ts', 'dev', '--json', '--market', market, '--speed', String(speed), '--data', dataDir, '--port-base', '0', ...args,
  ], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => { said = (said + chunk.toString()).slice(-20_000); });
  const lines: Line[] = [];
  const watchers = new Set<() => void>();
  createInterface({ input: child.stdout }).on('line', (text) => {
    lines.push(JSON.parse(text) as Line);
    for (const watcher of watchers) watcher();
  });
  const exited = new Promise<number | null>((resolve) => { child.once('exit', resolve); });

  const line = (matches: (one: Line) => boolean, withinMs: number) => new Promise<Line>((resolve, reject) => {
    const settle = (end: () => void) => {
      watchers.delete(look);
      clearTimeout(timer);
      end();
    };
    const look = () => {
      const found = lines.find(matches);
      if (found) settle(() => { resolve(found); });
    };
    const fail = (why: string) => { settle(() => { reject(new Error(`${why}\n${said}`)); }); };
    const timer = setTimeout(() => { fail(`The platform did not say it within ${withinMs} ms.`); }, withinMs);
    watchers.add(look);
    void exited.then((code) => { fail(`The platform ended with status ${code}.`); });
    look();
  });

  const ready = (await line((one) => one['ready'] === true, 180_000).catch(async (error: unknown) => {
    child.kill('SIGTERM');
    await exited;
    throw error;
  })) as ReadyLine;
  return {
    ready, dataDir, readyAfterMs: performance.now() - began, lines, line, exited, child, stderr: () => said,
    pidOf: (name) => (name === 'machine' ? machinePid(dataDir) : childPid(dataDir, name)),
    stop: () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

export function newDataDir(): string {
  return mkdtempSync(join(tmpdir(), 'trademind-test-'));
}

/** Removes a data folder and the database cluster that belongs to it, wherever it was put. */
export async function removeDataDir(dataDir: string): Promise<void> {
  const { removePostgres } = await import('../../local-cloud/postgres/start.ts');
  await removePostgres(join(dataDir, 'postgres'));
  rmSync(dataDir, { recursive: true, force: true });
}

function childPid(dataDir: string, name: string): number {
  const { children } = JSON.parse(readFileSync(join(dataDir, 'running.json'), 'utf8')) as { children: Record<string, { pid: number }> };
  const pid = children[name]?.pid;
  if (pid === undefined) throw new Error(`No process named ${name} is supervised.`);
  return pid;
}

/** Processes of machines run in a folder below the data folder. */
export function machinePids(dataDir: string): number[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('machine-image/main.ts') && readlinkSync(`/proc/${pid}/cwd`).startsWith(dataDir);
    } catch {
      return false; // it ended meanwhile
    }
  });
}

function machinePid(dataDir: string): number {
  const pid = machinePids(dataDir)[0];
  if (pid === undefined) throw new Error('No machine runs.');
  return pid;
}

/** Whether a process of this pid runs; one that has ended and waits to be collected does not. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** Asks until the answer is there; throws `what` when it never comes. */
export async function until<T>(what: string, ask: () => Promise<T | undefined> | T | undefined, withinMs = 120_000): Promise<T> {
  const deadline = performance.now() + withinMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`${what} did not come true within ${withinMs} ms.`, { cause: last });
    await sleep(100);
  }
}
