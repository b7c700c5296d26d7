import type { FlyClient } from '@trademind/fly';
import type { Logger } from 'pino';
import { createRolloutDatabase, type RolloutDatabase } from './database/rollouts.ts';
import { createSweepDatabase, type SweepDatabase } from './database/sweep.ts';
import type { Settings } from './env.ts';
import type { FleetMetrics } from './fleet-metrics.ts';
import { startRollouts } from './rollouts/loop.ts';
import { createImageRegistry, partsOf, type ImageRegistry } from './rollouts/registry.ts';
import { startSweeps, SWEEP_RULES } from './sweep/loop.ts';

/** What operators look after. */
export interface Fleet {
  rollouts: RolloutDatabase;
  sweeps: Pick<SweepDatabase, 'resume' | 'fleet' | 'findings'>;
  /** What stands at Fly. */
  fly: { machines: Pick<FlyClient['machines'], 'get'> };
  registry: ImageRegistry;
  /** Hosts whose images may be registered. */
  registries: readonly string[];
}

export interface FleetContext {
  fetch: typeof fetch;
  /** The database's: it tells for whom it is asked. */
  told: typeof fetch;
  fly: FlyClient;
  log: Logger;
  metrics: FleetMetrics;
  now: () => number;
  /** Machines were made due: look for them now. */
  wake: () => void;
}

/** How often a replica asks whether a sweep is due, unless they are closer together. */
const IDLE_MS = 5_000;

/** Releases, rollouts and sweeps of one replica; `start` begins the work, the rest is for the API. */
export function createFleet(settings: Settings, context: FleetContext): Fleet & { start(): { stop(): Promise<void> } } {
  const secret = { url: settings.supabase.url, secretKey: settings.supabase.secretKey, fetch: context.told };
  const rollouts = createRolloutDatabase(secret);
  const sweeps = createSweepDatabase(secret);
  return {
    rollouts, sweeps, fly: context.fly,
    registry: createImageRegistry({ fetch: context.fetch, url: settings.imageRegistryUrl, flyToken: settings.fly.token }),
    registries: [...new Set([partsOf(settings.machineImage).host, 'registry.fly.io'])],
    start() {
      const { log, metrics, now, wake, fly } = context;
      const loops = [
        startRollouts({ database: rollouts, replicaId: settings.replicaId, log, metrics, leaseSeconds: settings.leaseSeconds, wake }),
        startSweeps({
          fly, database: sweeps, org: settings.fly.org, rules: { ...SWEEP_RULES, orphanGraceSeconds: settings.orphanGraceSeconds }, now, replicaId: settings.replicaId, log, metrics,
          intervalSeconds: settings.sweepSeconds, idleMs: Math.min(IDLE_MS, settings.sweepSeconds * 500), wake,
        }),
      ];
      return { stop: async () => { await Promise.all(loops.map((loop) => loop.stop())); } };
    },
  };
}
