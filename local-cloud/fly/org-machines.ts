import { ApiError } from './api-error.ts';
import { slimView } from './machine-view.ts';
import type { Platform } from './platform.ts';
import { REGIONS } from './regions.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';
import type { MachineRow } from './types.ts';

/** Reads of a whole organisation, and of the platform. */
export function orgRoutes(platform: Platform): Route[] {
  return [
    { method: 'GET', path: '/orgs/:org/machines', verb: 'org.machines', limit: 'none', handle: (request) => list(platform, request) },
    { method: 'GET', path: '/platform/regions', verb: 'platform.regions', limit: 'none', handle: () => ok({ regions: REGIONS, nearest: 'sin' }) },
  ];
}

/** Pages in the order of creation, so that a machine that changes meanwhile is neither skipped nor shown twice. The cursor is in the body. */
function list({ store }: Platform, request: ApiRequest): ApiAnswer {
  const { query } = request;
  const updatedAfter = query.has('updated_after') ? Date.parse(query.get('updated_after') ?? '') : 0;
  if (Number.isNaN(updatedAfter)) throw new ApiError(400, 'invalid_argument: updated_after is not a time');
  const limit = Math.min(Math.max(Number(query.get('limit') ?? 1000) || 1000, 1), 1000);
  const after = Number(Buffer.from(query.get('cursor') ?? '', 'base64url').toString() || 0);
  if (!Number.isInteger(after)) throw new ApiError(400, 'invalid_argument: unknown cursor');
  const rows = store.db.all<{ seq: number; app: string; body: string }>(
    `select machines.seq, apps.name as app, machines.body from machines join apps on apps.id = machines.app_id
     where apps.org_slug = ? and machines.seq > ? and machines.updated_at > ? and (? or machines.destroyed_at is null) order by machines.seq limit ?`,
    request.params['org'] ?? '', after, updatedAfter, query.get('include_deleted') === 'true' ? 1 : 0, limit + 1,
  );
  const page = rows.slice(0, limit);
  const machines = page.map((row) => slimView(JSON.parse(row.body) as MachineRow, row.app));
  const last = page.at(-1);
  const times = machines.map((machine) => String(machine['updated_at'])).sort();
  return ok({
    machines,
    next_cursor: rows.length > limit && last ? Buffer.from(String(last.seq)).toString('base64url') : '',
    last_machine_id: machines.at(-1)?.['id'] ?? '',
    last_updated_at: times.at(-1) ?? '',
    error_regions: [],
  });
}
