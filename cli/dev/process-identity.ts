import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that can be recognised later: its id, and when it started (ids are used again, also after a reboot). */
export interface ProcessIdentity { pid: number; startedAt: string }

/** When a process started, in the system's own words; null when there is no such process (or only a dead one that nobody collected). */
export function processStart(pid: number): string | null {
  if (!Number.isSafeInteger(pid) || pid < 1) return null;
  if (process.platform === 'linux') return linuxStart(pid);
  if (process.platform === 'win32') return exists(pid) ? 'unknown' : null;
  try {
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim() || null;
  } catch {
    return null;
  }
}

function linuxStart(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command stands in parentheses and may hold anything: count the fields after it. 1st: state, 20th: start time in ticks since boot.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return null;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}:${fields[19]}`;
  } catch {
    return null;
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Names a process that runs now; undefined when it has gone already. */
export function identify(pid: number): ProcessIdentity | undefined {
  const startedAt = processStart(pid);
  return startedAt === null ? undefined : { pid, startedAt };
}

/** True while exactly this process runs. */
export function isAlive(identity: ProcessIdentity): boolean {
  return processStart(identity.pid) === identity.startedAt;
}

/** Ends processes that were recorded: asks first, insists after `graceMs`. Resolves with those that were still there. */
export async function endProcesses(identities: readonly ProcessIdentity[], graceMs: number): Promise<ProcessIdentity[]> {
  const alive = identities.filter(isAlive);
  for (const { pid } of alive) send(pid, 'SIGTERM');
  for (let waited = 0; waited < graceMs && alive.some(isAlive); waited += 50) await sleep(50);
  for (const identity of alive) if (isAlive(identity)) send(identity.pid, 'SIGKILL');
  return alive;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended between the look and the signal.
  }
}

/** Processes that a process has started and that still run: the database's own, a machine's. */
export function childrenOf(pid: number): number[] {
  try {
    const text = process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      : execFileSync('pgrep', ['-P', String(pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    return text.split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

const FORCE_MS = 3_000;

/** Kills processes and, where they lead one, their group. The database is asked to break off (SIGQUIT), so that it cleans up after itself. */
export async function endByForce(identities: readonly ProcessIdentity[]): Promise<void> {
  for (const identity of identities) if (isAlive(identity)) kill(identity.pid);
  for (let waited = 0; waited < FORCE_MS && identities.some(isAlive); waited += 50) await sleep(50);
}

function kill(pid: number): void {
  if (commandOf(pid).startsWith('postgres')) return send(pid, 'SIGQUIT');
  send(-pid, 'SIGKILL');
  return send(pid, 'SIGKILL');
}

function commandOf(pid: number): string {
  try {
    return process.platform === 'linux'
      ? readFileSync(`/proc/${pid}/comm`, 'utf8')
      : execFileSync('ps', ['-o', 'comm=', '-p', String(pid)], { encoding: 'utf8' }).trim().split('/').at(-1) ?? '';
  } catch {
    return '';
  }
}
