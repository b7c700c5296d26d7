import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiProblem } from './problems.ts';
import type { Api } from './schema.ts';

export const MINUTE_MS = 60_000;

export const tooFast = (ttlMs: number) => new ApiProblem(429, { code: 'too_many_requests', message: 'Too many requests in a minute.', nextStep: `Repeat it in ${Math.max(1, Math.ceil(ttlMs / 1_000))} seconds.` });

/** Counts a user's requests, from wherever they come; throws 429 beyond `max` in a minute. The plugin's own hook counts a request once: each of these is a count of its own. */
export function limitPerUser(api: Pick<Api, 'createRateLimit'>, max: number): (request: FastifyRequest, reply: FastifyReply) => Promise<void> {
  const count = api.createRateLimit({ max, timeWindow: MINUTE_MS, keyGenerator: (request) => `user ${request.caller?.userId ?? ''}` });
  return async (request, reply) => {
    const counted = await count(request);
    if (counted.isAllowed || !counted.isExceeded) return;
    void reply.header('retry-after', String(counted.ttlInSeconds));
    throw tooFast(counted.ttl);
  };
}
