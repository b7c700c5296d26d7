import { findApp } from './find.ts';
import type { Platform } from './platform.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';

const MOST_LINES = 100;

/** Fly's log API, which is not part of the Machines API: `/api/v1/apps/{app}/logs?instance=`, with the token as it is. */
export function logRoutes(platform: Platform): Route[] {
  return [{ method: 'GET', path: '/apps/:app/logs', verb: 'app.logs', limit: 'none', handle: (request) => read(platform, request) }];
}

function read(platform: Platform, request: ApiRequest): ApiAnswer {
  const { store, runtime } = platform;
  const instance = request.query.get('instance');
  const machines = store.machines(findApp(platform, request).id, true).filter(({ id }) => instance === null || id === instance);
  const lines = machines.flatMap((machine) => runtime.logs(machine.id, MOST_LINES).map(({ at, message }, index) => ({
    id: `${machine.id}-${index}`, type: 'log',
    attributes: { timestamp: new Date(at + platform.skew()).toISOString(), message, level: 'info', instance: machine.id, region: machine.region, meta: { instance: machine.id, region: machine.region, event: { provider: 'app' } } },
  })));
  return ok({ data: lines.slice(-MOST_LINES), meta: { next_token: '' } });
}
