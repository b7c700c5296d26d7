import { Trader, TraderPage, TraderWrite } from '@trademind/core';
import { z } from 'zod';
import { callerOf, type ApiContext } from './context.ts';
import type { FastifyReply } from 'fastify';
import type { TraderRow } from '../database/rows.ts';
import { IdParams, MatchHeaders, PageQuery, etagOf, matchOf } from './parts.ts';
import { ApiProblem, traderNotFound } from './problems.ts';
import type { Api } from './schema.ts';
import { traderView } from './views.ts';

const tags = ['traders'];

/** A user's strategies. Read and written with the user's own token: row-level security decides. Machines follow within a beat. */
export function traderRoutes(api: Api, context: ApiContext): void {
  const database = (request: Parameters<typeof callerOf>[0]) => context.userDatabase(callerOf(request).token);

  api.route({
    method: 'GET',
    url: '/v1/traders',
    schema: { tags, summary: 'Your traders', querystring: PageQuery, response: { 200: TraderPage } },
    handler: async (request) => {
      const page = await database(request).traders(request.query);
      return { items: page.items.map(traderView), next: page.next };
    },
  });

  api.route({
    method: 'POST',
    url: '/v1/traders',
    schema: { tags, summary: 'Add a trader', description: 'A second trader of the same name is refused (409).', body: TraderWrite, response: { 201: Trader }, sends: ['etag', 'location'] },
    handler: async (request, reply) => {
      const { document, enabled } = request.body;
      const row = await database(request).addTrader({ ...(request.attempt === null ? {} : { id: request.attempt.id }), name: document.name, enabled: enabled ?? true, document });
      void reply.header('location', `/v1/traders/${row.id}`);
      return reply.status(201).send(send(reply, row));
    },
  });

  api.route({
    method: 'GET',
    url: '/v1/traders/:id',
    schema: { tags, summary: 'One trader', params: IdParams, response: { 200: Trader }, sends: ['etag'] },
    handler: async (request, reply) => {
      const row = await database(request).trader(request.params.id);
      if (row === null) throw traderNotFound();
      return send(reply, row);
    },
  });

  api.route({
    method: 'PUT',
    url: '/v1/traders/:id',
    schema: { tags, summary: 'Change a trader', description: 'A changed document is a new version. `If-Match` may name the version it was read at: 412 when it has changed since.', params: IdParams, headers: MatchHeaders, body: TraderWrite, response: { 200: Trader }, sends: ['etag'] },
    handler: async (request, reply) => {
      const { document, enabled } = request.body;
      const version = matchOf(request.headers['if-match']);
      const row = await database(request).changeTrader(request.params.id, { name: document.name, document, ...(enabled === undefined ? {} : { enabled }) }, version);
      if (row !== null) return send(reply, row);
      const kept = version === undefined ? null : await database(request).trader(request.params.id);
      if (kept === null) throw traderNotFound();
      throw new ApiProblem(412, { code: 'version_changed', message: `The trader is at version ${kept.version} now.`, field: 'if-match', nextStep: 'Read it again, then change that version.' });
    },
  });

  api.route({
    method: 'DELETE',
    url: '/v1/traders/:id',
    schema: { tags, summary: 'Remove a trader', description: 'Its signals stay.', params: IdParams, response: { 204: z.null() } },
    handler: async (request, reply) => {
      if (!(await database(request).removeTrader(request.params.id, new Date(context.now())))) throw traderNotFound();
      return reply.status(204).send(null);
    },
  });
}

/** The trader, with its version as the ETag. */
function send(reply: FastifyReply, row: TraderRow): Trader {
  void reply.header('etag', etagOf(row.version));
  return traderView(row);
}
