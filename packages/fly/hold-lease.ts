import type { FlyError } from './errors.ts';
import type { FlyLeases, HeldLease } from './leases.ts';

export interface HoldLease {
  leases: FlyLeases;
  app: string;
  machineId: string;
  /** Seconds; it is refreshed after a third of them, so that two refreshes may be lost. */
  ttlSeconds: number;
  description?: string | undefined;
  /** Ends the work and the refreshing. */
  signal?: AbortSignal | undefined;
  /** Monotonic milliseconds, so that a wrong clock, here or at Fly, does not matter. */
  clock: () => number;
  /** Waits; ends early and quietly when aborted. */
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** A lease while work goes on under it. `lost` is aborted as soon as it is taken away or can no longer be known to hold: stop writing then. */
export interface Hold { nonce: string; lost: AbortSignal }

/**
 * Does work under a lease that is kept alive, and releases it however the work ends. What holds is counted from the moment the last successful refresh
 * was SENT, by the caller's own monotonic clock. Throws what `acquire` throws (`fly_conflict_lease` when another holds it), and what the work throws.
 */
export async function withLease<T>(options: HoldLease, work: (hold: Hold) => Promise<T>): Promise<T> {
  const { leases, app, machineId, ttlSeconds, clock } = options;
  const asked = clock();
  const lease = await leases.acquire(app, machineId, { ttlSeconds, description: options.description }, { signal: options.signal });
  const done = new AbortController();
  const lost = new AbortController();
  const keeping = keep(options, lease, asked, done.signal, lost);
  try {
    return await work({ nonce: lease.nonce, lost: options.signal ? AbortSignal.any([lost.signal, options.signal]) : lost.signal });
  } finally {
    done.abort();
    await keeping;
    // it ends by itself if this fails: nobody must wait for that
    if (!lost.signal.aborted) await leases.release(app, machineId, lease.nonce).catch(() => undefined);
  }
}

async function keep(options: HoldLease, lease: HeldLease, asked: number, done: AbortSignal, lost: AbortController): Promise<void> {
  const { leases, app, machineId, ttlSeconds, clock, sleep } = options;
  const ttlMs = ttlSeconds * 1000;
  let holdsUntil = asked + ttlMs;
  let pause = ttlMs / 3;
  while (!done.aborted) {
    await sleep(pause, done);
    if (done.aborted) return;
    const sent = clock();
    if (sent >= holdsUntil) {
      lost.abort();
      return;
    }
    try {
      await leases.refresh(app, machineId, { nonce: lease.nonce, ttlSeconds }, { signal: done, timeoutMs: holdsUntil - sent });
      holdsUntil = sent + ttlMs;
      pause = ttlMs / 3;
    } catch (error) {
      const { code } = error as FlyError;
      if (code === 'fly_conflict_lease' || code === 'fly_not_found') {
        lost.abort();
        return;
      }
      // not told: it may hold, and does so at the longest until it runs out
      pause = Math.min(ttlMs / 10, Math.max(0, holdsUntil - clock()));
    }
  }
}
