import { ApiError, invalid, notFound } from './api-error.ts';
import { findApp } from './find.ts';
import { appId } from './ids.ts';
import type { Platform } from './platform.ts';
import { ok, type Route } from './route.ts';
import type { AppRow } from './types.ts';

const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export function appRoutes(platform: Platform): Route[] {
  const { store } = platform;
  return [
    { method: 'GET', path: '/apps', verb: 'app.list', limit: 'action', handle: ({ query }) => {
      const apps = store.apps(query.get('org_slug')).map((app) => appView(platform, app));
      return ok({ apps, total_apps: apps.length });
    } },
    { method: 'POST', path: '/apps', verb: 'app.create', limit: 'none', handle: ({ body }) => createApp(platform, body) },
    { method: 'GET', path: '/apps/:app', verb: 'app.get', limit: 'action', handle: (request) => ok(appView(platform, findApp(platform, request))) },
    { method: 'DELETE', path: '/apps/:app', verb: 'app.delete', limit: 'none', handle: (request) => deleteApp(platform, findApp(platform, request), request.query.get('force') === 'true') },
  ];
}

function appView({ store }: Platform, app: AppRow): Record<string, unknown> {
  const machines = store.machines(app.id);
  return {
    id: app.id, name: app.name, status: machines.length > 0 ? 'deployed' : 'pending', network: app.network, machine_count: machines.length,
    volume_count: store.volumes(app.id).length, organization: { slug: app.orgSlug, name: app.orgSlug },
  };
}

function createApp({ store, now }: Platform, body: Readonly<Record<string, unknown>>) {
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
  if (store.app(name)) throw new ApiError(422, 'Validation failed: Name has already been taken', 'name_taken');
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
export async function finishDeletion({ store, removeVolume }: Pick<Platform, 'store' | 'removeVolume'>, id: string): Promise<void> {
  const app = store.appById(id);
  if (!app || app.deletedAt === null || store.machines(id).length > 0) return;
  for (const volume of store.volumes(id)) {
    await removeVolume(volume.id);
    store.dropVolume(volume.id);
  }
  store.forgetApp(id);
}
