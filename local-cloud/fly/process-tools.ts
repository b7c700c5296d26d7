import { execFile, execFileSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { constants } from 'node:os';
import type { ExecResult, LogLine, ProcessRow } from './runtime.ts';

const TAIL_BYTES = 64 * 1024;
const OUTPUT_BYTES = 1_000_000;

export const signalNumber = (name: string): number => (constants.signals as Record<string, number>)[name] ?? 0;
/** A signal by its name or number. */
export const signalName = (signal: string): NodeJS.Signals =>
  (/^\d+$/.test(signal) ? Object.entries(constants.signals).find(([, number]) => number === Number(signal))?.[0] ?? 'SIGTERM' : signal) as NodeJS.Signals;

/** Sends a signal to a process, or with a negative pid to its group; one that is gone already hears nothing. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The last lines of a log file, oldest first. A machine's output has no times of its own: each line gets the file's. */
export function tail(file: string, most: number): LogLine[] {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return [];
  }
  try {
    const { size, mtimeMs } = fstatSync(fd);
    const length = Math.min(size, TAIL_BYTES);
    const buffer = Buffer.alloc(length);
    readSync(fd, buffer, 0, length, size - length);
    const lines = buffer.toString('utf8').split('\n').filter((line) => line !== '');
    if (length < size) lines.shift();
    return lines.slice(-most).map((message) => ({ at: Math.round(mtimeMs), message }));
  } finally {
    closeSync(fd);
  }
}

/** Runs a command to its end, or to its timeout, in the environment and folder of a machine. What it answers is the command's own fate: never an error. */
export function runCommand(command: readonly string[], options: { cwd: string; env: Record<string, string>; timeoutMs: number }): Promise<ExecResult> {
  const [file = '', ...args] = command;
  return new Promise((resolve) => {
    execFile(file, args, { cwd: options.cwd, env: options.env, timeout: options.timeoutMs, killSignal: 'SIGKILL', maxBuffer: OUTPUT_BYTES }, (error, stdout, stderr) => {
      const { code, signal } = (error ?? {}) as { code?: unknown; signal?: string | null };
      const number = signalNumber(signal ?? '');
      resolve({ exit_code: error === null ? 0 : typeof code === 'number' ? code : number > 0 ? 128 + number : 127, exit_signal: number, stdout, stderr: stderr || (typeof code === 'string' ? `${code}\n` : '') });
    });
  });
}

/** The processes of a group. */
export function groupProcesses(group: number): ProcessRow[] {
  return process.platform === 'linux' ? linuxGroup(group) : psGroup(group);
}

function linuxGroup(group: number): ProcessRow[] {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (Number(fields[2]) !== group || fields[0] === 'Z') return [];
      const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').join(' ').trim();
      return [{ pid: Number(name), command, rss: Number(fields[21]) * 4096, directory: readlinkSync(`/proc/${name}/cwd`) }];
    } catch {
      return []; // it ended while we looked
    }
  });
}

function psGroup(group: number): ProcessRow[] {
  const rows = execFileSync('/bin/ps', ['-axo', 'pid=,pgid=,rss=,command='], { encoding: 'utf8', env: { LC_ALL: 'C' } }).trim().split('\n');
  return rows.map((row) => /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.*)$/.exec(row)).filter((row) => row !== null && Number(row[2]) === group)
    .map((row) => ({ pid: Number(row?.[1]), command: row?.[4] ?? '', rss: Number(row?.[3]) * 1024, directory: '' }));
}
