import { randomUUID } from 'node:crypto';
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import type { CallPermit } from '../database/machine.ts';
import { costOfAnswer, planCall, type PlannedCall } from '../money/gemini-call.ts';
import { callingMachine } from './machine-auth.ts';
import type { ApiContext } from './context.ts';
import { ApiProblem, problem } from './problems.ts';
import type { Api } from './schema.ts';

const TIMEOUT_MS = 90_000;
const BODY_LIMIT = 1_024 * 1_024;
/** Google's names for HTTP statuses. */
const STATUS: Readonly<Record<number, string>> = { 400: 'INVALID_ARGUMENT', 403: 'PERMISSION_DENIED', 404: 'NOT_FOUND', 429: 'RESOURCE_EXHAUSTED', 502: 'UNAVAILABLE', 503: 'UNAVAILABLE', 504: 'DEADLINE_EXCEEDED' };

/**
 * generateContent with the platform's key, for machines whose user has none: Google's own protocol, so that Google's SDK needs another `baseUrl` and nothing else. Errors are Google's form with a problem's fields beside it.
 * Each call is granted by the database, which counts all of them; the key never leaves this process.
 */
export function machineGeminiRoutes(api: Api, { machines, signer, gemini, fetch: call, now }: ApiContext): void {
  api.route({
    method: 'POST',
    url: '/v1/machine/gemini/*',
    bodyLimit: BODY_LIMIT,
    handlerTimeout: TIMEOUT_MS + 10_000,
    schema: {
      tags: ['machine'], security: [{ machine: [] }], summary: 'generateContent with the platform\'s key',
      description: 'Path and body as at Google: `v1beta/models/{model}:generateContent`. `x-goog-api-key` or `Authorization: Bearer` carries the machine\'s secret. Limited by plan, share, day and budget (429).',
      params: z.object({ '*': z.string().max(200) }), body: z.looseObject({}), response: { 200: z.unknown() },
    },
    handler: async (request, reply) => {
      const { machine_id: machineId, user_id: userId } = await callingMachine(request, machines, signer);
      if (gemini === null) throw new ApiProblem(503, { code: 'gemini_not_configured', message: 'This control plane has no key for Gemini.', nextStep: 'Store a key of your own, or ask the operator to set GEMINI_API_KEY.' });
      const plan = planCall(request.params['*'], request.body, new Date(now()).toISOString().slice(0, 10));
      if (!plan.ok) return fail(reply, plan.status, plan.status === 404 ? 'model_not_offered' : 'gemini_request_invalid', plan.message, request.id);
      const id = randomUUID();
      const permit = await machines.beginCall({ id, machineId, userId, model: plan.model, nanoUsd: plan.mostNanoUsd, perMinute: gemini.callsPerMinute });
      if (!permit.granted) return fail(reply, permit.per === 'never' ? 403 : 429, permit.code, permit.message, request.id, permit);

      // a call that its machine has given up is given up here
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      let asked: Asked;
      try {
        asked = await ask(plan, AbortSignal.any([gone.signal, AbortSignal.timeout(TIMEOUT_MS)]));
      } catch (error) {
        const slow = (error as Error).name === 'TimeoutError';
        asked = { status: slow ? 504 : 502, code: slow ? 'gemini_timeout' : 'gemini_unreachable', message: slow ? 'Gemini did not answer in time.' : 'Gemini cannot be reached.', used: 'unknown' };
      }
      const used = asked.used === 'unknown' ? { tokensIn: null, tokensOut: null, nanoUsd: null } : asked.used;
      // before the answer leaves, so that what comes next is judged by it; what cannot be stored stays counted with the most it can have cost
      await machines.endCall(id, { status: asked.status, ...used }).catch((error: unknown) => request.log.warn({ err: error }, 'the end of a call was not stored'));
      if (asked.code === 'gemini_key_refused') request.log.error('Gemini refuses the platform\'s key');
      return asked.code === undefined ? raw(reply, asked.status, asked.value) : fail(reply, asked.status, asked.code, asked.message, request.id);
    },
  });

  async function ask({ model, body, price }: Extract<PlannedCall, { ok: true }>, signal: AbortSignal): Promise<Asked> {
    if (gemini === null) throw new Error('no key');
    const answer = await call(`${gemini.url}/v1beta/models/${model}:generateContent`, {
      method: 'POST', redirect: 'error', signal, headers: { 'content-type': 'application/json', 'x-goog-api-key': gemini.apiKey }, body,
    });
    const value = parsed(await answer.text());
    if (answer.ok) return { status: 200, value, used: costOfAnswer(value, price) ?? 'unknown' };
    const ours = answer.status === 401 || answer.status === 403 || JSON.stringify(value).includes('API_KEY_INVALID');
    return ours ? { status: 503, code: 'gemini_key_refused', message: 'Gemini does not accept the platform\'s key.', used: NOTHING } : { status: answer.status, value, used: NOTHING };
  }
}

const NOTHING = { tokensIn: 0, tokensOut: 0, nanoUsd: 0 };
/** What came of a call: Google's answer, or our words where there is none to pass on. */
type Asked = { status: number; used: typeof NOTHING | 'unknown' } & ({ code?: undefined; value: unknown } | { code: string; message: string });

/** An answer as Google gives it: no schema of ours cuts it. */
const raw = (reply: FastifyReply, status: number, value: unknown): FastifyReply =>
  reply.status(status).type('application/json; charset=utf-8').serializer((any: unknown) => JSON.stringify(any)).send(value);

function fail(reply: FastifyReply, status: number, code: string, message: string, requestId: string, permit?: Extract<CallPermit, { granted: false }>): FastifyReply {
  const seconds = permit?.retry_after_s;
  const details = permit === undefined || permit.per === 'never' ? [] : [
    { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaMetric: 'trademind/analyses', quotaId: permit.per === 'day' ? 'AnalysesPerDayPerUser' : 'AnalysesPerMinutePerUser' }] },
    ...(seconds === undefined ? [] : [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${seconds}s` }]),
  ];
  if (seconds !== undefined) void reply.header('retry-after', String(seconds));
  return raw(reply, status, { ...problem(status, code, message, requestId), error: { code: status, message, status: STATUS[status] ?? 'UNKNOWN', details } });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return { error: { code: 502, message: 'The answer was not JSON.', status: 'UNAVAILABLE' } };
  }
}
