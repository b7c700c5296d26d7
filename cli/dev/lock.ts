import { linkSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { parseWith, TradeMindError } from '@trademind/core';
import * as z from 'zod/mini';
import { identify, isAlive } from './process-identity.ts';
import { readJson, writeJsonAtomically } from './write-atomically.ts';

const Identity = z.object({ pid: z.int(), startedAt: z.string() });

const Urls = z.object({
  controlPlane: z.string(), dashboard: z.string(), supabase: z.string(), fly: z.string(), flyEdge: z.string(),
  exchange: z.nullable(z.string()), gemini: z.nullable(z.string()),
});
export type Urls = z.infer<typeof Urls>;

/** `running.json`: who runs on this data folder, where it is, and every process it started. */
const Running = z.object({
  supervisor: Identity,
  since: z.string(),
  market: z.optional(z.string()),
  speed: z.optional(z.number()),
  urls: z.optional(Urls),
  machineId: z.optional(z.string()),
  children: z.record(z.string(), Identity),
});
export type Running = z.infer<typeof Running>;

/** The record of whoever runs, or ran, here. null: nobody. A record that cannot be read counts as nobody's: it is only ever written whole. */
export function readRunning(path: string): Running | null {
  try {
    const stored = readJson(path);
    return stored === undefined ? null : parseWith(Running, stored, 'data_damaged', path);
  } catch {
    return null;
  }
}

/** True when the record's supervisor is still there. */
export function isRunning(running: Running | null): running is Running {
  return running !== null && isAlive(running.supervisor);
}

export interface Lock {
  /** What a predecessor that was killed has left behind; null after a clean end. */
  leftBehind: Running | null;
  update(change: Partial<Running>): void;
  release(): void;
}

/**
 * Takes the data folder for this process. The record is linked into place whole, so that of two starts exactly one wins.
 * Throws `already_running` (with the running one as `running`) when somebody is there.
 */
export function takeLock(path: string, now: Date): Lock {
  const self = identify(process.pid);
  if (!self) throw new TradeMindError({ code: 'internal', message: 'This process cannot be identified.' });
  let running: Running = { supervisor: self, since: now.toISOString(), children: {} };
  let leftBehind: Running | null = null;
  const own = `${path}.${process.pid}.tmp`;
  writeFileSync(own, JSON.stringify(running), { mode: 0o600 });
  try {
    for (let attempt = 0; ; attempt += 1) {
      try {
        linkSync(own, path);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 4) throw error;
        const found = readRunning(path);
        if (isRunning(found)) throw new AlreadyRunning(found);
        leftBehind = found;
        setAside(path, found);
      }
    }
  } finally {
    rmSync(own, { force: true });
  }
  return {
    leftBehind,
    update: (change) => {
      running = { ...running, ...change };
      writeJsonAtomically(path, running);
    },
    release: () => rmSync(path, { force: true }),
  };
}

/** Removes a stale record, unless another start was quicker and the record is now its own. */
function setAside(path: string, stale: Running | null): void {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return; // gone already
  }
  const taken = readRunning(aside);
  if (isRunning(taken) && taken.supervisor.pid !== stale?.supervisor.pid) {
    try {
      linkSync(aside, path);
    } catch {
      // A third one stands there now; it will be seen at the next attempt.
    }
  }
  rmSync(aside, { force: true });
}

export class AlreadyRunning extends TradeMindError {
  readonly running: Running;
  constructor(running: Running) {
    super({
      code: 'already_running',
      message: `A local cloud runs on this data folder already (pid ${running.supervisor.pid}, since ${running.since}).`,
      nextStep: 'Use it (`npx trademind status`), stop it with Ctrl-C, or start another with --data DIR --port-base N.',
    });
    this.running = running;
  }
}
