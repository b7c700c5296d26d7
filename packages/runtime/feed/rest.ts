import type { IncomingMessage, ServerResponse } from 'node:http';
import { Interval } from '@trademind/core';
import { addressOf } from './address.ts';
import type { Gate } from './gate.ts';
import { HttpProblem, problemOf, sendJson } from './problems.ts';
import { FeedRefusal } from './refusal.ts';
import type { FeedSource } from './source.ts';

interface RestOptions {
  source: FeedSource;
  gate: Gate;
  allowedOrigins: readonly string[];
  ready: () => { ready: boolean; missing: string[] };
  uptimeS: () => number;
  onRefused: (code: string) => void;
  onFailure: (error: unknown) => void;
}

type Route = (query: URLSearchParams) => { status: number; body: unknown };
const ok = (body: unknown) => ({ status: 200, body });

/** The machine's public HTTP: `/health` and `/ready` for anyone, `/v1/…` with a session. */
export function createRestHandler(options: RestOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const open = openRoutes(options);
  const guarded = sessionRoutes(options.source);
  return (request, response) => {
    answer().catch((error: unknown) => {
      if (error instanceof FeedRefusal) options.onRefused(error.code);
      else if (!(error instanceof HttpProblem)) options.onFailure(error);
      const problem = problemOf(error);
      if (!response.headersSent) sendJson(response, problem.status, problem);
    });

    async function answer(): Promise<void> {
      const { path, query } = addressOf(request);
      allowOrigin(request, response, options.allowedOrigins);
      if (request.method === 'OPTIONS') {
        response.writeHead(204).end();
        return;
      }
      const route = open.get(path) ?? guarded.get(path);
      if (!route) throw new HttpProblem(404, { code: 'route_unknown', message: 'There is nothing at this path.' });
      if (request.method !== 'GET' && request.method !== 'HEAD') throw new HttpProblem(405, { code: 'method_refused', message: 'Only GET is answered here.' });
      if (guarded.has(path)) await options.gate.openSession(bearerOf(request));
      const { status, body } = route(query);
      sendJson(response, status, body);
    }
  };
}

/** Routes that say nothing about the user: alive or not, ready or not. */
function openRoutes({ ready, uptimeS }: RestOptions): Map<string, Route> {
  return new Map<string, Route>([
    ['/health', () => ok({ ok: true, uptimeS: uptimeS() })],
    ['/ready', () => {
      const { ready: isReady, missing } = ready();
      return { status: isReady ? 200 : 503, body: { ready: isReady, missing } };
    }],
  ]);
}

function sessionRoutes(source: FeedSource): Map<string, Route> {
  return new Map<string, Route>([
    ['/v1/status', () => ok(source.status())],
    ['/v1/markets', () => ok({ items: source.markets() })],
    ['/v1/signals', (query) => ok({ items: source.signals(limitOf(query, 100)) })],
    ['/v1/traders', () => ok({ items: source.traders() })],
    ['/v1/candles', (query) => {
      const interval = Interval.safeParse(required(query, 'interval'));
      if (!interval.success) throw new HttpProblem(400, { code: 'query_invalid', field: 'interval', message: 'This is not a candle interval, e.g. 5m.' });
      return ok({ items: source.candles(required(query, 'symbol'), interval.data, limitOf(query, 500)) });
    }],
    ['/v1/explain', (query) => {
      const explained = source.explain(required(query, 'trader'), required(query, 'symbol'));
      if (explained == null) {
        throw new HttpProblem(404, { code: 'not_found', message: 'This machine has no such trader, or does not screen that symbol.', nextStep: 'See /v1/traders and /v1/markets.' });
      }
      return ok(explained);
    }],
  ]);
}

function required(query: URLSearchParams, name: string): string {
  const value = query.get(name);
  if (!value) throw new HttpProblem(400, { code: 'query_invalid', field: name, message: `The query needs ${name}.` });
  return value;
}

function limitOf(query: URLSearchParams, fallback: number): number {
  const text = query.get('limit');
  if (text === null) return fallback;
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000) throw new HttpProblem(400, { code: 'query_invalid', field: 'limit', message: 'limit is a whole number from 1 to 1000.' });
  return limit;
}

function bearerOf(request: IncomingMessage): string {
  const match = /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(request.headers.authorization ?? '');
  if (!match?.[1]) throw new FeedRefusal('ticket_missing');
  return match[1];
}

/** CORS for the named origins only; any other page gets no header and its browser keeps the answer from it. */
function allowOrigin(request: IncomingMessage, response: ServerResponse, allowed: readonly string[]): void {
  response.setHeader('vary', 'Origin');
  const { origin } = request.headers;
  if (origin === undefined || !allowed.includes(origin)) return;
  response.setHeader('access-control-allow-origin', origin);
  response.setHeader('access-control-allow-headers', 'authorization');
  response.setHeader('access-control-allow-methods', 'GET');
  response.setHeader('access-control-max-age', '600');
}
