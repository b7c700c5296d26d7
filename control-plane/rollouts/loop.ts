import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { RolloutDatabase } from '../database/rollouts.ts';
import type { FleetMetrics } from '../fleet-metrics.ts';
import { planRollout } from './plan.ts';

export interface RolloutLoopOptions {
  database: Pick<RolloutDatabase, 'claim' | 'advance'>;
  replicaId: string;
  log: Logger;
  metrics: Pick<FleetMetrics, 'stepped'>;
  leaseSeconds: number;
  /** How often a replica looks whether there is a step to take. */
  idleMs?: number;
  /** A step was written that gives machines other wishes: look for due machines now. */
  wake: () => void;
}

/** Takes steps of rollouts, one after the other. Holds nothing: whichever replica is alive takes the next. */
export function startRollouts(options: RolloutLoopOptions): { stop(): Promise<void> } {
  const { database, log, replicaId, leaseSeconds } = options;
  const stopped = new AbortController();
  const idleMs = options.idleMs ?? 2_000;

  /** True when a step was taken, so that there may be another at once. */
  async function step(): Promise<boolean> {
    const view = await database.claim(replicaId, leaseSeconds);
    if (view === null) return false;
    const planned = planRollout(view);
    const kept = await database.advance(view.id, view.fence, planned);
    if (kept) options.metrics.stepped(planned);
    for (const event of kept ? planned.events : []) log.info({ rollout: view.id, kind: event.kind }, event.message);
    if (kept && planned.take.length + planned.revert.length > 0) options.wake();
    return kept && planned.nextSeconds === 0;
  }

  async function run(): Promise<void> {
    let failures = 0;
    while (!stopped.signal.aborted) {
      let again = false;
      try {
        again = await step();
        failures = 0;
      } catch (error) {
        failures += 1;
        if (failures === 1 || failures % 30 === 0) log.warn({ err: error, failures }, 'no step of a rollout could be taken');
      }
      if (!again) await sleep(idleMs, undefined, { signal: stopped.signal }).catch(() => undefined);
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
