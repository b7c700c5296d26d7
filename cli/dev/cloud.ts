import type { Program } from './child.ts';
import type { ComponentName } from './components.ts';
import { childrenOf, endByForce, identify } from './process-identity.ts';
import { supervise, type Supervised, type SupervisedEvent } from './supervise.ts';

/** What must be ready before a program can start. Whatever is not named starts at once. */
const NEEDS: Partial<Record<ComponentName, readonly ComponentName[]>> = { supabase: ['postgres'], 'control-plane': ['supabase'] };

/**
 * The order of stopping, and how long each may take. The Fly stand-in drains its machines, which need the database and the market until
 * then; the database ends last.
 */
const STOP_ORDER: readonly { names: readonly ComponentName[]; patienceMs: number }[] = [
  { names: ['page', 'control-plane'], patienceMs: 5_000 },
  { names: ['fly'], patienceMs: 32_000 },
  { names: ['supabase', 'exchange', 'gemini'], patienceMs: 5_000 },
  { names: ['postgres'], patienceMs: 20_000 },
];

export interface Cloud {
  stop(onSlow: (name: ComponentName) => void): Promise<void>;
  /** Ends everything by force, machines included. Resolves when nothing is left, or after a few seconds. */
  force(): Promise<void>;
}

export interface CloudOptions {
  cwd: string;
  now(): number;
  signal: AbortSignal;
  onReady(name: ComponentName): void;
  onEvent(event: SupervisedEvent): void;
}

/** A drain that takes longer than this is worth a word. */
const SLOW_MS = 1_500;

/**
 * Starts every program as soon as what it needs is ready. When one cannot start, or `signal` is aborted, all others are stopped and the
 * first error is thrown.
 */
export async function startCloud(programs: ReadonlyMap<ComponentName, Program>, options: CloudOptions): Promise<Cloud> {
  const running = new Map<ComponentName, Supervised>();
  const failing = new AbortController();
  const signal = AbortSignal.any([options.signal, failing.signal]);
  const starts = new Map<ComponentName, Promise<void>>();
  const start = (name: ComponentName, program: Program): Promise<void> => {
    const known = starts.get(name);
    if (known) return known;
    const started = (async () => {
      await Promise.all((NEEDS[name] ?? []).map((need) => start(need, programs.get(need) ?? missing(need))));
      running.set(name, await supervise(program, { ...options, signal }));
      options.onReady(name);
    })();
    starts.set(name, started);
    return started;
  };
  const cloud = makeCloud(running);
  const all = [...programs].map(([name, program]) => start(name, program));
  try {
    await Promise.all(all);
    return cloud;
  } catch (error) {
    failing.abort();
    await Promise.allSettled(all);
    await cloud.stop(() => undefined);
    throw error;
  }
}

function missing(name: string): never {
  throw new Error(`${name} is not part of this cloud`);
}

function makeCloud(running: ReadonlyMap<ComponentName, Supervised>): Cloud {
  return {
    stop: async (onSlow) => {
      for (const { names, patienceMs } of STOP_ORDER) {
        await Promise.all(names.map(async (name) => {
          const slow = setTimeout(() => onSlow(name), SLOW_MS);
          await running.get(name)?.stop(patienceMs);
          clearTimeout(slow);
        }));
      }
    },
    force: async () => {
      const trees = [...running.values()].flatMap(({ pid }) => {
        const own = pid();
        return own === null ? [] : [own, ...childrenOf(own)];
      }).map(identify).filter((identity) => identity !== undefined);
      for (const program of running.values()) program.abandon();
      await endByForce(trees);
    },
  };
}
