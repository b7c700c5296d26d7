import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, sentenceOf } from '@trademind/core';
import type { Logger } from 'pino';
import type { SweepRules } from '../database/sweep.ts';
import type { FleetMetrics } from '../fleet-metrics.ts';
import { sweep, SweepLost, type SweepOptions } from './sweep.ts';

export interface SweepLoopOptions extends Omit<SweepOptions, 'signal' | 'apps'> {
  replicaId: string;
  log: Logger;
  metrics: Pick<FleetMetrics, 'swept'>;
  /** From the beginning of one sweep to the next. */
  intervalSeconds: number;
  /** How often a replica asks whether one is due. */
  idleMs?: number;
  /** Machines were made due: look for them now. */
  wake: () => void;
}

/** Every so many sweeps apps are listed too; by the fence, so that it does not matter who sweeps. */
const APPS_EVERY = 12;

/** Seen twice before anybody is woken, thrice before anything is removed; the shares are far above what chance does to a fleet. */
export const SWEEP_RULES: Omit<SweepRules, 'orphanGraceSeconds'> = { looks: 2, graceSeconds: 60, orphanLooks: 3, wakes: 500, reaps: 20, orphanShare: 0.02, missingShare: 0.05 };

/** Sweeps whenever one is due; of all replicas one at a time. */
export function startSweeps(options: SweepLoopOptions): { stop(): Promise<void> } {
  const { database, log, metrics, intervalSeconds, now } = options;
  const stopped = new AbortController();
  const { signal } = stopped;

  async function once(): Promise<void> {
    const fence = await database.claim(options.replicaId, intervalSeconds);
    if (fence === null) return;
    const began = now();
    const took = () => (now() - began) / 1_000;
    try {
      const swept = await sweep(fence, { ...options, apps: fence % APPS_EVERY === 0, signal });
      metrics.swept('done', took(), swept);
      log.info(swept, 'swept');
      if (swept.woken > 0) options.wake();
    } catch (error) {
      if (signal.aborted) return;
      metrics.swept(error instanceof SweepLost ? 'lost' : 'broken_off', took());
      if (error instanceof SweepLost) return;
      log.warn({ err: error }, 'a sweep broke off: nothing was concluded from it');
      await database.end(fence, { outcome: 'broken off', code: codeOf(error), message: sentenceOf(error) });
    }
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      await once().then(() => { failures = 0; }, (error: unknown) => {
        failures += 1;
        if (failures === 1 || failures % 30 === 0) log.warn({ err: error, failures }, 'no sweep could be begun or ended');
      });
      await sleep(options.idleMs ?? 5_000, undefined, { signal }).catch(() => undefined);
    }
  }
  const running = run();
  return {
    async stop() {
      stopped.abort();
      await running;
    },
  };
}
