import { ApiError } from './api-error.ts';
import { acceptConfig } from './machine-config.ts';
import { slimView } from './machine-view.ts';
import type { Platform } from './platform.ts';
import { seededRandom } from './random.ts';
import { isRegion, REGIONS } from './regions.ts';
import { isFlag, ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';
import type { MachineRow } from './types.ts';

/** Reads of a whole organisation, and of the platform. */
export function orgRoutes(platform: Platform): Route[] {
  return [
    { method: 'GET', path: '/orgs/:org/machines', verb: 'org.machines', limit: 'none', handle: (request) => list(platform, request) },
    { method: 'GET', path: '/platform/regions', verb: 'platform.regions', limit: 'none', handle: () => ok({ regions: REGIONS, nearest: 'sin' }) },
    { method: 'POST', path: '/platform/placements', verb: 'platform.placements', limit: 'none', handle: (request) => placements(platform, request) },
  ];
}

/** Which regions have room for `count` machines of a size. */
function placements({ capacity, faults }: Platform, { body }: ApiRequest): ApiAnswer {
  const { compute, count = 1, region } = body;
  const wanted = typeof region === 'string' && region !== '' ? region.split(',') : REGIONS.map(({ code }) => code);
  for (const code of wanted) if (!isRegion(code)) throw new ApiError(400, `invalid_argument: unknown region ${String(code)}`);
  const memory = acceptConfig({ image: 'any', ...(compute == null ? {} : { guest: compute }) }).guest?.memory_mb ?? 256;
  const fitting = (code: string) => (faults.all('capacity').some((order) => order.region === '*' || order.region === code) ? 0 : Math.min(Number(count), Math.floor(capacity.left(code) / memory)));
  return ok({ regions: wanted.map((code) => ({ region: code, count: fitting(code) })).filter((row) => row.count > 0) });
}

interface OrgRow { seq: number; app: string; appId: string; machine: MachineRow }

/** Pages in the order of creation, so that a machine that changes meanwhile is neither skipped nor shown twice. The cursor is in the body. */
function list(platform: Platform, request: ApiRequest): ApiAnswer {
  const { store, faults } = platform;
  const { query } = request;
  const updatedAfter = query.has('updated_after') ? Date.parse(query.get('updated_after') ?? '') - platform.skew() : 0;
  if (Number.isNaN(updatedAfter)) throw new ApiError(400, 'invalid_argument: updated_after is not a time');
  const limit = Math.min(Math.max(Number(query.get('limit') ?? 1000) || 1000, 1), 1000);
  const after = Number(Buffer.from(query.get('cursor') ?? '', 'base64url').toString() || 0);
  if (!Number.isInteger(after)) throw new ApiError(400, 'invalid_argument: unknown cursor');
  const deleted = isFlag(query.get('include_deleted'));
  const ragged = faults.all('ragged-pages')[0];
  const chance = ragged ? seededRandom((ragged.seed ?? 1) + after) : null;
  const size = chance ? Math.max(1, Math.floor(limit * chance())) : limit;
  const rows = store.db.all<{ seq: number; app: string; appId: string; body: string }>(
    `select machines.seq, apps.name as app, apps.id as appId, machines.body from machines join apps on apps.id = machines.app_id
     where apps.org_slug = ? and machines.seq > ? and machines.updated_at > ? and (? or machines.destroyed_at is null) order by machines.seq limit ?`,
    request.params['org'] ?? '', after, updatedAfter, deleted ? 1 : 0, size + 1,
  ).map((row): OrgRow => ({ seq: row.seq, app: row.app, appId: row.appId, machine: JSON.parse(row.body) as MachineRow }));
  const page = rows.slice(0, size);
  const last = page.at(-1);
  const more = rows.length > size && last;
  const shown = visible(platform, page, request.params['org'] ?? '', after, more ? last.seq : Number.POSITIVE_INFINITY);
  // short or even empty pages may have more behind them, in no order
  const machines = chance ? shown.sort(() => chance() - 0.5) : shown;
  const times = machines.map((machine) => String(machine['updated_at'])).sort();
  return ok({
    machines,
    next_cursor: more ? Buffer.from(String(last.seq)).toString('base64url') : '',
    last_machine_id: machines.at(-1)?.['id'] ?? '',
    last_updated_at: times.at(-1) ?? '',
    error_regions: REGIONS.map(({ code }) => code).filter((code) => faults.unread(code)),
  });
}

/** The page as faults let it be seen: as it was a while ago, without the regions that were not read. */
function visible(platform: Platform, page: readonly OrgRow[], org: string, after: number, until: number): Record<string, unknown>[] {
  const { store, past, faults } = platform;
  const apps = new Map(page.map((row) => [row.appId, row.app]));
  const nameOf = (machine: MachineRow) => apps.get(machine.appId) ?? store.appById(machine.appId)?.name ?? '';
  const belongs = (machine: MachineRow) => {
    const { seq = 0 } = store.db.get('select seq from machines where id = ?', machine.id) as { seq?: number } | undefined ?? {};
    return seq > after && seq <= until && store.appById(machine.appId)?.orgSlug === org;
  };
  return past.show('org', page.map((row) => row.machine), (id) => store.machine(id), belongs)
    .filter((machine) => !faults.unread(machine.region)).map((machine) => slimView(platform, machine, nameOf(machine)));
}
