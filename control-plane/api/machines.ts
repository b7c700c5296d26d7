import {
  DEFAULT_REGION, DEFAULT_SIZE, DeployRequest, FEED_SCOPES, MachinePage, MachinePatch, MachineView, REGIONS, TicketAnswer, TicketRequest, US_REGIONS,
  sizeProblem, type MachineSize,
} from '@trademind/core';
import type { FastifyReply } from 'fastify';
import type { DesiredPatch, MachineRow } from '../database/rows.ts';
import { callerOf, type ApiContext } from './context.ts';
import { IdParams, MatchHeaders, PageQuery, etagOf, matchOf } from './parts.ts';
import { ApiProblem, machineNotFound } from './problems.ts';
import type { Api } from './schema.ts';
import { feedUrl, machineView } from './views.ts';

const tags = ['machines'];

/** A user's wishes: deploy, change, destroy; and the ticket to a machine's own feed. */
export function machineRoutes(api: Api, context: ApiContext): void {
  async function own(request: { caller: Parameters<typeof callerOf>[0]['caller'] }, id: string): Promise<MachineRow> {
    const row = await context.userDatabase(callerOf(request).token).machine(id);
    if (row === null) throw machineNotFound();
    return row;
  }

  api.route({
    method: 'POST',
    url: '/v1/machines',
    schema: { tags, summary: 'Deploy: wish for your machine', description: 'Idempotent: asking again answers (200) with the machine that is there.', body: DeployRequest, response: { 200: MachineView, 202: MachineView }, sends: ['etag', 'location'] },
    handler: async (request, reply) => {
      const { body } = request;
      const region = body.region ?? DEFAULT_REGION;
      const size = body.size ?? DEFAULT_SIZE;
      refuseRegion(region, context.allowUsRegions);
      refuseSize(size);
      const { machine, created } = await context.control.deploy({
        userId: callerOf(request).userId, environment: body.environment ?? context.environment, region, ...size, image: context.machineImage,
      });
      context.wake();
      void reply.header('location', `/v1/machines/${machine.id}`);
      return reply.status(created ? 202 : 200).send(send(reply, machine));
    },
  });

  api.route({
    method: 'GET',
    url: '/v1/machines',
    schema: { tags, summary: 'Your machines', description: 'Destroyed ones are left out.', querystring: PageQuery, response: { 200: MachinePage } },
    handler: async (request) => {
      const page = await context.userDatabase(callerOf(request).token).machines(request.query);
      return { items: page.items.map((row) => machineView(row, context.prices())), next: page.next };
    },
  });

  api.route({
    method: 'GET',
    url: '/v1/machines/:id',
    schema: { tags, summary: 'One machine', params: IdParams, response: { 200: MachineView }, sends: ['etag'] },
    handler: async (request, reply) => send(reply, await own(request, request.params.id)),
  });

  api.route({
    method: 'PATCH',
    url: '/v1/machines/:id',
    schema: { tags, summary: 'Start, stop, resize, move, and where else it may go', description: '`If-Match` may name the generation it was read at: 412 when it has changed since.', params: IdParams, headers: MatchHeaders, body: MachinePatch, response: { 202: MachineView }, sends: ['etag'] },
    handler: async (request, reply) => {
      const { desired, size, region, otherRegions, otherSizes } = request.body;
      if (region !== undefined) refuseRegion(region, context.allowUsRegions);
      if (size !== undefined) refuseSize(size);
      otherRegions?.forEach((one, at) => refuseRegion(one, context.allowUsRegions, `otherRegions.${at}`));
      otherSizes?.forEach((one, at) => refuseSize(one, `otherSizes.${at}`));
      const row = await change(request.params.id, callerOf(request).userId, {
        ...(desired === undefined ? {} : { desired_state: desired }),
        ...(region === undefined ? {} : { desired_region: region }),
        ...(size === undefined ? {} : { desired_cpu_kind: size.cpuKind, desired_cpus: size.cpus, desired_memory_mb: size.memoryMb }),
        ...(otherRegions === undefined ? {} : { desired_regions: otherRegions }),
        ...(otherSizes === undefined ? {} : { desired_sizes: otherSizes }),
      }, request.headers['if-match']);
      return reply.status(202).send(send(reply, row));
    },
  });

  api.route({
    method: 'DELETE',
    url: '/v1/machines/:id',
    schema: { tags, summary: 'Destroy', description: 'The machine stops, then machine, volume and app go; it is `destroyed` when Fly shows none of them.', params: IdParams, headers: MatchHeaders, response: { 202: MachineView }, sends: ['etag'] },
    handler: async (request, reply) => {
      const row = await change(request.params.id, callerOf(request).userId, { desired_state: 'destroyed' }, request.headers['if-match']);
      return reply.status(202).send(send(reply, row));
    },
  });

  for (const [path, what, summary] of [['restart', 'restart', 'Restart'], ['rotate-secret', 'secret', 'Give the machine a new secret']] as const) {
    api.route({
      method: 'POST',
      url: `/v1/machines/:id/${path}`,
      schema: { tags, summary, description: 'After a drain, just after a candle close. It is told as events. `If-Match` may name the generation it was read at.', params: IdParams, headers: MatchHeaders, response: { 202: MachineView }, sends: ['etag'] },
      handler: async (request, reply) => {
        const row = await context.control.wishAgain(request.params.id, callerOf(request).userId, what, matchOf(request.headers['if-match']));
        context.wake();
        return reply.status(202).send(send(reply, row));
      },
    });
  }

  api.route({
    method: 'POST',
    url: '/v1/machines/:id/ticket',
    schema: { tags, summary: 'A ticket to the machine\'s feed', description: 'Lives 60 seconds, opens one session, is good for this machine only.', params: IdParams, body: TicketRequest, response: { 200: TicketAnswer } },
    handler: async (request) => {
      const row = await own(request, request.params.id);
      // an operator sees that a machine runs, and not what its user looks for
      if (row.user_id !== callerOf(request).userId) throw machineNotFound();
      if (row.url === null || row.desired_state === 'destroyed') {
        throw new ApiProblem(409, { code: 'machine_not_reachable', message: `The machine is ${row.phase} and has no address.`, nextStep: 'Wait until it is started (watch its events), then ask again.' });
      }
      const ticket = await context.signer.ticket({ machineId: row.id, userId: callerOf(request).userId, scopes: request.body.scopes ?? FEED_SCOPES });
      return { ticket: ticket.token, expiresAt: ticket.expiresAt.toISOString(), machineId: row.id, url: row.url, feed: feedUrl(row.url) };
    },
  });

  /** The machine, with its generation as the ETag. */
  function send(reply: FastifyReply, row: MachineRow): MachineView {
    void reply.header('etag', etagOf(row.generation));
    return machineView(row, context.prices());
  }

  async function change(machineId: string, userId: string, patch: DesiredPatch, ifMatch: string | undefined): Promise<MachineRow> {
    const row = await context.control.setDesired(machineId, userId, patch, matchOf(ifMatch));
    context.wake();
    return row;
  }
}

/** Throws 422 for a size that Fly does not have. */
export function refuseSize(size: MachineSize, field = 'size'): void {
  const why = sizeProblem(size);
  if (why !== null) throw new ApiProblem(422, { code: 'size_invalid', message: `Fly has no such size: ${why}.`, field, nextStep: 'Choose a size that Fly has.' });
}

/** Throws 422 for a region that is not known, or where a machine would see no market. */
export function refuseRegion(region: string, allowUs: boolean, field = 'region'): void {
  if (!REGIONS.includes(region)) throw new ApiProblem(422, { code: 'region_unknown', message: `"${region}" is not a region we know.`, field, nextStep: `Choose one of ${REGIONS.filter((one) => allowUs || !US_REGIONS.includes(one)).join(', ')}.` });
  if (!allowUs && US_REGIONS.includes(region)) {
    throw new ApiProblem(422, {
      code: 'region_refused', message: `A machine in ${region} would see no market: Binance answers HTTP 451 to addresses in the United States.`, field,
      nextStep: `Choose one of ${REGIONS.filter((one) => !US_REGIONS.includes(one)).join(', ')}.`,
    });
  }
}
