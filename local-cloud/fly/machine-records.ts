import { ApiError, notFound } from './api-error.ts';
import { findForChange, findMachine, findReachable } from './find.ts';
import { eventsView } from './machine-view.ts';
import { stale } from './machines.ts';
import type { Platform } from './platform.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';

const AT = '/apps/:app/machines/:machine';

/** What is written about a machine: its events, its versions, its metadata (which changes without a new version). */
export function machineRecordRoutes(platform: Platform): Route[] {
  const { store } = platform;
  return [
    { method: 'GET', path: `${AT}/events`, verb: 'machine.events', limit: 'action', handle: (request) => {
      const limit = Math.min(Math.max(Number(request.query.get('limit') ?? 20) || 20, 1), 50);
      return ok(eventsView(platform, findMachine(platform, request).id, limit));
    } },
    { method: 'GET', path: `${AT}/versions`, verb: 'machine.versions', limit: 'action', handle: (request) => {
      const rows = store.db.all<{ version: string; config: string }>(
        'select version, config from versions where machine_id = ? order by created_at desc, version desc', findMachine(platform, request).id);
      return ok(rows.map(({ version, config }) => ({ version, user_config: JSON.parse(config) as unknown })));
    } },
    { method: 'GET', path: `${AT}/metadata`, verb: 'metadata.list', limit: 'action', handle: (request) => ok(findMachine(platform, request).config.metadata ?? {}) },
    { method: 'PUT', path: `${AT}/metadata`, verb: 'metadata.replace', limit: 'action', handle: (request) => replace(platform, request) },
    { method: 'GET', path: `${AT}/metadata/:key`, verb: 'metadata.get', limit: 'action', handle: (request) => {
      const value = findMachine(platform, request).config.metadata?.[request.params['key'] ?? ''];
      if (value === undefined) throw notFound('metadata');
      return ok({ value });
    } },
    { method: 'POST', path: `${AT}/metadata/:key`, verb: 'metadata.set', limit: 'action', handle: (request) => {
      const { value } = request.body;
      if (typeof value !== 'string') throw new ApiError(400, 'invalid_argument: value must be a string');
      return change(platform, request, (metadata) => ({ ...metadata, [request.params['key'] ?? '']: value }));
    } },
    { method: 'DELETE', path: `${AT}/metadata/:key`, verb: 'metadata.delete', limit: 'action', handle: (request) =>
      change(platform, request, (metadata) => Object.fromEntries(Object.entries(metadata).filter(([key]) => key !== request.params['key']))) },
  ];
}

function change(platform: Platform, request: ApiRequest, edit: (metadata: Record<string, string>) => Record<string, string>): ApiAnswer {
  const machine = findReachable(platform, request);
  platform.store.changeMachine(machine.id, (row) => { row.config.metadata = edit(row.config.metadata ?? {}); });
  return { status: 204 };
}

function replace(platform: Platform, request: ApiRequest): ApiAnswer {
  const { machine_version: version, metadata } = request.body;
  const machine = findForChange(platform, request);
  if (typeof version === 'string' && version !== machine.instanceId) throw stale(platform, machine, version);
  if (typeof metadata !== 'object' || metadata === null || !Object.values(metadata).every((value) => typeof value === 'string')) {
    throw new ApiError(400, 'invalid_argument: metadata must map names to strings');
  }
  return change(platform, request, () => ({ ...(metadata as Record<string, string>) }));
}
