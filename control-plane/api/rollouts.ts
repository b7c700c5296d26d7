import { RolloutAbort, RolloutExclusion, RolloutOrder, RolloutPage, RolloutReport, RolloutRequest, type RolloutSettings } from '@trademind/core';
import { z } from 'zod';
import type { ApiContext } from './context.ts';
import { operatorOf } from './operators.ts';
import { IdParams, PageQuery } from './parts.ts';
import { ApiProblem } from './problems.ts';
import type { Api } from './schema.ts';

const tags = ['operators'];
/** Room for 10,000 users and as many machines. */
const EXCLUDED_BYTES = 1_024 * 1_024;
const ListQuery = PageQuery.extend({ limit: z.coerce.number().int().min(1).max(50).default(20) });

/** Brings a release to the machines, wave by wave; what was planned and why it halted is in the report. */
export function rolloutRoutes(api: Api, context: Pick<ApiContext, 'fleet'>): void {
  const { rollouts } = context.fleet;

  async function report(id: string): Promise<RolloutReport> {
    const found = await rollouts.report(id);
    if (found === null) throw new ApiProblem(404, { code: 'rollout_not_found', message: 'There is no rollout of this id.', nextStep: 'List them with GET /v1/rollouts.' });
    return found;
  }

  api.route({
    method: 'POST',
    url: '/v1/rollouts',
    bodyLimit: EXCLUDED_BYTES,
    schema: { tags, summary: 'Roll out a release', description: 'Canary, then waves with a pause; it halts and goes back by itself when the release does worse than the version before.', body: RolloutRequest, response: { 202: RolloutReport } },
    handler: async (request, reply) => {
      const operator = operatorOf(request);
      refuseWaves(request.body.settings);
      const id = await rollouts.start(request.body, operator.userId);
      return reply.status(202).header('location', `/v1/rollouts/${id}`).send(await report(id));
    },
  });

  api.route({
    method: 'GET',
    url: '/v1/rollouts',
    schema: { tags, summary: 'Rollouts, the newest first', querystring: ListQuery, response: { 200: RolloutPage } },
    handler: async (request) => {
      operatorOf(request);
      return rollouts.list(request.query);
    },
  });

  api.route({
    method: 'GET',
    url: '/v1/rollouts/:id',
    schema: { tags, summary: 'The report of a rollout', params: IdParams, response: { 200: RolloutReport } },
    handler: async (request) => {
      operatorOf(request);
      return report(request.params.id);
    },
  });

  for (const verb of ['pause', 'resume'] as const) {
    api.route({
      method: 'POST',
      url: `/v1/rollouts/:id/${verb}`,
      schema: { tags, summary: verb === 'pause' ? 'Take no further machine; the gates go on watching' : 'Go on', params: IdParams, body: RolloutOrder, response: { 202: RolloutReport } },
      handler: async (request, reply) => {
        await rollouts.control(request.params.id, verb, request.body.reason, operatorOf(request).userId);
        return reply.status(202).send(await report(request.params.id));
      },
    });
  }

  api.route({
    method: 'POST',
    url: '/v1/rollouts/:id/abort',
    schema: { tags, summary: 'Go back to the version before', description: '`rollBack: false` ends it where it stands.', params: IdParams, body: RolloutAbort, response: { 202: RolloutReport } },
    handler: async (request, reply) => {
      await rollouts.control(request.params.id, request.body.rollBack ? 'abort' : 'leave', request.body.reason, operatorOf(request).userId);
      return reply.status(202).send(await report(request.params.id));
    },
  });

  api.route({
    method: 'POST',
    url: '/v1/rollouts/:id/exclude',
    bodyLimit: EXCLUDED_BYTES,
    schema: { tags, summary: 'Leave users or machines out from now on', params: IdParams, body: RolloutExclusion, response: { 202: RolloutReport } },
    handler: async (request, reply) => {
      await rollouts.exclude(request.params.id, request.body.users ?? [], request.body.machines ?? [], operatorOf(request).userId);
      return reply.status(202).send(await report(request.params.id));
    },
  });
}

/** Shares may not fall, and the last wave is all: else a rollout would end with machines on two versions and say that it succeeded. */
function refuseWaves({ waves }: RolloutSettings): void {
  const shares = waves.flatMap((wave) => ('share' in wave ? [wave.share] : []));
  if (shares.at(-1) !== 1 || !('share' in (waves.at(-1) ?? {}))) {
    throw new ApiProblem(422, { code: 'waves_incomplete', message: 'The last wave does not reach every machine.', field: 'settings.waves', nextStep: 'End with {"share": 1}; leave machines out with "exclude".' });
  }
  if (shares.some((share, at) => at > 0 && share <= (shares[at - 1] ?? 0))) {
    throw new ApiProblem(422, { code: 'waves_unordered', message: 'Each wave counts the machines of those before it, so shares must grow.', field: 'settings.waves', nextStep: 'Order the shares from small to large.' });
  }
}
