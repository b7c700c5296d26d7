import { Trader, TraderPage, TraderWrite } from '@trademind/core';
import { z } from 'zod';
import { callerOf, type ApiContext } from './context.ts';
import { IdParams, PageQuery } from './parts.ts';
import { traderNotFound } from './problems.ts';
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
    schema: { tags, summary: 'Add a trader', description: 'A second trader of the same name is refused (409).', body: TraderWrite, response: { 201: Trader } },
    handler: async (request, reply) => {
      const { document, enabled } = request.body;
      const row = await database(request).addTrader({ ...(request.attempt === null ? {} : { id: request.attempt.id }), name: document.name, enabled: enabled ?? true, document });
      void reply.header('location', `/v1/traders/${row.id}`);
      return reply.status(201).send(traderView(row));
    },
  });

  api.route({
    method: 'GET',
    url: '/v1/traders/:id',
    schema: { tags, summary: 'One trader', params: IdParams, response: { 200: Trader } },
    handler: async (request) => {
      const row = await database(request).trader(request.params.id);
      if (row === null) throw traderNotFound();
      return traderView(row);
    },
  });

  api.route({
    method: 'PUT',
    url: '/v1/traders/:id',
    schema: { tags, summary: 'Change a trader', description: 'A changed document is a new version.', params: IdParams, body: TraderWrite, response: { 200: Trader } },
    handler: async (request) => {
      const { document, enabled } = request.body;
      const row = await database(request).changeTrader(request.params.id, { name: document.name, document, ...(enabled === undefined ? {} : { enabled }) });
      if (row === null) throw traderNotFound();
      return traderView(row);
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
