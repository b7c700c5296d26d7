import type { IncomingMessage, ServerResponse } from 'node:http';
import { guardRequest, readJson, sameSecret, sendJson } from '../shared/http.ts';
import { ApiError } from './api-error.ts';
import { appRoutes } from './apps.ts';
import { ipRoutes } from './ip-assignments.ts';
import { note, readJournal } from './journal.ts';
import { leaseRoutes } from './leases.ts';
import { machineOrderRoutes } from './machine-orders.ts';
import { machineRecordRoutes } from './machine-records.ts';
import { machineRoutes } from './machines.ts';
import { orgRoutes } from './org-machines.ts';
import type { Platform } from './platform.ts';
import { RateLimits } from './rate-limit.ts';
import { manifestAnswer } from './registry.ts';
import { createRouter, type ApiAnswer, type ApiRequest, type Match } from './route.ts';
import { secretRoutes } from './secrets.ts';
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

/** The Machines API under `/v1`, and the stand-in's journal. Every request passes: guard, token, rate limit, verb, journal. */
export function createApi(options: ApiOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { platform, token } = options;
  const find = createRouter([
    appRoutes, machineRoutes, machineOrderRoutes, machineRecordRoutes, leaseRoutes, waitRoutes, volumeRoutes, secretRoutes, ipRoutes, orgRoutes,
  ].flatMap((routes) => routes(platform)));
  const limits = new RateLimits(platform.now);

  const answer = async (request: IncomingMessage, url: URL, signal: AbortSignal): Promise<ApiAnswer> => {
    if (url.pathname.startsWith('/v2/')) return manifestAnswer(platform.images, token, url.pathname, request.headers.authorization);
    if (!hasToken(request.headers.authorization, token)) throw new ApiError(401, 'token validation error: no verified tokens');
    if (url.pathname === '/_stand-in/journal') return { status: 200, body: journal(platform, url.searchParams) };
    const match = url.pathname.startsWith('/v1/') ? find(request.method ?? 'GET', url.pathname.slice('/v1'.length)) : null;
    if (!match) throw new ApiError(404, 'page not found');
    const { limit, verb } = match.route;
    if (options.rateLimits && limit !== 'none' && !limits.take(limit, `${verb}:${match.params['machine'] ?? match.params['app'] ?? ''}`)) {
      throw new ApiError(429, 'rate limit exceeded');
    }
    const given = await readJson(request);
    const body = typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {};
    const nonce = request.headers['fly-machine-lease-nonce'];
    const call: ApiRequest = { params: match.params, query: url.searchParams, body, nonce: typeof nonce === 'string' && nonce !== '' ? nonce : undefined, signal };
    if (request.method === 'GET') return match.route.handle(call);
    return journalled(platform, match, call);
  };

  return (request, response) => {
    const refusal = guardRequest(request, { allowedOrigins: options.allowedOrigins });
    if (refusal) {
      sendJson(response, refusal.status, { error: refusal.message, code: refusal.code });
      return;
    }
    const gone = new AbortController();
    response.once('close', () => gone.abort());
    const send = (status: number, body: unknown, headers: Record<string, string> = {}) => { if (!response.writableEnded && !response.destroyed) sendJson(response, status, body, headers); };
    answer(request, new URL(request.url ?? '/', 'http://stand-in'), gone.signal).then(
      ({ status, body, headers }) => send(status, body, headers),
      (error: unknown) => {
        const { status, word, message } = known(error);
        if (status >= 500 && !platform.closing.aborted) options.report(`${request.method} ${request.url}: ${String(error)}`);
        send(status, { error: message, ...(word === undefined ? {} : { status: word }) });
      },
    );
  };
}

function hasToken(header: string | undefined, token: string): boolean {
  const given = /^(?:Bearer|FlyV1) (.+)$/i.exec(header ?? '')?.[1];
  return given !== undefined && sameSecret(given, token);
}

function known(error: unknown): { status: number; word?: string | undefined; message: string } {
  if (error instanceof ApiError) return error;
  const { status } = error as { status?: unknown };
  return typeof status === 'number' ? { status, message: (error as Error).message } : { status: 500, message: 'internal: the stand-in failed' };
}

/** Runs a write and notes how it ended before it is told. */
async function journalled({ store }: Platform, match: Match, call: ApiRequest): Promise<ApiAnswer> {
  const { name, app_name: appName } = call.body;
  const entry = {
    verb: match.route.verb, app: match.params['app'] ?? null, machine: match.params['machine'] ?? null,
    name: typeof name === 'string' ? name : typeof appName === 'string' ? appName : null,
  };
  try {
    const answer = await match.route.handle(call);
    const created = match.route.verb === 'machine.create' ? (answer.body as { id: string }).id : entry.machine;
    note(store, { ...entry, machine: created, status: answer.status, error: null });
    return answer;
  } catch (error) {
    const { status, message } = known(error);
    note(store, { ...entry, status, error: message });
    throw error;
  }
}

function journal({ store }: Platform, query: URLSearchParams): unknown {
  return { entries: readJournal(store, Number(query.get('after') ?? 0) || 0, Math.min(Number(query.get('limit') ?? 10_000) || 10_000, 100_000)) };
}
