import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { CpuQuota } from './cpu-quota.ts';
import { freePorts } from './free-port.ts';
import { ulid } from './ids.ts';
import { commandOf, findImage, type Images } from './images.ts';
import { machineEnv } from './machine-env.ts';
import { processIdentity } from './process-identity.ts';
import { groupProcesses, runCommand, sendSignal, signalName, signalNumber, tail } from './process-tools.ts';
import { UNSEEN_EXIT, type BootContext, type ExecResult, type LogLine, type OnExit, type ProcessRow, type Runtime } from './runtime.ts';
import type { Exit, MachineRow, Run } from './types.ts';

export interface ProcessRuntimeOptions {
  dataDir: string;
  images: Images;
  now: () => number;
  onExit: OnExit;
  /** Variables that every machine is given beside its own, e.g. NODE_COMPILE_CACHE. */
  extraEnv?: Readonly<Record<string, string>> | undefined;
  /** Whether callers may run commands of their own in a machine; else only registered images run. */
  allowExec?: boolean | undefined;
  /** Holds machines to the CPU time of their size. */
  cpuQuota?: CpuQuota | undefined;
  /** Says one line to whoever runs the stand-in. */
  report?: ((line: string) => void) | undefined;
}

const LOG_LIMIT = 5_000_000;

/** A gate in front of the machine's command: it runs once the stand-in has stored the pid and says so. If the stand-in dies before, the gate closes. */
const GATE = 'read -r go && exec "$@" </dev/null';

/**
 * Machines as processes. Each leads a process group of its own, so that it outlives the stand-in; it is known again by pid and start time. Its root
 * folder (working directory, HOME, TMPDIR) is wiped at every start; volumes are folders beside it.
 */
export class ProcessRuntime implements Runtime {
  readonly endsWithHost = true;
  readonly pace = 1;
  readonly #options: ProcessRuntimeOptions;
  /** What waits for the end of a run. */
  readonly #ended = new Map<string, { promise: Promise<void>; tell: () => void }>();
  /** Runs that an earlier stand-in started: not our children, so they are looked at. */
  readonly #adopted = new Map<string, { machineId: string; run: Run }>();
  /** Ends that a fault has asked for, to be told in the place of what is seen. */
  readonly #told = new Map<string, Exit>();
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
    for (const mount of machine.config.mounts ?? []) await this.#prepareVolume(machine, mount.volume);
    const ports = await this.#ports(machine);
    const env = this.#env(machine, context, ports);
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
    this.#govern(machine, pid);
    try {
      commit(run);
    } catch (error) {
      child.stdin?.destroy(); // the gate closes, nothing has run
      throw error;
    }
    child.stdin?.end('go\n');
    child.unref();
  }

  async think(): Promise<void> { /* processes take the time they take */ }

  #volume(id: string): string {
    return join(this.#options.dataDir, 'volumes', id);
  }

  /** The folder of a volume: as it is, as it was under the id it had on another host, or as its snapshot was. */
  async #prepareVolume(machine: MachineRow, id: string): Promise<void> {
    const { movedFrom } = machine;
    if (movedFrom !== undefined && !exists(this.#volume(id)) && exists(this.#volume(movedFrom))) await rename(this.#volume(movedFrom), this.#volume(id));
    await mkdir(this.#volume(id), { recursive: true, mode: 0o700 });
  }

  #env(machine: MachineRow, context: BootContext, ports: Record<string, number>): Record<string, string> {
    const root = join(this.#options.dataDir, 'machines', machine.id, 'root');
    return machineEnv(machine, context, { root, volume: (id) => this.#volume(id) }, ports, this.#options.extraEnv);
  }

  #govern(machine: MachineRow, pid: number): void {
    const { cpuQuota, report } = this.#options;
    if (!cpuQuota || !machine.config.guest) return;
    try {
      cpuQuota.govern(machine.id, pid, machine.config.guest);
    } catch (error) {
      report?.(`machine ${machine.id} runs without its CPU quota: ${String(error)}`);
    }
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

  adopt(machineId: string, run: Run, machine?: MachineRow): boolean {
    if (!isAlive(run) || !run.process) return false;
    if (machine) this.#govern(machine, run.process.pid);
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
    this.#options.onExit(machineId, run.id, this.#told.get(run.id) ?? exit);
    this.#told.delete(run.id);
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
    if (run.process && isAlive(run)) sendSignal(run.process.pid, signalName(signal));
  }

  crash(machineId: string, run: Run, exit: Exit, log?: string): void {
    if (!this.#ended.has(run.id)) return;
    if (log !== undefined) {
      const file = this.#openLog(machineId);
      writeSync(file, `${log}\n`);
      closeSync(file);
    }
    this.#told.set(run.id, exit);
    killGroup(run);
  }

  async freeze(run: Run): Promise<void> {
    if (run.process && isAlive(run)) sendSignal(-run.process.pid, 'SIGSTOP');
  }

  async thaw(run: Run): Promise<void> {
    if (run.process && isAlive(run)) sendSignal(-run.process.pid, 'SIGCONT');
  }

  async exec(machine: MachineRow, context: BootContext, command: readonly string[], timeoutMs: number): Promise<ExecResult | null> {
    if (!this.#options.allowExec) return null;
    return runCommand(command, { cwd: join(this.#options.dataDir, 'machines', machine.id, 'root'), env: this.#env(machine, context, machine.run?.process?.ports ?? {}), timeoutMs });
  }

  processes(run: Run): ProcessRow[] {
    return run.process ? groupProcesses(run.process.pid) : [];
  }

  logs(machineId: string, most: number): LogLine[] {
    return tail(join(this.#options.dataDir, 'logs', `${machineId}.log`), most);
  }

  port(run: Run, internalPort: number): number | null {
    return run.process?.ports[String(internalPort)] ?? null;
  }

  async discard(machineId: string): Promise<void> {
    this.#options.cpuQuota?.release(machineId);
    await rm(join(this.#options.dataDir, 'machines', machineId), { recursive: true, force: true });
  }

  close(): void {
    clearInterval(this.#watch);
    this.#options.cpuQuota?.close();
  }
}

const exists = (folder: string): boolean => statSync(folder, { throwIfNoEntry: false }) !== undefined;
const isAlive = (run: Run): boolean => run.process !== undefined && processIdentity(run.process.pid) === run.process.identity;

function killGroup(run: Run): void {
  if (!run.process) return;
  try {
    process.kill(-run.process.pid, 'SIGKILL');
  } catch {
    // nobody is left in the group
  }
}
