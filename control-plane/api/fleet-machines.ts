import { AdoptRequest, MachineEnvironment, MachineEnvironmentWrite, MachineSize, MachineView } from '@trademind/core';
import { FlyError, type Machine } from '@trademind/fly';
import type { MachineRow } from '../database/rows.ts';
import { RESERVED_ENV } from '../reconciler/wish.ts';
import { callerOf, type ApiContext } from './context.ts';
import { refuseRegion, refuseSize } from './machines.ts';
import { operatorOf } from './operators.ts';
import { etagOf, IdParams, MatchHeaders, matchOf } from './parts.ts';
import { ApiProblem, machineNotFound } from './problems.ts';
import type { Api } from './schema.ts';
import { machineView } from './views.ts';

const tags = ['operators'];

/** What operators do to one machine: take over what was made by hand, and give it an environment of its own. */
export function fleetMachineRoutes(api: Api, context: ApiContext): void {
  api.route({
    method: 'POST',
    url: '/v1/fleet/adopt',
    schema: {
      tags, summary: 'Take over a machine that stands at Fly', body: AdoptRequest, response: { 202: MachineView },
      description: 'Made by hand, or by an older system: from now on it is the user\'s, in its app, and is brought to the wish (a volume, the release, a secret of its own). Without `region` and `size`: as Fly shows it. The same again, while that machine stands, answers the same.',
    },
    handler: async (request, reply) => {
      operatorOf(request);
      const { user, environment, app, machine: id } = request.body;
      const there = await machineAt(app, id);
      const region = request.body.region ?? there.region;
      const size = request.body.size ?? sizeOf(there);
      refuseRegion(region, context.allowUsRegions);
      refuseSize(size);
      const row = await context.control.adopt({ userId: user, environment: environment ?? context.environment, region, ...size, image: context.machineImage, app, flyMachineId: id });
      context.wake();
      void reply.headers({ location: `/v1/machines/${row.id}`, etag: etagOf(row.generation) });
      return reply.status(202).send(machineView(row, context.prices()));
    },
  });

  api.route({
    method: 'GET',
    url: '/v1/fleet/machines/:id/env',
    schema: { tags, summary: 'A machine\'s own environment', description: 'What it is given beside what all machines are.', params: IdParams, response: { 200: MachineEnvironment }, sends: ['etag'] },
    handler: async (request, reply) => {
      const row = await machineOf(request, request.params.id);
      void reply.header('etag', etagOf(row.generation));
      return environmentView(row);
    },
  });

  api.route({
    method: 'PUT',
    url: '/v1/fleet/machines/:id/env',
    schema: {
      tags, summary: 'Give a machine an environment of its own', params: IdParams, headers: MatchHeaders, body: MachineEnvironmentWrite, response: { 202: MachineEnvironment }, sends: ['etag'],
      description: 'The whole of it: what is left out is taken away. The machine restarts with it after a drain. No secrets: its user may read it. `If-Match` may name the generation it was read at.',
    },
    handler: async (request, reply) => {
      const { env } = request.body;
      const reserved = Object.keys(env).filter((name) => RESERVED_ENV.includes(name));
      if (reserved.length > 0) throw new ApiProblem(422, { code: 'env_reserved', message: `The control plane itself sets ${reserved.join(', ')}.`, field: `env.${reserved[0]}`, nextStep: 'Leave it out.' });
      const before = await machineOf(request, request.params.id);
      const row = await context.control.setDesired(before.id, before.user_id, { desired_env: env }, matchOf(request.headers['if-match']));
      context.wake();
      void reply.header('etag', etagOf(row.generation));
      return reply.status(202).send(environmentView(row));
    },
  });

  /** Anybody's machine: an operator's token shows all. */
  async function machineOf(request: Parameters<typeof operatorOf>[0], id: string): Promise<MachineRow> {
    operatorOf(request);
    const row = await context.userDatabase(callerOf(request).token).machine(id);
    if (row === null) throw machineNotFound();
    return row;
  }

  async function machineAt(app: string, id: string): Promise<Machine> {
    try {
      const machine = await context.fleet.fly.machines.get(app, id);
      if (machine.state !== 'destroyed') return machine;
    } catch (error) {
      if (!(error instanceof FlyError)) throw error;
      if (!['fly_not_found', 'fly_forbidden', 'fly_invalid'].includes(error.code)) throw new ApiProblem(503, { code: error.code, message: error.message, nextStep: error.nextStep, cause: error });
    }
    throw new ApiProblem(422, { code: 'fly_machine_not_found', message: `Our organisation at Fly has no machine ${id} in an app ${app}.`, field: 'machine', nextStep: 'Look for it with "fly machines list", and whether the app was moved to the organisation of machines.' });
  }
}

/** The size that Fly shows; one that is not known to us has to be said. */
function sizeOf(machine: Machine): MachineSize {
  const guest = machine.config?.guest;
  const size = MachineSize.safeParse({ cpuKind: guest?.cpu_kind, cpus: guest?.cpus, memoryMb: guest?.memory_mb });
  if (!size.success) throw new ApiProblem(422, { code: 'size_invalid', message: 'Fly shows a size for this machine that is not known here.', field: 'size', nextStep: 'Say the size that it shall have.' });
  return size.data;
}

const environmentView = (row: MachineRow): MachineEnvironment => ({ machineId: row.id, generation: row.generation, env: row.desired_env });
