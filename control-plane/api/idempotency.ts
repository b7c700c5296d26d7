import { createHash, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { TradeMindError } from '@trademind/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RequestsDatabase } from '../database/requests.ts';
import { open, seal, type SealingKeys } from '../secrets/envelope.ts';
import { callerOf } from './context.ts';
import { ApiProblem } from './problems.ts';
import type { Api } from './schema.ts';

/** How long a replica may take over one request before another takes it over. */
const LOCK_SECONDS = 60;
/** How long a repeat waits for the first to end. */
const WAIT_MS = 15_000;
const LOOK_MS = 100;
const KEPT_HEADERS = ['content-type', 'etag', 'location'] as const;
/** What a repeat may see change: the answer is not kept, the request is. */
const passes = (status: number): boolean => status >= 500 || [401, 408, 425, 429].includes(status);

declare module 'fastify' {
  interface FastifyRequest {
    /** A request with an Idempotency-Key that this replica executes; `id` is that of the request, whoever attempts it. */
    attempt: { userId: string; key: string; attempt: string; id: string } | null;
  }
}

/**
 * Makes every writing route of a user safe to repeat: the first request with a key is executed, all others within a day get its answer, also while it runs and on another replica. The same key with another request is refused (422).
 * An attempt whose end nobody knows (the database did not answer in time, the replica died) may be repeated at once: the database does what an attempt asks for once, and nothing for one that was taken over.
 * Answers are kept sealed, for one may hold a new token; without a sealing key none is kept, and a repeat is told what it finds.
 */
export function idempotency(api: Api, { requests, sealing, now }: { requests: RequestsDatabase; sealing: SealingKeys | null; now: () => number }): void {
  api.decorateRequest('attempt', null);

  api.addHook('preHandler', async (request, reply) => {
    const key = request.headers['idempotency-key'];
    if (key === undefined || request.method === 'GET' || request.method === 'HEAD') return undefined;
    if (typeof key !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(key)) throw new ApiProblem(400, { code: 'request_invalid', message: 'Idempotency-Key is not 1 to 255 printable characters.', field: 'idempotency-key', nextStep: 'Send a UUID.' });
    const { userId } = callerOf(request);
    const attempt = { userId, key, attempt: randomUUID() };
    const hash = hashOf(request);
    for (const until = now() + WAIT_MS; ;) {
      const begun = await requests.begin({ ...attempt, hash, lockSeconds: LOCK_SECONDS });
      if (begun.state === 'new') {
        request.attempt = { ...attempt, id: begun.id };
        request.actor.attempt = attempt.attempt;
        return undefined;
      }
      if (begun.state === 'mismatch') throw new ApiProblem(422, { code: 'idempotency_key_reused', message: 'This Idempotency-Key belongs to another request.', field: 'idempotency-key', nextStep: 'Send a new key with a new request; the old key only with the old one.' });
      if (begun.state === 'done') return replay(reply, begun, userId, key);
      if (now() >= until) {
        void reply.header('retry-after', '2');
        throw new ApiProblem(409, { code: 'request_running', message: 'The request with this Idempotency-Key is still being executed.', nextStep: 'Repeat it in a few seconds; you will get its answer.' });
      }
      await sleep(LOOK_MS);
    }
  });

  api.addHook('onSend', async (request, reply, payload) => {
    const { attempt } = request;
    if (attempt === null) return payload;
    request.attempt = null;
    try {
      const keep = !passes(reply.statusCode) && sealing !== null && (payload === null || payload === undefined || typeof payload === 'string');
      await requests.end(attempt, keep ? {
        status: reply.statusCode, headers: Object.fromEntries(KEPT_HEADERS.flatMap((name) => { const value = reply.getHeader(name); return value === undefined ? [] : [[name, String(value)]]; })),
        answer: seal(sealing, { userId: attempt.userId, field: `answer ${attempt.key}` }, payload ?? ''),
      } : null);
    } catch (error) {
      // it was done; only a repeat is not helped. The lock ends by itself.
      request.log.warn({ err: error }, 'an answer could not be kept for repeats');
    }
    return payload;
  });

  function replay(reply: FastifyReply, kept: { status: number; headers: Record<string, string>; answer: string }, userId: string, key: string): FastifyReply {
    if (sealing === null) throw new TradeMindError({ code: 'secret_unreadable', message: 'The kept answer cannot be opened.' });
    const body = open(sealing, { userId, field: `answer ${key}` }, kept.answer);
    return reply.status(kept.status).headers({ ...kept.headers, 'idempotency-replayed': 'true' }).serializer((text: unknown) => String(text)).send(body);
  }
}

/** What makes a request this one and no other: who sends it is part of the key already. */
const hashOf = (request: FastifyRequest): string =>
  createHash('sha256').update(JSON.stringify([request.method, request.url, request.headers['if-match'] ?? null, request.body ?? null])).digest('hex');
