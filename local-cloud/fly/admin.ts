import { ApiError } from './api-error.ts';
import { audit } from './audit.ts';
import { act } from './faults/act.ts';
import { readFaultOrder } from './faults/kinds.ts';
import { readJournal } from './journal.ts';
import type { Platform } from './platform.ts';
import { ok, type Route } from './route.ts';
import { namedToken } from './tokens.ts';

const own = (method: string, path: string, handle: Route['handle']): Route => ({ method, path, verb: path, limit: 'none', handle });

/** The stand-in's own routes, under `/_stand-in`: faults on request, capacity, what was written and which rules were broken. They want the token too. */
export function adminRoutes(platform: Platform, token: string, revoked: Set<string>): Route[] {
  const { faults, store, counts, capacity } = platform;
  return [
    own('GET', '/faults', () => ok({ faults: faults.list() })),
    own('POST', '/faults', async ({ body }) => ok(await act(platform, readFaultOrder(body)), 201)),
    own('DELETE', '/faults', () => { faults.clear(); return { status: 204 }; }),
    own('DELETE', '/faults/:fault', ({ params }) => {
      if (!faults.remove(params['fault'] ?? '')) throw new ApiError(404, `There is no active fault ${params['fault']}.`);
      return { status: 204 };
    }),
    own('GET', '/capacity', () => ok(capacity.room)),
    own('PUT', '/capacity', ({ body }) => { capacity.set(body); return ok(capacity.room); }),
    own('GET', '/journal', ({ query }) => ok({
      entries: readJournal(store, {
        after: Number(query.get('after') ?? 0) || 0, limit: Math.min(Number(query.get('limit') ?? 10_000) || 10_000, 100_000),
        app: query.get('app'), machine: query.get('machine'), verb: query.get('verb'), who: query.get('who'),
      }),
    })),
    own('GET', '/audit', ({ query }) => ok(audit(store, query.get('by') ?? 'app'))),
    own('GET', '/requests', () => ok(counts.report())),
    own('DELETE', '/requests', () => { counts.reset(); return { status: 204 }; }),
    own('GET', '/memory', () => ok({ ...process.memoryUsage() })),
    own('GET', '/token', ({ query }) => {
      const name = query.get('name') ?? '';
      if (name === '') throw new ApiError(400, 'name: whose token?');
      return ok({ name, token: namedToken(token, name) });
    }),
    own('DELETE', '/token', ({ query }) => { revoked.add(query.get('name') ?? ''); return { status: 204 }; }),
  ];
}
