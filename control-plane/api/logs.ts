import { MachineLogs } from '@trademind/core';
import { z } from 'zod';
import { isLogCursor } from '../logs/lines.ts';
import { readMachineLogs } from '../logs/machine-logs.ts';
import { callerOf, type ApiContext } from './context.ts';
import { limitPerUser } from './limits.ts';
import { IdParams } from './parts.ts';
import { machineNotFound } from './problems.ts';
import type { Api } from './schema.ts';

const Query = z.object({
  limit: z.coerce.number().int().min(1).max(500).default(100),
  after: z.string().max(60).refine(isLogCursor, 'an instant as 2026-11-26T08:00:00Z, or the `next` of the answer before').optional(),
});
/** Each of them is answered by a machine and perhaps by Fly, not by the database alone. */
const READS_PER_MINUTE = 60;

/** The last lines of a machine. */
export function logRoutes(api: Api, { userDatabase, logs }: ApiContext): void {
  const limit = limitPerUser(api, READS_PER_MINUTE);
  api.route({
    method: 'GET',
    url: '/v1/machines/:id/logs',
    schema: {
      tags: ['machines'], summary: 'The last lines of a machine',
      description: 'Oldest first: the last `limit`, or with `after` the first `limit` since then; send `next` as `after` to follow. Of one source: the machine itself, else Fly\'s log, else what was kept when its version failed; '
        + '`notice` says why it is not the machine\'s own. Secrets are taken out. At most 60 reads a minute.',
      params: IdParams, querystring: Query, response: { 200: MachineLogs },
    },
    onRequest: (request, reply) => limit(request, reply),
    handler: async (request, reply) => {
      const caller = callerOf(request);
      const row = await userDatabase(caller.token).machine(request.params.id);
      if (row === null) throw machineNotFound();
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const missed = (source: string, error: unknown) => request.log.debug({ machine: row.id, source, err: error }, 'a log could not be read');
      return readMachineLogs(row, { ...request.query, whole: row.user_id === caller.userId }, { ...logs, missed }, gone.signal);
    },
  });
}
