import { createHash } from 'node:crypto';
import { ApiError, invalid } from './api-error.ts';
import { findApp } from './find.ts';
import type { Platform } from './platform.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';

/** An app's secrets: written, never read back; machines get them at their next boot. */
export function secretRoutes(platform: Platform): Route[] {
  return [
    { method: 'GET', path: '/apps/:app/secrets', verb: 'secret.list', limit: 'action', handle: (request) => ok(view(platform, findApp(platform, request).id)) },
    { method: 'POST', path: '/apps/:app/secrets', verb: 'secret.set', limit: 'action', handle: (request) => set(platform, request) },
  ];
}

function set(platform: Platform, request: ApiRequest): ApiAnswer {
  const { store, now } = platform;
  const app = findApp(platform, request);
  const { values } = request.body;
  if (typeof values !== 'object' || values === null) throw new ApiError(400, 'invalid_argument: values is required');
  for (const [name, value] of Object.entries(values)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw invalid(`${JSON.stringify(name)} is not a name of an environment variable`);
    if (value !== null && typeof value !== 'string') throw invalid(`the value of ${name} must be a string or null`);
  }
  store.db.transaction(() => {
    for (const [name, value] of Object.entries(values as Record<string, string | null>)) {
      if (value === null) store.db.run('delete from secrets where app_id = ? and name = ?', app.id, name);
      else {
        store.db.run(
          `insert into secrets (app_id, name, value, created_at, updated_at) values (?1, ?2, ?3, ?4, ?4)
           on conflict (app_id, name) do update set value = excluded.value, updated_at = excluded.updated_at`,
          app.id, name, value, now(),
        );
      }
    }
    store.saveApp({ ...app, secretsVersion: app.secretsVersion + 1 });
  });
  return ok({ ...view(platform, app.id), version: app.secretsVersion + 1 });
}

function view({ store }: Platform, appId: string): { secrets: unknown[] } {
  return {
    secrets: store.secrets(appId).map(({ name, value, createdAt, updatedAt }) => ({
      name, digest: createHash('sha256').update(value).digest('hex').slice(0, 16), created_at: new Date(createdAt).toISOString(), updated_at: new Date(updatedAt).toISOString(),
    })),
  };
}
