import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { constants } from 'node:os';
import { join } from 'node:path';
import { freePorts } from './free-port.ts';
import { ulid } from './ids.ts';
import { commandOf, findImage, type Images } from './images.ts';
import { machineEnv } from './machine-env.ts';
import { processIdentity } from './process-identity.ts';
import { UNSEEN_EXIT, type OnExit, type Runtime } from './runtime.ts';
import type { Exit, MachineRow, Run } from './types.ts';

export interface ProcessRuntimeOptions {
  dataDir: string;
  images: Images;
  now: () => number;
  onExit: OnExit;
  /** Variables that every machine is given beside its own, e.g. NODE_COMPILE_CACHE. */
  extraEnv?: Readonly<Record<string, string>> | undefined;
}

const LOG_LIMIT = 5_000_000;
const signalNumber = (name: string): number => (constants.signals as Record<string, number>)[name] ?? 0;
const signalName = (signal: string): NodeJS.Signals =>
  (/^\d+$/.test(signal) ? Object.entries(constants.signals).find(([, number]) => number === Number(signal))?.[0] ?? 'SIGTERM' : signal) as NodeJS.Signals;

/** A gate in front of the machine's command: it runs once the stand-in has stored the pid and says so. If the stand-in dies before, the gate closes. */
const GATE = 'read -r go && exec "$@" </dev/null';

/**
 * Machines as processes. Each leads a process group of its own, so that it outlives the stand-in; it is known again by pid and start time. Its root
 * folder (working directory, HOME, TMPDIR) is wiped at every start; volumes are folders beside it.
 */
export class ProcessRuntime implements Runtime {
  readonly endsWithHost = true;
  readonly #options: ProcessRuntimeOptions;
  /** What waits for the end of a run. */
  readonly #ended = new Map<string, { promise: Promise<void>; tell: () => void }>();
  /** Runs that an earlier stand-in started: not our children, so they are looked at. */
  readonly #adopted = new Map<string, { machineId: string; run: Run }>();
  #watch: NodeJS.Timeout | undefined;

  constructor(options: ProcessRuntimeOptions) {
    this.#options = options;
    for (const folder of ['logs', 'volumes', 'machines']) mkdirSync(join(options.dataDir, folder), { recursive: true, mode: 0o700 });
  }

  async launch(machine: MachineRow, context: Parameters<Runtime['launch']>[1], commit: (run: Run) => void): Promise<void> {
    const { dataDir, images, now } = this.#options;
    const command = commandOf(findImage(images, machine.config.image));
    const root = join(dataDir, 'machines', machine.id, 'root');
    await rm(root, { recursive: true, force: true });
    await mkdir(join(root, 'tmp'), { recursive: true });
    const volume = (id: string) => join(dataDir, 'volumes', id);
    for (const mount of machine.config.mounts ?? []) await mkdir(volume(mount.volume), { recursive: true, mode: 0o700 });

    const ports = await this.#ports(machine);
    const env = machineEnv(machine, context, { root, volume }, ports, this.#options.extraEnv);
    const log = this.#openLog(machine.id);
    const child = spawn('/bin/sh', ['-c', GATE, 'machine', ...command], { cwd: root, env, detached: true, stdio: ['pipe', log, log] });
    closeSync(log);
    child.stdin?.on('error', () => { /* the process ended before it read; its exit says so */ });
    await once(child, 'spawn');
    const { pid } = child;
    const identity = pid === undefined ? null : processIdentity(pid);
    if (pid === undefined || identity === null) throw new Error('the process ended before it began');

    const run: Run = { id: ulid(now()), boot: machine.boot, startedAt: now(), process: { pid, identity, ports } };
    child.once('exit', (code, signal) => {
      this.#finish(machine.id, run, signal === null
        ? { exitCode: code ?? 0, signal: -1, oomKilled: false }
        : { exitCode: 128 + signalNumber(signal), signal: signalNumber(signal), oomKilled: false });
    });
    this.#expectEnd(run.id);
    try {
      commit(run);
    } catch (error) {
      child.stdin?.destroy(); // the gate closes, nothing has run
      throw error;
    }
    child.stdin?.end('go\n');
    child.unref();
  }

  async #ports(machine: MachineRow): Promise<Record<string, number>> {
    const { services = [], metrics, checks = {} } = machine.config;
    const internal = new Set([...services.map((service) => service.internal_port), metrics?.port, ...Object.values(checks).map((check) => check.port)].filter((port) => port !== undefined));
    const free = await freePorts(internal.size);
    return Object.fromEntries([...internal].map((port, index) => [String(port), free[index] ?? 0]));
  }

  #openLog(machineId: string): number {
    const file = join(this.#options.dataDir, 'logs', `${machineId}.log`);
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > LOG_LIMIT) renameSync(file, `${file}.1`);
    return openSync(file, 'a', 0o600);
  }

  adopt(machineId: string, run: Run): boolean {
    if (!isAlive(run)) return false;
    this.#expectEnd(run.id);
    this.#adopted.set(run.id, { machineId, run });
    this.#watch ??= setInterval(() => this.#lookAtAdopted(), process.platform === 'linux' ? 200 : 1000);
    return true;
  }

  #lookAtAdopted(): void {
    for (const { machineId, run } of this.#adopted.values()) if (!isAlive(run)) this.#finish(machineId, run, UNSEEN_EXIT);
    if (this.#adopted.size === 0) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    }
  }

  #expectEnd(runId: string): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#ended.set(runId, { promise, tell: resolve });
  }

  #finish(machineId: string, run: Run, exit: Exit): void {
    this.#adopted.delete(run.id);
    // with its first process a machine ends, and with it all that it has started
    killGroup(run);
    this.#options.onExit(machineId, run.id, exit);
    this.#ended.get(run.id)?.tell();
    this.#ended.delete(run.id);
  }

  async halt(_machineId: string, run: Run, how: { signal: string; timeoutMs: number }): Promise<void> {
    const ended = this.#ended.get(run.id);
    if (!ended) return;
    this.signal(run, how.signal);
    const kill = setTimeout(() => { if (isAlive(run)) killGroup(run); }, how.timeoutMs);
    await ended.promise;
    clearTimeout(kill);
  }

  signal(run: Run, signal: string): void {
    if (!run.process || !isAlive(run)) return;
    try {
      process.kill(run.process.pid, signalName(signal));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  port(run: Run, internalPort: number): number | null {
    return run.process?.ports[String(internalPort)] ?? null;
  }

  async discard(machineId: string): Promise<void> {
    await rm(join(this.#options.dataDir, 'machines', machineId), { recursive: true, force: true });
  }

  close(): void {
    clearInterval(this.#watch);
  }
}

const isAlive = (run: Run): boolean => run.process !== undefined && processIdentity(run.process.pid) === run.process.identity;

function killGroup(run: Run): void {
  if (!run.process) return;
  try {
    process.kill(-run.process.pid, 'SIGKILL');
  } catch {
    // nobody is left in the group
  }
}
