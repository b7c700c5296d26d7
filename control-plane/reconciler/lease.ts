import { setTimeout as sleepFor } from 'node:timers/promises';
import { withLease } from '@trademind/fly';
import type { ActContext } from './act.ts';
import { isGone } from './gone.ts';

/** Fly's lease while something is changed: short, so that a replica that dies bars others only for a moment, and kept alive for as long as the change takes. */
const LEASE_SECONDS = 20;

type Context = Pick<ActContext, 'fly' | 'wish' | 'signal' | 'replicaId'>;

/** Changes a machine under Fly's own lease, so that nobody else changes it meanwhile. A change whose lease was lost is given up: its outcome is unknown. */
export async function leased<T>(context: Context, machineId: string, change: (nonce: string, signal: AbortSignal) => Promise<T>): Promise<T>;
export async function leased<T>(context: Context, machineId: string, change: (nonce: string, signal: AbortSignal) => Promise<T>, absent: 'gone is fine'): Promise<T | undefined>;
export async function leased<T>(context: Context, machineId: string, change: (nonce: string, signal: AbortSignal) => Promise<T>, absent?: 'gone is fine'): Promise<T | undefined> {
  const { fly, wish, signal } = context;
  try {
    return await withLease({
      leases: fly.leases, app: wish.app, machineId, ttlSeconds: LEASE_SECONDS, description: `trademind ${context.replicaId}`, signal,
      clock: () => performance.now(),
      sleep: async (ms, ended) => { await sleepFor(ms, undefined, { signal: ended }).catch(() => undefined); },
    }, ({ nonce, lost }) => change(nonce, lost));
  } catch (error) {
    if (absent !== undefined && isGone(error)) return undefined;
    throw error;
  }
}
