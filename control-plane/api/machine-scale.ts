import { SCALE_COOLDOWN_MS, ScaleAnswer, ScaleRequest, ScaleTerms } from '@trademind/core';
import { DatabaseError } from '../database/errors.ts';
import { judgeScale, termsOf } from '../money/judge-scale.ts';
import { callingMachine } from './machine-auth.ts';
import type { ApiContext } from './context.ts';
import { machineNotFound } from './problems.ts';
import type { Api } from './schema.ts';

const tags = ['machine'];

/** A machine asks what size it may have, and for another one. */
export function machineScaleRoutes(api: Api, { machines, signer, wake }: ApiContext): void {
  api.route({
    method: 'GET',
    url: '/v1/machine/scale',
    schema: { tags, security: [{ machine: [] }], summary: 'What size a machine may have', response: { 200: ScaleTerms } },
    handler: async (request) => {
      const { machine_id: id } = await callingMachine(request, machines, signer);
      const facts = await machines.scaleFacts(id);
      if (facts === null) throw machineNotFound();
      return termsOf(facts);
    },
  });

  api.route({
    method: 'POST',
    url: '/v1/machine/scale',
    schema: {
      tags, security: [{ machine: [] }], summary: 'Another size for a machine',
      description: 'Judged by bounds, budget, cool-down and plan. Always answered with a decision and its reason; an accepted request is a wish from now on.', body: ScaleRequest, response: { 200: ScaleAnswer },
    },
    handler: async (request): Promise<ScaleAnswer> => {
      const { machine_id: id } = await callingMachine(request, machines, signer);
      const facts = await machines.scaleFacts(id);
      if (facts === null) throw machineNotFound();
      const { from, to, sentence, reasons, evidence } = request.body;
      const data = { from, to, sentence, reasons, evidence };
      let answer = judgeScale(request.body, facts);
      if (answer.decision === 'accepted') answer = await grant(id, facts.generation, answer, { ...data, decision: 'accepted' });
      if (answer.decision === 'accepted') wake();
      else await machines.noteScaleRefusal(id, { kind: `scale.${answer.decision}`, code: answer.code, message: `The machine asked for another size. ${answer.message}`, data });
      return answer;

      async function grant(machineId: string, generation: number, accepted: ScaleAnswer, told: Record<string, unknown>): Promise<ScaleAnswer> {
        try {
          const { done, code = 'refused', message = 'It could not be done.' } = await machines.scale(machineId, { generation, size: to, cooldownS: SCALE_COOLDOWN_MS / 1_000, message: `${sentence.slice(0, 1_000)} ${accepted.message}`, data: told });
          return done ? accepted : { decision: 'deferred', code, message, retryAfterS: SCALE_COOLDOWN_MS / 1_000 };
        } catch (error) {
          // what plan and budget refuse, for the whole of what the user has
          if (error instanceof DatabaseError && error.status === 403) return { decision: 'refused', code: error.code, message: error.message };
          throw error;
        }
      }
    },
  });
}
