import { Release, ReleasePage, ReleaseRequest, ReleaseWithdrawal, TradeMindError } from '@trademind/core';
import { partsOf } from '../rollouts/registry.ts';
import type { ApiContext } from './context.ts';
import { operatorOf } from './operators.ts';
import { IdParams, PageQuery } from './parts.ts';
import { ApiProblem } from './problems.ts';
import type { Api } from './schema.ts';

const tags = ['operators'];

/** What machines may run: registered by operators, by digest, after the registry has shown it. */
export function releaseRoutes(api: Api, { fleet }: Pick<ApiContext, 'fleet'>): void {
  api.route({
    method: 'GET',
    url: '/v1/releases',
    schema: { tags, summary: 'Releases, the newest first', querystring: PageQuery, response: { 200: ReleasePage } },
    handler: async (request) => {
      operatorOf(request);
      return fleet.rollouts.releases(request.query);
    },
  });

  api.route({
    method: 'POST',
    url: '/v1/releases',
    schema: { tags, summary: 'Register a release', description: 'The image is named by its digest and must be in its registry. The same again answers the same.', body: ReleaseRequest, response: { 201: Release } },
    handler: async (request, reply) => {
      const operator = operatorOf(request);
      await mustExist(request.body.image);
      return reply.status(201).send(await fleet.rollouts.register(request.body, operator.userId));
    },
  });

  api.route({
    method: 'DELETE',
    url: '/v1/releases/:id',
    schema: { tags, summary: 'Withdraw a release', description: 'Nobody can roll it out any more. Refused while it is in use.', params: IdParams, body: ReleaseWithdrawal, response: { 200: ReleasePage } },
    handler: async (request) => {
      operatorOf(request);
      await fleet.rollouts.withdraw(request.params.id, request.body.reason);
      const release = await fleet.rollouts.release(request.params.id);
      return { items: release === null ? [] : [release], next: null };
    },
  });

  /** An image that is not there would leave machines stuck one by one: it is looked for before anybody depends on it. */
  async function mustExist(image: string): Promise<void> {
    const { host } = partsOf(image);
    if (!fleet.registries.includes(host)) {
      throw new ApiProblem(422, { code: 'registry_refused', message: `Images of ${host} are not taken here.`, field: 'image', nextStep: `Push it to one of ${fleet.registries.join(', ')}.` });
    }
    let there: boolean;
    try {
      there = await fleet.registry.has(image);
    } catch (error) {
      if (!(error instanceof TradeMindError)) throw error;
      throw new ApiProblem(503, { code: error.code, message: error.message, nextStep: error.nextStep, cause: error });
    }
    if (!there) throw new ApiProblem(422, { code: 'image_not_found', message: 'The registry has no image of this digest.', field: 'image', nextStep: 'Push the image first, then register it by the digest that the push printed.' });
  }
}
