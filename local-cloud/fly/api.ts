import type { IncomingMessage, ServerResponse } from 'node:http';
import { guardRequest, readJson, sendJson } from '../shared/http.ts';
import { adminRoutes } from './admin.ts';
import { ApiError } from './api-error.ts';
import { appRoutes } from './apps.ts';
import { execRoutes } from './exec.ts';
import { answerGraphql } from './graphql.ts';
import { ipRoutes } from './ip-assignments.ts';
import { leaseRoutes } from './leases.ts';
import { logRoutes } from './logs.ts';
import { machineOrderRoutes } from './machine-orders.ts';
import { machineRecordRoutes } from './machine-records.ts';
import { machineRoutes } from './machines.ts';
import { orgRoutes } from './org-machines.ts';
import { pass, type Fate, type Passing } from './pass.ts';
import type { Platform } from './platform.ts';
import { RateLimits } from './rate-limit.ts';
import { manifestAnswer } from './registry.ts';
import { createRouter } from './route.ts';
import { secretRoutes } from './secrets.ts';
import { whoHolds } from './tokens.ts';
import { volumeRoutes } from './volumes.ts';
import { waitRoutes } from './wait.ts';

export interface ApiOptions {
  platform: Platform;
  token: string;
  allowedOrigins?: readonly string[] | undefined;
  /** Fly's own limits; on unless told. */
  rateLimits: boolean;
  report: (line: string) => void;
}

/** The Machines API under `/v1`, Fly's log API, what clients need of its GraphQL API, and the stand-in's own routes. Every request passes: guard, token, then for Fly's verbs what `pass.ts` says. */
export function createApi(options: ApiOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { platform, token } = options;
  const limits = options.rateLimits ? new RateLimits(platform.now) : null;
  const find = createRouter([
    appRoutes, machineRoutes, machineOrderRoutes, machineRecordRoutes, leaseRoutes, execRoutes, waitRoutes, volumeRoutes, secretRoutes, ipRoutes, orgRoutes,
  ].flatMap((routes) => routes(platform)));
  const revoked = new Set<string>();
  const findLogs = createRouter(logRoutes(platform));
  const findOwn = createRouter(adminRoutes(platform, token, revoked));

  const answer = async (request: IncomingMessage, url: URL, signal: AbortSignal): Promise<Fate> => {
    const { pathname, searchParams: query } = url;
    if (pathname.startsWith('/v2/')) return { kind: 'answer', ...manifestAnswer(platform.images, token, pathname, request.headers.authorization) };
    const method = request.method ?? 'GET';
    const isLogs = pathname.startsWith('/api/v1/');
    const who = whoHolds(request.headers.authorization, token, revoked, isLogs);
    if (who === null) throw new ApiError(401, 'token validation error: no verified tokens');
    const passing: Passing = { request, query, who, signal, platform, limits };
    const own = pathname.startsWith('/_stand-in/') ? findOwn(method, pathname.slice('/_stand-in'.length)) : null;
    if (own) return pass(own, passing, 'own');
    if (pathname === '/graphql' && method === 'POST') {
      const run = async (verb: string, path: string, body?: unknown): Promise<Fate> => {
        const found = find(verb, path);
        return found ? pass(found, { ...passing, body }, 'fly').catch(refusal) : { kind: 'answer', status: 404, body: { error: 'page not found' } };
      };
      return answerGraphql(platform, run, (await readJson(request) ?? {}) as { query?: unknown; variables?: unknown });
    }
    const match = pathname.startsWith('/v1/') ? find(method, pathname.slice('/v1'.length)) : isLogs ? findLogs(method, pathname.slice('/api/v1'.length)) : null;
    if (!match) throw new ApiError(404, 'page not found');
    return pass(match, passing, 'fly');
  };

  return (request, response) => {
    const refusal = guardRequest(request, { allowedOrigins: options.allowedOrigins });
    if (refusal) {
      sendJson(response, refusal.status, { error: refusal.message, code: refusal.code });
      return;
    }
    const gone = new AbortController();
    // with a reason, or every request would pay for an exception with its stack
    response.once('close', () => gone.abort('the caller has gone'));
    answer(request, new URL(request.url ?? '/', 'http://stand-in'), gone.signal).catch(refusal).catch((error: unknown): Fate => {
      const { status = 500, message } = error as { status?: number; message: string };
      if (status < 500) return { kind: 'answer', status, body: { error: message } };
      // who has gone in the middle of a request is told nothing, and is nothing to report
      if (!platform.closing.aborted && !gone.signal.aborted) options.report(`${request.method} ${request.url}: ${String(error)}`);
      return { kind: 'answer', status, body: { error: 'internal: the stand-in failed' } };
    }).then((fate) => send(response, fate, platform.skew()), () => response.destroy());
  };
}

function refusal(error: unknown): Fate {
  if (error instanceof ApiError) return { kind: 'answer', ...error.answer() };
  throw error;
}

function send(response: ServerResponse, fate: Fate, skewMs: number): void {
  if (response.writableEnded || response.destroyed || fate.kind === 'silence') return;
  if (fate.kind === 'cut-off') {
    response.destroy();
    return;
  }
  if (skewMs !== 0) response.setHeader('date', new Date(Date.now() + skewMs).toUTCString());
  if (fate.kind === 'text') {
    response.writeHead(fate.status, { 'content-type': fate.type, ...fate.headers, ...(fate.length === undefined ? {} : { 'content-length': String(fate.length) }) });
    if (fate.length === undefined) response.end(fate.text);
    else response.write(fate.text, () => response.destroy());
    return;
  }
  sendJson(response, fate.status, fate.body, fate.headers);
}
