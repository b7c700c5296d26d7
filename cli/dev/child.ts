import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { TradeMindError } from '@trademind/core';

/** How a program of the house is started. Secrets go by `env`, never by `args`. */
export interface Program {
  name: string;
  /** The file and its arguments. */
  args: readonly string[];
  env: Readonly<Record<string, string>>;
  logFile: string;
  readyTimeoutMs: number;
}

/** What a program says on stdout once it can be used. */
export interface ReadyLine { ready: true; url?: string; pid?: number; [detail: string]: unknown }

export interface Child {
  pid: number;
  ready: ReadyLine;
  exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  kill(signal: NodeJS.Signals): void;
}

/** How long a program that did not become ready may take to end. */
const END_PATIENCE_MS = 10_000;
const LOG_LIMIT_BYTES = 10_000_000;

/**
 * Starts a program and waits for its ready line. It runs in a process group of its own, so that Ctrl-C reaches the supervisor alone and
 * the order of stopping is ours; its IPC channel closes with us, which ends it even when we are killed.
 * Rejects with the code and message that the program gave, or with `child_failed` and where its log is.
 */
export async function startProgram(program: Program, cwd: string, onSpawn: (pid: number) => void, signal?: AbortSignal): Promise<Child> {
  const log = openLog(program.logFile);
  const logStart = statSync(program.logFile).size;
  let process_: ChildProcess;
  try {
    process_ = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...program.args], {
      cwd, detached: true, env: program.env, stdio: ['ignore', 'pipe', log, 'ipc'],
    });
  } catch (error) {
    closeSync(log);
    throw error;
  }
  const exited = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) => {
    process_.once('exit', (code, signal) => resolve({ code, signal }));
    process_.once('error', () => resolve({ code: null, signal: null }));
  });
  if (process_.pid !== undefined) onSpawn(process_.pid);
  const kill = (name: NodeJS.Signals) => void process_.kill(name);
  try {
    const ready = await readyLine(program, process_, exited, log, logStart, signal);
    return { pid: process_.pid ?? 0, ready, exited, kill };
  } catch (error) {
    // Asked first: the database's own process must not outlive the one that started it.
    kill('SIGTERM');
    const impatient = setTimeout(() => kill('SIGKILL'), END_PATIENCE_MS);
    await exited;
    clearTimeout(impatient);
    throw error;
  } finally {
    void exited.then(() => closeSync(log));
  }
}

function openLog(path: string): number {
  try {
    if (statSync(path).size > LOG_LIMIT_BYTES) renameSync(path, `${path}.1`);
  } catch {
    // No log yet.
  }
  return openSync(path, 'a', 0o600);
}

function readyLine(
  program: Program, child: ChildProcess, exited: Child['exited'], log: number, logStart: number, signal: AbortSignal | undefined,
): Promise<ReadyLine> {
  return new Promise((resolve, reject) => {
    const fail = (code: string, message: string) => reject(new TradeMindError({ code, message: `${program.name}: ${message}`, nextStep: `Its log is ${program.logFile}.` }));
    const timer = setTimeout(() => fail('child_slow', `not ready after ${program.readyTimeoutMs / 1_000} s.`), program.readyTimeoutMs);
    if (signal?.aborted) fail('cancelled', 'stopped before it was ready.');
    signal?.addEventListener('abort', () => fail('cancelled', 'stopped before it was ready.'), { once: true });
    // What it said last may still be in the pipe when the exit is seen.
    const emptied = new Promise((done) => child.once('close', done));
    const sayHowItEnded = async (): Promise<void> => {
      const { code, signal: by } = await exited;
      clearTimeout(timer);
      await Promise.race([emptied, new Promise((done) => setTimeout(done, 200))]);
      const last = lastLine(program.logFile, logStart);
      fail('child_failed', `ended at its start (${by ?? `status ${code}`})${last ? `: ${last}` : '.'}`);
    };
    void sayHowItEnded();
    child.once('error', (error) => fail('child_failed', error.message));
    if (!child.stdout) return;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = parseLine(line);
      if (said?.ready === true) {
        clearTimeout(timer);
        resolve(said as ReadyLine);
      } else if (said?.ready === false) {
        clearTimeout(timer);
        reject(new TradeMindError({
          code: typeof said.code === 'string' ? said.code : 'child_failed',
          message: `${program.name}: ${(typeof said.message === 'string' ? said.message : 'cannot start').replaceAll(/\s+/g, ' ')}`,
          nextStep: typeof said.nextStep === 'string' ? said.nextStep : `Its log is ${program.logFile}.`,
        }));
      } else {
        writeSync(log, `${line}\n`);
      }
    });
  });
}

function parseLine(line: string): Record<string, unknown> | null {
  if (!line.startsWith('{')) return null;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return null;
  }
}

function lastLine(path: string, from: number): string {
  try {
    const lines = readFileSync(path).subarray(from).toString('utf8').split('\n').map((line) => line.trim()).filter((line) => line && !line.startsWith('at ') && !line.startsWith('Node.js v'));
    const error = lines.find((line) => /error/i.test(line));
    return (error ?? lines.at(-1) ?? '').slice(0, 300);
  } catch {
    return '';
  }
}
