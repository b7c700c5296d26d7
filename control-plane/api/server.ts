import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { PROBLEM_MEDIA_TYPE } from '@trademind/core';
import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import fastify, { LogController, type FastifyBaseLogger, type FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Metrics } from '../metrics.ts';
import { actFor } from '../actor.ts';
import { auditRoutes } from './audit.ts';
import { callerOf, type ApiContext } from './context.ts';
import { eventRoutes } from './events.ts';
import { costRoutes } from './cost.ts';
import { idempotency } from './idempotency.ts';
import { limitPerUser, MINUTE_MS, tooFast } from './limits.ts';
import { logRoutes } from './logs.ts';
import { machineTokenRoutes } from './identity.ts';
import { machineGeminiRoutes } from './machine-gemini.ts';
import { machineKeyRoutes } from './machine-keys.ts';
import { machineScaleRoutes } from './machine-scale.ts';
import { machineRoutes } from './machines.ts';
import { meRoutes } from './me.ts';
import { metricRoutes } from './metrics.ts';
import { planRoutes } from './plans.ts';
import { MatchHeaders } from './parts.ts';
import { ApiProblem, problem, problemOf, sendProblem } from './problems.ts';
import { openApiTransform, zodSerializer, zodValidator, type Api, type ZodProvider } from './schema.ts';
import { fleetRoutes } from './fleet.ts';
import { fleetMachineRoutes } from './fleet-machines.ts';
import { releaseRoutes } from './releases.ts';
import { rolloutRoutes } from './rollouts.ts';
import { refuseCaller } from './scopes.ts';
import { tokenRoutes } from './tokens.ts';
import { traderRoutes } from './traders.ts';

export interface Readiness { ready: boolean; checks: Record<string, { ok: boolean; detail: string }> }

export interface ServerOptions {
  context: ApiContext;
  allowedOrigins: readonly string[];
  log: FastifyBaseLogger;
  metrics: Metrics;
  /** Requests in a minute: of one address, whoever it says it is; of one user, from wherever. Each replica counts by itself. */
  limits: { perAddress: number; perUser: number };
  /** Proxies whose word on the caller's address is believed. */
  trustedProxies: readonly string[];
  readiness: () => Promise<Readiness>;
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS']);
const BODY_LIMIT = 256 * 1_024;
/** Above all that the database may take. */
const HANDLER_TIMEOUT_MS = 25_000;
const ReadinessAnswer = z.object({ ready: z.boolean(), checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })) });

