import { ApiError, notFound } from './api-error.ts';
import { checkLease, findForChange, findMachine } from './find.ts';
import { leaseNonce } from './ids.ts';
import type { Platform } from './platform.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';
import type { LeaseRow } from './types.ts';

const PATH = '/apps/:app/machines/:machine/lease';

export function leaseRoutes(platform: Platform): Route[] {
  const { store } = platform;
  return [
    { method: 'GET', path: PATH, verb: 'lease.get', limit: 'action', handle: (request) => {
      const lease = store.lease(findMachine(platform, request).id);
      if (!lease) throw notFound('lease');
      return ok(view(platform, { ...lease, nonce: '' }));
    } },
    { method: 'POST', path: PATH, verb: 'lease.acquire', limit: 'action', handle: (request) => acquire(platform, request) },
    { method: 'DELETE', path: PATH, verb: 'lease.release', limit: 'action', handle: (request) => {
      const machine = findMachine(platform, request);
      if (!store.lease(machine.id)) throw notFound('lease');
      checkLease(platform, machine, request.nonce);
      store.dropLease(machine.id);
      return ok({ ok: true });
    } },
  ];
}

/** A new lease, or with the nonce of the one that is held the same for longer. */
function acquire(platform: Platform, request: ApiRequest): ApiAnswer {
  const { store, now } = platform;
  const machine = findForChange(platform, request);
  const ttl = Number(request.body['ttl'] ?? request.query.get('ttl') ?? 10);
  if (!Number.isFinite(ttl) || ttl <= 0) throw new ApiError(400, 'invalid_argument: ttl must be a positive number of seconds');
  const held = store.lease(machine.id);
  const description = typeof request.body['description'] === 'string' ? request.body['description'] : held?.description ?? '';
  const lease: LeaseRow = {
    machineId: machine.id, nonce: held?.nonce ?? leaseNonce(), owner: held?.owner ?? request.who, description, expiresAt: now() + ttl * 1000, version: machine.instanceId,
  };
  store.saveLease(lease);
  return ok(view(platform, lease), 201);
}

/** Sources disagree about the form: wrapped, and flat on request. */
function view({ skew, faults }: Platform, lease: LeaseRow): unknown {
  const { nonce, owner, description, expiresAt, version } = lease;
  const data = { nonce, expires_at: Math.floor((expiresAt + skew()) / 1000), owner, description, version };
  return faults.speaks('flat-lease') ? data : { status: 'success', data };
}
