import type { ActContext } from './act.ts';
import { isGone } from './gone.ts';

/** Fly's lease while something is changed: short, so that a replica that dies bars others only for a moment, and kept alive for as long as the change takes. */
const LEASE_SECONDS = 20;

type Context = Pick<ActContext, 'fly' | 'wish' | 'signal' | 'replicaId'>;

/** Changes a machine under Fly's own lease, so that nobody else changes it meanwhile. */
export async function leased<T>(context: Context, machineId: string, change: (nonce: string) => Promise<T>): Promise<T>;
export async function leased<T>(context: Context, machineId: string, change: (nonce: string) => Promise<T>, absent: 'gone is fine'): Promise<T | undefined>;
export async function leased<T>(context: Context, machineId: string, change: (nonce: string) => Promise<T>, absent?: 'gone is fine'): Promise<T | undefined> {
  const { fly, wish, signal } = context;
  try {
    const { nonce } = await fly.leases.acquire(wish.app, machineId, { ttlSeconds: LEASE_SECONDS, description: `trademind ${context.replicaId}` }, { signal });
    // a refresh that is lost is made up for by the next
    const alive = setInterval(() => { fly.leases.refresh(wish.app, machineId, { nonce, ttlSeconds: LEASE_SECONDS }, { signal }).catch(() => undefined); }, (LEASE_SECONDS * 1_000) / 3);
    try {
      return await change(nonce);
    } finally {
      clearInterval(alive);
      // a release that is lost only means that others wait for the lease to run out
      await fly.leases.release(wish.app, machineId, nonce).catch(() => undefined);
    }
  } catch (error) {
    if (absent !== undefined && isGone(error)) return undefined;
    throw error;
  }
}