/** The HTTP API, not yet listening. Every answer that is not a success is a problem with a stable code. */
export async function createServer(options: ServerOptions): Promise<Api> {
  const { context, metrics } = options;
  const api = fastify({
    loggerInstance: options.log,
    bodyLimit: BODY_LIMIT,
    requestTimeout: 30_000,
    handlerTimeout: HANDLER_TIMEOUT_MS,
    ...(options.trustedProxies.length === 0 ? {} : { trustProxy: [...options.trustedProxies] }),
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 200 },
    clientErrorHandler: refuseNonsense,
    // addresses that the router does not even read
    frameworkErrors: (error, request, reply) => { void sendProblem(reply, problemOf(error, request.id)); },
    // a caller's own id makes a request findable on both sides
    genReqId: (request) => { const id = request.headers['x-request-id']; return typeof id === 'string' && /^[\w.-]{8,64}$/.test(id) ? id : randomUUID(); },
  }).withTypeProvider<ZodProvider>();
  api.setValidatorCompiler(zodValidator);
  api.setSerializerCompiler(zodSerializer);
  api.removeContentTypeParser('text/plain');
  api.decorateRequest('caller', null);
  api.decorateRequest('actor');

  api.setErrorHandler((error, request, reply) => {
    const body = problemOf(error, request.id);
    if (body.status >= 500) request.log[body.status === 500 ? 'error' : 'warn']({ err: error, code: body.code }, 'request failed');
    return sendProblem(reply, body);
  });
  api.setNotFoundHandler((request, reply) => sendProblem(reply, problem(404, 'route_not_found', `There is nothing at ${request.method} ${request.url.split('?')[0]}.`, request.id, undefined, 'See /docs for what is there.')));
  api.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    request.actor = { kind: 'system', id: null, via: null, requestId: request.id, attempt: null };
    actFor(request.actor, done);
  });
  // reading a body comes back in the connection's context: the request's is taken up again
  api.addHook('preValidation', (request, _reply, done) => { actFor(request.actor, done); });
  api.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    metrics.answered(request.method, route, reply.statusCode, reply.elapsedTime / 1_000);
    // what was refused or may have changed something leaves a line at the default level; reading does not
    const level = reply.statusCode >= 400 || !READING.has(request.method) ? 'info' : 'debug';
    request.log[level]({ method: request.method, route, status: reply.statusCode, ms: Math.round(reply.elapsedTime), user: request.caller?.userId }, 'answered');
    done();
  });

  await api.register(cors, {
    origin: [...options.allowedOrigins], methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], maxAge: 600,
    allowedHeaders: ['authorization', 'content-type', 'if-match', 'idempotency-key', 'last-event-id', 'x-request-id'], exposedHeaders: ['etag', 'location', 'x-request-id', 'retry-after', 'idempotency-replayed'], strictPreflight: false,
  });
  await api.register(rateLimit, { global: false });
  // before anybody asks who calls: guessing is limited too
  api.addHook('onRequest', api.rateLimit({
    max: options.limits.perAddress, timeWindow: MINUTE_MS, cache: 20_000, keyGenerator: (request) => request.ip, errorResponseBuilder: (_request, { ttl }) => tooFast(ttl),
    allowList: (request) => request.url === '/healthz' || request.url === '/readyz',
  }));
  await api.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'TradeMind control plane', version: '1.0.0', description: 'Wishes for machines, and what became of them. Errors are problems (RFC 9457) with a stable `code` and a `nextStep`.' },
      components: { securitySchemes: {
        user: { type: 'http', scheme: 'bearer', description: 'The session token of a signed-in user, or an access token (tm_…)' },
        machine: { type: 'http', scheme: 'bearer', description: 'The secret that a machine was born with, or its database token' },
      } },
      security: [{ user: [] }],
    },
    transform: openApiTransform,
  });
  await api.register(swaggerUi, { routePrefix: '/docs' });

  api.route({
    method: 'GET',
    url: '/openapi.json',
    schema: { hide: true },
    handler: (_request, reply) => reply.serializer((value: unknown) => JSON.stringify(value)).send(api.swagger()),
  });
  api.route({
    method: 'GET',
    url: '/healthz',
    schema: { tags: ['health'], summary: 'Is the process alive', security: [], response: { 200: z.object({ ok: z.literal(true) }) } },
    handler: () => ({ ok: true as const }),
  });
  api.route({
    method: 'GET',
    url: '/readyz',
    schema: { tags: ['health'], summary: 'Can it do its work', security: [], response: { 200: ReadinessAnswer, 503: ReadinessAnswer } },
    handler: async (_request, reply) => {
      const readiness = await options.readiness();
      return reply.status(readiness.ready ? 200 : 503).send(readiness);
    },
  });
  api.route({
    method: 'GET',
    url: '/.well-known/jwks.json',
    schema: { tags: ['health'], summary: 'The public keys that tickets are verified with', security: [], response: { 200: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }) } },
    handler: (_request, reply) => { void reply.header('cache-control', 'public, max-age=300'); return JSON.parse(context.signer.ticketJwks) as { keys: Record<string, unknown>[] }; },
  });

  await api.register(async (users) => {
    users.addHook('onRequest', async (request) => {
      const caller = await context.auth.user(request);
      request.caller = caller;
      Object.assign(request.actor, { kind: caller.tokenId !== null ? 'token' : caller.operator ? 'operator' : 'user', id: caller.userId, via: caller.tokenId });
      refuseCaller(callerOf(request), request.method, request.routeOptions.url ?? '');
    });
    users.addHook('onRequest', limitPerUser(users, options.limits.perUser));
    const typed = users.withTypeProvider<ZodProvider>();
    // before the routes are added: what each takes is said once, here
    users.addHook('onRoute', (route) => { if (!READING.has(String(route.method))) route.schema = { ...route.schema, repeatable: true }; });
    users.addHook('preValidation', (request, _reply, done) => { done(refuseMatch(request)); });
    idempotency(typed, { requests: context.requests, sealing: context.sealingKeys, now: context.now });
    machineRoutes(typed, context);
    eventRoutes(typed, context);
    traderRoutes(typed, context);
    for (const routes of [fleetRoutes, fleetMachineRoutes, releaseRoutes, rolloutRoutes]) routes(typed, context);
    costRoutes(typed, context);
    metricRoutes(typed, context);
    logRoutes(typed, context);
    meRoutes(typed, context);
    tokenRoutes(typed, context);
    planRoutes(typed, context);
    auditRoutes(typed, context);
    await Promise.resolve();
  });
  machineTokenRoutes(api, context);
  machineScaleRoutes(api, context);
  machineKeyRoutes(api, context);
  machineGeminiRoutes(api, context);
  return api;
}

/** What Node's parser refuses never becomes a request: it gets its problem all the same, and the connection ends. */
function refuseNonsense(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const [status, code, detail] = error.code === 'HPE_HEADER_OVERFLOW' ? [431, 'headers_too_large', 'The headers are larger than 16 KB.'] as const
    : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? [408, 'request_timeout', 'The request did not arrive whole in time.'] as const
      : [400, 'request_malformed', 'This is not HTTP.'] as const;
  const body = JSON.stringify(problem(status, code, detail, randomUUID(), undefined, 'Repeat it as a well-formed request.'));
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: ${PROBLEM_MEDIA_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`);
}

/** A condition that a route would not look at is refused: whoever sent it relies on it. */
function refuseMatch({ method, headers, routeOptions }: FastifyRequest): ApiProblem | undefined {
  if (headers['if-match'] === undefined || READING.has(method) || routeOptions.schema?.headers === MatchHeaders) return undefined;
  return new ApiProblem(400, { code: 'condition_not_taken', message: 'If-Match is not looked at here.', field: 'if-match', nextStep: 'Send it without, or see /docs for the routes that take it.' });
}
