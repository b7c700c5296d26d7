import { setTimeout as sleep } from 'node:timers/promises';
import { ulid } from './ids.ts';
import type { ExecResult, LogLine, OnExit, ProcessRow, Runtime } from './runtime.ts';
import type { Exit, MachineRow, Run } from './types.ts';

export interface SimulatedRuntimeOptions {
  now: () => number;
  onExit: OnExit;
  /** 1 = about as long as Fly takes, 0 = at once. */
  latency: number;
  /** Between 0 and 1; seeded, so that a run can be repeated. */
  random: () => number;
}

/** What Fly was seen to take, in ms: a floor and a spread above it. */
const BOOT = { least: 400, spread: 1200 };
const HALT = { least: 200, spread: 800 };
const FREEZE = { least: 300, spread: 700 };
const THAW = { least: 100, spread: 300 };
const ANSWER = { least: 20, spread: 80 };
/** Verbs that take longer than others to be answered. */
const ANSWERS: Readonly<Record<string, { least: number; spread: number }>> = {
  'app.create': { least: 150, spread: 350 }, 'machine.create': { least: 300, spread: 900 }, 'machine.update': { least: 200, spread: 500 }, 'volume.create': { least: 150, spread: 450 },
  'org.machines': { least: 100, spread: 300 },
};
/** Machines of which lines are kept, and how many each. */
const MOST_LOGS = { machines: 1000, lines: 50 };

/** Machines that are only a matter of time: they pass through the states and run nothing. Ten thousand fit into one process. */
export class SimulatedRuntime implements Runtime {
  /** Without a process there is nothing that a host could end. */
  readonly endsWithHost = false;
  readonly pace: number;
  readonly #options: SimulatedRuntimeOptions;
  readonly #closing = new AbortController();
  readonly #logs = new Map<string, LogLine[]>();

  constructor(options: SimulatedRuntimeOptions) {
    this.#options = options;
    this.pace = options.latency;
  }

  async #pass(time: { least: number; spread: number }): Promise<void> {
    const ms = (time.least + time.spread * this.#options.random()) * this.pace;
    if (ms > 0) await sleep(ms, undefined, { signal: this.#closing.signal });
  }

  async think(verb: string): Promise<void> {
    await this.#pass(ANSWERS[verb] ?? ANSWER);
  }

  async launch(machine: MachineRow, _context: unknown, commit: (run: Run) => void): Promise<void> {
    await this.#pass(BOOT);
    const now = this.#options.now();
    commit({ id: ulid(now), boot: machine.boot, startedAt: now });
  }

  adopt(): boolean {
    return true;
  }

  async halt(machineId: string, run: Run, how: { signal: string }): Promise<void> {
    await this.#pass(HALT);
    const killed = how.signal === 'SIGKILL' || how.signal === '9';
    this.#options.onExit(machineId, run.id, { exitCode: killed ? 137 : 0, signal: killed ? 9 : -1, oomKilled: false });
  }

  crash(machineId: string, run: Run, exit: Exit, log?: string): void {
    if (log !== undefined) this.#say(machineId, log);
    this.#options.onExit(machineId, run.id, exit);
  }

  async freeze(): Promise<void> {
    await this.#pass(FREEZE);
  }

  async thaw(): Promise<void> {
    await this.#pass(THAW);
  }

  signal(): void { /* nobody hears it */ }

  async exec(): Promise<ExecResult> {
    await this.#pass(ANSWER);
    return { exit_code: 127, exit_signal: 0, stdout: '', stderr: 'a simulated machine runs no commands\n' };
  }

  processes(): ProcessRow[] {
    return [];
  }

  #say(machineId: string, text: string): void {
    const at = this.#options.now();
    const lines = [...(this.#logs.get(machineId) ?? []), ...text.split('\n').map((message) => ({ at, message }))].slice(-MOST_LOGS.lines);
    this.#logs.delete(machineId);
    this.#logs.set(machineId, lines);
    const [oldest] = this.#logs.keys();
    if (this.#logs.size > MOST_LOGS.machines && oldest !== undefined) this.#logs.delete(oldest);
  }

  logs(machineId: string, most: number): LogLine[] {
    return (this.#logs.get(machineId) ?? []).slice(-most);
  }

  port(): null {
    return null;
  }

  async discard(): Promise<void> { /* it leaves nothing */ }

  close(): void {
    this.#closing.abort();
  }
}
