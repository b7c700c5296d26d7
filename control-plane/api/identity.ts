import { MachineTokenAnswer } from '@trademind/core';
import type { ApiContext } from './context.ts';
import { callingMachine } from './machine-auth.ts';
import type { Api } from './schema.ts';

/** Machines show the secret they were born with and get a token for the database: no service key stands on a machine. */
export function machineTokenRoutes(api: Api, context: ApiContext): void {
  api.route({
    method: 'POST',
    url: '/v1/machine/token',
    schema: { tags: ['machine'], security: [{ machine: [] }], summary: 'A machine\'s secret for a database token', description: '`Authorization: Bearer <MACHINE_SECRET>`. The token lives an hour; renew it at half of that.', response: { 200: MachineTokenAnswer } },
    handler: async (request) => {
      const owner = await callingMachine(request, { ...context.machines, byToken: () => Promise.resolve(null) }, context.signer);
      const { token, expiresAt } = await context.signer.machineToken({ machineId: owner.machine_id, userId: owner.user_id, epoch: owner.token_epoch });
      return { token, expiresAt: expiresAt.toISOString(), machineId: owner.machine_id, userId: owner.user_id, supabaseUrl: context.machineSupabaseUrl };
    },
  });
}
