import { setTimeout as sleep } from 'node:timers/promises';
import { ulid } from './ids.ts';
import type { OnExit, Runtime } from './runtime.ts';
import type { MachineRow, Run } from './types.ts';

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

/** Machines that are only a matter of time: they pass through the states and run nothing. Ten thousand fit into one process. */
export class SimulatedRuntime implements Runtime {
  /** Without a process there is nothing that a host could end. */
  readonly endsWithHost = false;
  readonly #options: SimulatedRuntimeOptions;
  readonly #closing = new AbortController();

  constructor(options: SimulatedRuntimeOptions) {
    this.#options = options;
  }

  async #pass(time: { least: number; spread: number }): Promise<void> {
    const ms = (time.least + time.spread * this.#options.random()) * this.#options.latency;
    if (ms > 0) await sleep(ms, undefined, { signal: this.#closing.signal });
  }

  async launch(machine: MachineRow, _context: unknown, commit: (run: Run) => void): Promise<void> {
    await this.#pass(BOOT);
    const now = this.#options.now();
    commit({ id: ulid(now), boot: machine.boot, startedAt: now });
  }

  adopt(): boolean {
    return true;
  }

  async halt(machineId: string, run: Run): Promise<void> {
    await this.#pass(HALT);
    this.#options.onExit(machineId, run.id, { exitCode: 0, signal: -1, oomKilled: false });
  }

  signal(): void { /* nobody hears it */ }

  port(): null {
    return null;
  }

  async discard(): Promise<void> { /* it leaves nothing */ }

  close(): void {
    this.#closing.abort();
  }
}

/** A small generator of repeatable chance (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
