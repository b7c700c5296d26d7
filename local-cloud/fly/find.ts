import { ApiError, notFound } from './api-error.ts';
import type { Platform } from './platform.ts';
import type { ApiRequest } from './route.ts';
import type { AppRow, MachineRow } from './types.ts';

/** A destroyed machine stays readable for a moment, as at Fly. */
const READABLE_AFTER_DESTROY_MS = 10_000;

export function findApp(platform: Platform, request: ApiRequest): AppRow {
  const app = platform.store.app(request.params['app'] ?? '');
  if (!app) throw notFound('app');
  if (app.foreign) throw new ApiError(403, 'unauthorized: the app belongs to another organization');
  return app;
}

/** The machine of the path; 404 when it is not in that app. */
export function findMachine(platform: Platform, request: ApiRequest): MachineRow {
  const app = findApp(platform, request);
  const machine = platform.store.machine(request.params['machine'] ?? '');
  const gone = machine?.destroyedAt != null && platform.now() - machine.destroyedAt > READABLE_AFTER_DESTROY_MS;
  if (!machine || machine.appId !== app.id || gone) throw notFound('machine');
  return machine;
}

/** The machine, if this request may change it: it is not destroyed and nobody else holds its lease. */
export function findForChange(platform: Platform, request: ApiRequest): MachineRow {
  const machine = findMachine(platform, request);
  if (machine.destroyedAt !== null) throw notFound('machine');
  checkLease(platform, machine, request.nonce);
  return machine;
}

/** The machine, if this request may change it and its host answers. */
export function findReachable(platform: Platform, request: ApiRequest): MachineRow {
  const machine = findForChange(platform, request);
  if (platform.lifecycle.isUnreachable(machine)) throw new ApiError(503, `unavailable: the host of machine ${machine.id} is unreachable`);
  return machine;
}

/** Refuses whoever does not hold the lease: without its nonce while one is held, or with a nonce that holds nothing (any more). */
export function checkLease(platform: Platform, machine: MachineRow, nonce: string | undefined): void {
  const lease = platform.store.lease(machine.id);
  if (lease && lease.nonce !== nonce) {
    throw new ApiError(409, `machine ID ${machine.id} lease currently held by ${lease.owner}, expires at ${new Date(lease.expiresAt + platform.skew()).toISOString()}`);
  }
  if (!lease && nonce !== undefined) throw new ApiError(409, `machine ID ${machine.id} lease with this nonce is not held: it has expired or was released`);
}
