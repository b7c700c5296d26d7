import { Lease } from './shapes.ts';
import { path, type CallOptions, type Send } from './transport.ts';

/** A held lease: what mutations must carry, and until when it holds by Fly's clock (milliseconds; undefined when Fly did not say). */
export interface HeldLease { nonce: string; expiresAtMs: number | undefined }

/** Leases: whoever holds one alone may change the machine, by sending its nonce. */
export interface FlyLeases {
  /** Throws `fly_conflict_lease` when another holds it. */
  acquire(app: string, machineId: string, wish: { ttlSeconds: number; description?: string | undefined }, options?: CallOptions): Promise<HeldLease>;
  /** The same nonce, from now on for another `ttlSeconds`. */
  refresh(app: string, machineId: string, wish: { nonce: string; ttlSeconds: number }, options?: CallOptions): Promise<HeldLease>;
  release(app: string, machineId: string, nonce: string, options?: CallOptions): Promise<void>;
  /** Who holds it now; null when nobody does. Without the nonce. */
  read(app: string, machineId: string, options?: CallOptions): Promise<Lease | null>;
}

function held(body: unknown, known?: string): HeldLease {
  const lease = Lease.parse(body);
  const nonce = lease.nonce ?? known;
  if (!nonce) throw new Error('the lease has no nonce');
  // seconds as documented; a value that can only be milliseconds, or a date, is taken as such
  const { expires_at: expires } = lease;
  if (expires == null) return { nonce, expiresAtMs: undefined };
  const told = typeof expires === 'string' ? Date.parse(expires) : expires > 1e11 ? expires : expires * 1000;
  return { nonce, expiresAtMs: Number.isNaN(told) ? undefined : told };
}

const at = (app: string, machineId: string) => path('apps', app, 'machines', machineId, 'lease');

export function createLeases(send: Send): FlyLeases {
  return {
    acquire: async (app, machineId, wish, options) => (await send({
      kind: 'write', doing: `lease machine ${machineId}`, method: 'POST', path: at(app, machineId),
      body: { ttl: wish.ttlSeconds, description: wish.description }, parse: (body) => held(body), options,
    })).value,
    refresh: async (app, machineId, wish, options) => (await send({
      kind: 'write', doing: `refresh the lease of machine ${machineId}`, method: 'POST', path: at(app, machineId),
      body: { ttl: wish.ttlSeconds }, leaseNonce: wish.nonce, parse: (body) => held(body, wish.nonce), options,
    })).value,
    release: async (app, machineId, nonce, options) => {
      await send({
        kind: 'write', doing: `release the lease of machine ${machineId}`, method: 'DELETE', path: at(app, machineId), leaseNonce: nonce, parse: () => undefined, options,
      });
    },
    read: async (app, machineId, options) => {
      try {
        return (await send({ kind: 'read', doing: `read the lease of machine ${machineId}`, method: 'GET', path: at(app, machineId), parse: Lease.parse, options })).value;
      } catch (error) {
        // Fly answers 404 both for "no lease" and "no machine": either way nobody holds one
        if ((error as { code?: string }).code === 'fly_not_found') return null;
        throw error;
      }
    },
  };
}
