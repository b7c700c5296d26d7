import { ApiError, notFound } from './api-error.ts';
import { findApp } from './find.ts';
import { privateIp, publicV4, publicV6 } from './ids.ts';
import type { Platform } from './platform.ts';
import { ok, type ApiAnswer, type ApiRequest, type Route } from './route.ts';

interface IpRow { ip: string; type: string; region: string; createdAt: number }

const AT = '/apps/:app/ip_assignments';
const MAKE: Record<string, () => string> = { shared_v4: publicV4, v4: publicV4, v6: publicV6, private_v6: privateIp, egress_v4: publicV4, egress_v6: publicV6 };

/** An app's addresses: kept and shown; the edge is where an app really answers. */
export function ipRoutes(platform: Platform): Route[] {
  const { store } = platform;
  const list = (appId: string) => store.db.all<IpRow>('select ip, type, region, created_at as createdAt from ips where app_id = ? order by created_at, ip', appId);
  const assign = (request: ApiRequest): ApiAnswer => {
    const app = findApp(platform, request);
    const { type, region = 'global' } = request.body;
    const make = typeof type === 'string' ? MAKE[type] : undefined;
    if (typeof type !== 'string' || !make || typeof region !== 'string') throw new ApiError(400, `invalid_argument: type must be one of ${Object.keys(MAKE).join(', ')}, region a string`);
    // an app has one shared address however often it is asked for
    const shared = type === 'shared_v4' ? list(app.id).find((row) => row.type === type) : undefined;
    if (shared) return ok(view(shared));
    const row: IpRow = { ip: make(), type, region, createdAt: platform.now() };
    store.db.run('insert into ips (app_id, ip, type, region, created_at) values (?, ?, ?, ?, ?)', app.id, row.ip, row.type, row.region, row.createdAt);
    return ok(view(row));
  };
  return [
    { method: 'GET', path: AT, verb: 'ip.list', limit: 'action', handle: (request) => {
      const ips = list(findApp(platform, request).id).map(view);
      return ok(platform.faults.speaks('bare-ips') ? ips : { ips });
    } },
    { method: 'POST', path: AT, verb: 'ip.assign', limit: 'action', handle: assign },
    { method: 'DELETE', path: `${AT}/:ip`, verb: 'ip.release', limit: 'action', handle: (request) => {
      if (store.db.run('delete from ips where app_id = ? and ip = ?', findApp(platform, request).id, request.params['ip'] ?? '') === 0) throw notFound('ip assignment');
      return { status: 204 };
    } },
  ];
}

function view(row: IpRow): Record<string, unknown> {
  return { ip: row.ip, type: row.type, region: row.region, shared: row.type === 'shared_v4', service_name: '', created_at: new Date(row.createdAt).toISOString() };
}
