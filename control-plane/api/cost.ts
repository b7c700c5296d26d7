import { CostReport } from '@trademind/core';
import { z } from 'zod';
import { costReport } from '../money/cost-report.ts';
import { callerOf, type ApiContext } from './context.ts';
import { IdParams } from './parts.ts';
import { machineNotFound } from './problems.ts';
import type { Api } from './schema.ts';

const Query = z.object({ month: z.string().regex(/^20\d\d-(0[1-9]|1[0-2])$/, 'a month as 2026-11').optional() });
const WHAT = 'Measured from the time that machines were seen to run, by size and region; egress is estimated. Days and months are UTC. `forecastUsd`: if nothing changes.';

/** What things cost. */
export function costRoutes(api: Api, { account }: ApiContext): void {
  const report = async (userId: string, machineId: string | null, month: string | undefined): Promise<CostReport> => {
    const facts = await account.cost(userId, machineId, month === undefined ? null : `${month}-01`);
    if (facts === null) throw machineNotFound();
    return costReport(facts);
  };
  api.route({
    method: 'GET',
    url: '/v1/me/cost',
    schema: { tags: ['me'], summary: 'What you pay', description: WHAT, querystring: Query, response: { 200: CostReport } },
    handler: (request) => report(callerOf(request).userId, null, request.query.month),
  });
  api.route({
    method: 'GET',
    url: '/v1/machines/:id/cost',
    schema: { tags: ['machines'], summary: 'What a machine costs', description: WHAT, params: IdParams, querystring: Query, response: { 200: CostReport } },
    handler: (request) => report(callerOf(request).userId, request.params.id, request.query.month),
  });
}
