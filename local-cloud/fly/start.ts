import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { listen, type Listening } from '../shared/http.ts';
import type { StandIn } from '../shared/run.ts';
import { createApi } from './api.ts';
import { finishDeletion } from './apps.ts';
import { Capacity, type Room } from './capacity.ts';
import { Checks } from './checks.ts';
import { Counts } from './counts.ts';
import { CpuQuota, findCgroup } from './cpu-quota.ts';
import { startEdge } from './edge.ts';
import { Faults } from './faults/faults.ts';
import { PastLists } from './faults/past-lists.ts';
import type { Images } from './images.ts';
import { Lifecycle } from './lifecycle.ts';
import type { Platform } from './platform.ts';
import type { OnExit } from './runtime.ts';
import { ProcessRuntime } from './runtime-process.ts';
import { seededRandom } from './random.ts';
import { SimulatedRuntime } from './runtime-simulated.ts';
import { Store } from './store.ts';
import { volumeFolders } from './volume-folders.ts';

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
  /** Memory for machines by region, in MB; a region that is not named has no end of it. */
  room?: Room | undefined;
  /** Of the process runtime: whether callers may run commands in machines, and whether machines are held to the CPU time of their size where the system allows. */
  allowExec?: boolean | undefined;
  cpuQuota?: boolean | undefined;
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
  const folders = volumeFolders(dataDir);
  const faults = new Faults(now);
  const cgroup = options.runtime === 'process' && options.cpuQuota ? findCgroup() : null;

  // the runtime tells ends to the lifecycle, the lifecycle orders the runtime
  const onExit: OnExit = (...end) => lifecycle.ended(...end);
  const runtime = options.runtime === 'process'
    ? new ProcessRuntime({ dataDir, images: options.images, now, onExit, report, extraEnv: options.extraEnv, allowExec: options.allowExec, cpuQuota: cgroup && 'group' in cgroup ? new CpuQuota(cgroup) : undefined })
    : new SimulatedRuntime({ now, onExit, latency: options.latency ?? 1, random: seededRandom(options.seed ?? 1) });
  const checks = new Checks(runtime, now);
  const lifecycle = new Lifecycle({
    store, runtime, faults, report,
    onRunning: (machine) => checks.watch(machine),
    onEnded: (id) => checks.forget(id),
    onBuried: (machine) => finishDeletion({ store, folders }, machine.appId),
  });
  faults.onEnd((order) => { if (order.kind === 'wedge' || order.kind === 'host-unreachable') lifecycle.release(); });
  const capacity = new Capacity(store, faults);
  capacity.set(options.room ?? {});
  const platform: Platform = {
    store, lifecycle, runtime, checks, images: options.images, now, folders, faults, capacity, past: new PastLists(faults, store, now), counts: new Counts(), skew: () => faults.skew(), closing: closing.signal,
  };

  const token = options.token ?? randomBytes(24).toString('base64url');
  const api = createApi({ platform, token, allowedOrigins: options.allowedOrigins, rateLimits: options.rateLimits ?? true, report });
  const closeStore = () => { checks.close(); faults.close(); store.close(); };
  let edge: Listening | undefined;
  try {
    // ports first: a stand-in that cannot listen must not touch a machine
    edge = await startEdge({ store, runtime, lifecycle, faults, port: options.edgePort });
    const listening = await listen(api, options.port);
    // in the same turn, so that no request comes before what runs was taken over
    lifecycle.open();
    for (const app of store.deletedApps()) await finishDeletion({ store, folders }, app.id);
    const { url: edgeUrl, close: closeEdge } = edge;
    return {
      name: 'fly', url: `${listening.url}/v1`, edgeUrl, runtime: options.runtime, ...(options.token === undefined ? { token } : {}),
      ...(cgroup ? { cpuQuota: 'group' in cgroup ? cgroup.name : `none: ${cgroup.why}` } : {}),
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
