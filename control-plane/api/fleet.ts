import { FINDING_KINDS, Fleet, FleetFindingPage, SweepRequest } from '@trademind/core';
import { z } from 'zod';
import type { ApiContext } from './context.ts';
import { operatorOf } from './operators.ts';
import { PageQuery } from './parts.ts';
import type { Api } from './schema.ts';

const tags = ['operators'];
const FindingsQuery = PageQuery.extend({ kind: z.enum(FINDING_KINDS).optional(), abandoned: z.enum(['true']).optional() });

/** All machines at a glance, what differs, and what was given up and why. */
export function fleetRoutes(api: Api, { fleet }: Pick<ApiContext, 'fleet'>): void {
  api.route({
    method: 'GET',
    url: '/v1/fleet',
    schema: { tags, summary: 'The fleet: counts, findings of the sweep, what was abandoned and why', response: { 200: Fleet } },
    handler: async (request) => {
      operatorOf(request);
      return fleet.sweeps.fleet();
    },
  });

  api.route({
    method: 'GET',
    url: '/v1/fleet/findings',
    schema: { tags, summary: 'All that the sweep found, the newest first', description: '`abandoned=true`: only what was given up and waits for a person.', querystring: FindingsQuery, response: { 200: FleetFindingPage } },
    handler: async (request) => {
      operatorOf(request);
      const { abandoned, ...query } = request.query;
      return fleet.sweeps.findings({ ...query, abandoned: abandoned === 'true' });
    },
  });

  api.route({
    method: 'POST',
    url: '/v1/fleet/sweep',
    schema: { tags, summary: 'Sweep now', description: '`orphans`: so many may be removed although their share is unusual. What was given up is tried again.', body: SweepRequest, response: { 202: Fleet } },
    handler: async (request, reply) => {
      await fleet.sweeps.resume(request.body.orphans, operatorOf(request).userId);
      return reply.status(202).send(await fleet.sweeps.fleet());
    },
  });
}
