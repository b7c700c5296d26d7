import { existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PostgresError } from './errors.ts';

/**
 * One program at a time may run the cluster of a data folder. `owner.json` names it by process id and, where the system tells, the time
 * that process was started: an id alone may have been given to another program since.
 */
interface Owner { pid: number; startedAt: string | null; port: number }

const fileOf = (dataDir: string) => join(dataDir, 'owner.json');

/** Takes the data folder. Throws already_running while another living program has it. */
export function takeOwnership(dataDir: string, port: number): void {
  const owner: Owner = { pid: process.pid, startedAt: startOf(process.pid), port };
  for (let attempt = 0; attempt < 3; attempt += 1) {
    try {
      writeFileSync(fileOf(dataDir), JSON.stringify(owner), { flag: 'wx', mode: 0o600 });
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const present = readOwner(dataDir);
    if (present !== null && present.pid !== process.pid && isAlive(present)) {
      throw new PostgresError('already_running', `The database of ${dataDir} runs already (process ${present.pid}, port ${present.port}): use that one, or stop it first.`);
    }
    if (present?.pid === process.pid && isAlive(present)) {
      throw new PostgresError('already_running', `The database of ${dataDir} was started by this program already.`);
    }
    rmSync(fileOf(dataDir), { force: true });
  }
  throw new PostgresError('already_running', `Another program is starting the database of ${dataDir}.`);
}

/** Notes the port once it is known. */
export function notePort(dataDir: string, port: number): void {
  writeFileSync(fileOf(dataDir), JSON.stringify({ pid: process.pid, startedAt: startOf(process.pid), port } satisfies Owner), { mode: 0o600 });
}

export function giveUpOwnership(dataDir: string): void {
  if (readOwner(dataDir)?.pid === process.pid) rmSync(fileOf(dataDir), { force: true });
}

function readOwner(dataDir: string): Owner | null {
  if (!existsSync(fileOf(dataDir))) return null;
  try {
    return JSON.parse(readFileSync(fileOf(dataDir), 'utf8')) as Owner;
  } catch {
    return null; // cut short by a crash
  }
}

function isAlive(owner: Owner): boolean {
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return owner.startedAt === startOf(owner.pid);
}

/** When a process was started, in the kernel's ticks; null where the system does not say. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
  } catch {
    return null;
  }
}

/** The postmaster that serves `data` now, by its lock file; null when there is none (a stale file names nobody, or a stranger). */
export function runningPostmaster(data: string): number | null {
  const file = join(data, 'postmaster.pid');
  if (!existsSync(file)) return null;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (!Number.isInteger(pid) || pid <= 0) return null;
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return null;
  }
  try {
    // A postmaster works in its data folder: another program with a reused id does not.
    return readlinkSync(`/proc/${pid}/cwd`) === data ? pid : null;
  } catch {
    return process.platform === 'linux' ? null : pid;
  }
}
