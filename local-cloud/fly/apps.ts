import { ApiError, invalid, notFound } from './api-error.ts';
import { findApp } from './find.ts';
import { appId } from './ids.ts';
import type { Platform } from './platform.ts';
import { ok, type ApiAnswer, type Route } from './route.ts';
import type { AppRow } from './types.ts';

const MOST_APPS = 10_000;
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export function appRoutes(platform: Platform): Route[] {
  return [
    { method: 'GET', path: '/apps', verb: 'app.list', limit: 'action', handle: ({ query }) => list(platform, query) },
    { method: 'POST', path: '/apps', verb: 'app.create', limit: 'none', handle: ({ body }) => createApp(platform, body) },
    { method: 'GET', path: '/apps/:app', verb: 'app.get', limit: 'action', handle: (request) => ok(appView(platform, findApp(platform, request))) },
    { method: 'DELETE', path: '/apps/:app', verb: 'app.delete', limit: 'app-delete', handle: (request) => deleteApp(platform, findApp(platform, request), request.query.get('force') === 'true') },
  ];
}

/** By name; the next page's cursor is the last name, in the body and in the header that the list of machines uses. */
function list(platform: Platform, query: URLSearchParams): ApiAnswer {
  const { store } = platform;
  const org = query.get('org_slug');
  const limit = Math.min(Math.max(Number(query.get('limit') ?? MOST_APPS) || MOST_APPS, 1), MOST_APPS);
  const rows = store.apps(org, query.get('cursor') ?? '', limit + 1);
  const page = rows.slice(0, limit);
  const cursor = rows.length > limit ? page.at(-1)?.name ?? '' : '';
  return {
    status: 200, body: { apps: page.filter((app) => !app.foreign).map((app) => appView(platform, app)), total_apps: store.countApps(org), next_cursor: cursor },
    headers: cursor === '' ? {} : { 'fly-next-cursor': cursor },
  };
}

function appView({ store }: Platform, app: AppRow): Record<string, unknown> {
  const { machines, volumes } = store.counts(app.id);
  return {
    id: app.id, name: app.name, status: machines > 0 ? 'deployed' : 'pending', network: app.network, machine_count: machines, volume_count: volumes, organization: { slug: app.orgSlug, name: app.orgSlug },
  };
}

function createApp({ store, now, faults }: Platform, body: Readonly<Record<string, unknown>>) {
  // sources disagree about the name of the name
  const name = body['name'] ?? body['app_name'];
  const { org_slug: orgSlug, network, idempotency_key: key } = body;
  if (typeof name !== 'string' || !NAME.test(name)) throw invalid('name must be lower-case letters, digits and hyphens, at most 63');
  if (typeof orgSlug !== 'string' || orgSlug === '') throw invalid('org_slug is required');
  if (typeof key === 'string') {
    const first = store.appByKey(key);
    if (first && first.name !== name) throw invalid('idempotency_key was used for another name');
    if (first) return ok({ id: first.id, created_at: first.createdAt }, 201);
  }
  // sources disagree about the status: 422, and 409 on request
  if (store.app(name)) throw new ApiError(faults.speaks('name-taken-409') ? 409 : 422, 'Validation failed: Name has already been taken', 'name_taken');
  const app: AppRow = {
    id: appId(), name, orgSlug, network: typeof network === 'string' ? network : 'default', createdAt: now(), deletedAt: null, secretsVersion: 0,
    idempotencyKey: typeof key === 'string' ? key : null,
  };
  store.saveApp(app);
  return ok({ id: app.id, created_at: app.createdAt }, 201);
}

/** The name is free at once; machines end in their own time (`force`: at once), then the volumes go. */
async function deleteApp(platform: Platform, app: AppRow, force: boolean) {
  const { store, lifecycle, now } = platform;
  if (app.deletedAt !== null) throw notFound('app');
  const machines = store.db.transaction(() => {
    store.saveApp({ ...app, deletedAt: now() });
    return store.machines(app.id).map((machine) => {
      store.changeMachine(machine.id, (row) => {
        row.goal = 'destroyed';
        row.state = 'destroying';
        if (force) row.stopWith = { signal: 'SIGKILL', timeoutMs: 0 };
        store.addEvent(row.id, { type: 'destroy', status: 'destroying', source: 'user' });
      });
      return machine.id;
    });
  });
  for (const id of machines) lifecycle.kick(id, { now: true });
  await finishDeletion(platform, app.id);
  return ok(undefined, 202);
}

/** Removes what a deleted app still has, once its last machine is gone. Called after each of them, and at start. */
export async function finishDeletion({ store, folders }: Pick<Platform, 'store' | 'folders'>, id: string): Promise<void> {
  const app = store.appById(id);
  if (!app || app.deletedAt === null || store.machines(id).length > 0) return;
  for (const volume of store.volumes(id)) {
    await folders.remove(volume.id);
    store.dropVolume(volume.id);
  }
  store.forgetApp(id);
}
