import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { listen, type Listening } from '../shared/http.ts';
import type { StandIn } from '../shared/run.ts';
import { createApi } from './api.ts';
import { finishDeletion } from './apps.ts';
import { Checks } from './checks.ts';
import { startEdge } from './edge.ts';
import type { Images } from './images.ts';
import { Lifecycle } from './lifecycle.ts';
import type { Platform } from './platform.ts';
import type { OnExit } from './runtime.ts';
import { ProcessRuntime } from './runtime-process.ts';
import { seededRandom, SimulatedRuntime } from './runtime-simulated.ts';
import { Store } from './store.ts';

export interface FlyStandInOptions {
  /** 0 takes a free one. */
  port: number;
  edgePort: number;
  /** What callers must send as Bearer or FlyV1; a random one when absent, told once in the answer. */
  token?: string | undefined;
  /** Everything is kept here: the state, logs, volumes, root folders. One stand-in at a time. */
  dataDir: string;
  runtime: 'process' | 'simulated';
  /** Nothing else can be run. */
  images: Images;
  allowedOrigins?: readonly string[] | undefined;
  /** Of the simulated runtime: 1 = as long as Fly takes, 0 = at once. */
  latency?: number | undefined;
  seed?: number | undefined;
  /** Fly's rate limits; true unless told. */
  rateLimits?: boolean | undefined;
  /** Handed to every machine beside its own environment, e.g. NODE_COMPILE_CACHE. */
  extraEnv?: Readonly<Record<string, string>> | undefined;
  now?: (() => number) | undefined;
  report?: ((line: string) => void) | undefined;
}

/**
 * Starts a stand-in for Fly's Machines API on loopback: state in SQLite, machines as processes or simulated, an edge in front of them. What an earlier
 * one left is taken over first. `close` is the host going down: machines end, and come back at the next start.
 */
export async function startFly(options: FlyStandInOptions): Promise<StandIn> {
  const { dataDir, now = Date.now, report = (line) => { process.stderr.write(`fly: ${line}\n`); } } = options;
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const store = new Store(join(dataDir, 'fly.sqlite'), now);
  const closing = new AbortController();
  const removeVolume = (id: string) => rm(join(dataDir, 'volumes', id), { recursive: true, force: true });

  // the runtime tells ends to the lifecycle, the lifecycle orders the runtime
  const onExit: OnExit = (...end) => lifecycle.ended(...end);
  const runtime = options.runtime === 'process'
    ? new ProcessRuntime({ dataDir, images: options.images, now, onExit, extraEnv: options.extraEnv })
    : new SimulatedRuntime({ now, onExit, latency: options.latency ?? 1, random: seededRandom(options.seed ?? 1) });
  const checks = new Checks(runtime, now);
  const lifecycle = new Lifecycle({
    store, runtime, report,
    onRunning: (machine) => checks.watch(machine),
    onEnded: (id) => checks.forget(id),
    onBuried: (machine) => finishDeletion({ store, removeVolume }, machine.appId),
  });
  const platform: Platform = { store, lifecycle, runtime, checks, images: options.images, now, removeVolume, closing: closing.signal };

  const token = options.token ?? randomBytes(24).toString('base64url');
  const api = createApi({ platform, token, allowedOrigins: options.allowedOrigins, rateLimits: options.rateLimits ?? true, report });
  const closeStore = () => { checks.close(); store.close(); };
  let edge: Listening | undefined;
  try {
    // ports first: a stand-in that cannot listen must not touch a machine
    edge = await startEdge({ store, runtime, port: options.edgePort });
    const listening = await listen(api, options.port);
    // in the same turn, so that no request comes before what runs was taken over
    lifecycle.open();
    for (const app of store.deletedApps()) await finishDeletion({ store, removeVolume }, app.id);
    const { url: edgeUrl, close: closeEdge } = edge;
    return {
      name: 'fly', url: `${listening.url}/v1`, edgeUrl, runtime: options.runtime, ...(options.token === undefined ? { token } : {}),
      close: async () => {
        closing.abort();
        // together: a connection that is slow to end must not keep a machine running
        await Promise.all([listening.close(), closeEdge(), lifecycle.close()]);
        closeStore();
      },
    };
  } catch (error) {
    await edge?.close();
    closeStore();
    throw error;
  }
}
