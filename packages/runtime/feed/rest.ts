import type { IncomingMessage, ServerResponse } from 'node:http';
import { Interval, type MachineStatus } from '@trademind/core';
import { addressOf } from './address.ts';
import { Allowance } from './allowance.ts';
import type { Gate } from './gate.ts';
import { HttpProblem, problemOf, sendJson } from './problems.ts';
import { FeedRefusal } from './refusal.ts';
import type { FeedSource } from './source.ts';

interface RestOptions {
  source: FeedSource;
  gate: Gate;
  allowedOrigins: readonly string[];
  ready: () => { ready: boolean; phase?: MachineStatus['phase'] };
  uptimeS: () => number;
  callsPerSecond: number;
  now: () => number;
  onRefused: (code: string) => void;
  onFailure: (error: unknown) => void;
}

type Route = (query: URLSearchParams) => { status: number; body: unknown };
const ok = (body: unknown) => ({ status: 200, body });

/** The machine's public HTTP: `/health` and `/ready` for anyone, `/v1/…` with a session. */
export function createRestHandler(options: RestOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const open = openRoutes(options);
  const guarded = sessionRoutes(options.source);
  const spend = createAllowances(options.callsPerSecond, options.now);
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
      if (guarded.has(path) && !spend((await options.gate.openSession(bearerOf(request))).sessionId)) {
        options.onRefused('too_fast');
        response.setHeader('retry-after', '1');
        throw new HttpProblem(429, { code: 'too_fast', message: `A session may make ${options.callsPerSecond} calls a second.`, nextStep: 'Wait a second. What changes, the feed tells by itself.' });
      }
      const { status, body } = route(query);
      sendJson(response, status, body);
    }
  };
}

/** What anyone may know of a machine that is not ready: which part of its day it is in, never with whom or with what. */
const WAITS: Readonly<Record<MachineStatus['phase'], string>> = {
  booting: 'the end of its start', backfilling: 'the history of its markets', screening: 'its services', draining: 'the end of a drain',
};

/** Routes that say nothing about the user: alive or not, ready or not. */
function openRoutes({ ready, uptimeS }: RestOptions): Map<string, Route> {
  return new Map<string, Route>([
    ['/health', () => ok({ ok: true, uptimeS: uptimeS() })],
    ['/ready', () => {
      const { ready: isReady, phase } = ready();
      return { status: isReady ? 200 : 503, body: { ready: isReady, missing: isReady || phase === undefined ? [] : [WAITS[phase]] } };
    }],
  ]);
}

function sessionRoutes(source: FeedSource): Map<string, Route> {
  return new Map<string, Route>([
    ['/v1/status', () => ok(source.status())],
    ['/v1/markets', () => ok({ items: source.markets() })],
    ['/v1/signals', (query) => ok({ items: source.signals(limitOf(query, 100)) })],
    ['/v1/analyses', (query) => ok({ items: source.analyses(limitOf(query, 100)) })],
    ['/v1/logs', () => ok({ items: source.log() })],
    ['/v1/traders', () => ok({ items: source.traders() })],
    ['/v1/candles', (query) => {
      const interval = Interval.safeParse(required(query, 'interval'));
      if (!interval.success) throw new HttpProblem(400, { code: 'query_invalid', field: 'interval', message: 'This is not a candle interval, e.g. 5m.' });
      const [symbol, limit] = [required(query, 'symbol'), limitOf(query, 500)];
      return ok({ items: source.candles(symbol, interval.data, limit), marks: source.marks(symbol, interval.data, limit) });
    }],
    ['/v1/explain', (query) => ok(explained(source, required(query, 'trader'), required(query, 'symbol')))],
    ['/v1/positions', notYet('It does not trade, so it has no positions.')],
    ['/v1/backtests', notYet('It cannot run backtests.')],
  ]);
}

/** Which conditions of a trader hold on a symbol. Throws `not_found`. */
export function explained(source: FeedSource, trader: string, symbol: string): unknown {
  const answer = source.explain(trader, symbol);
  if (answer == null) {
    throw new HttpProblem(404, { code: 'not_found', message: 'This machine has no such trader, or does not screen that symbol.', nextStep: 'See /v1/traders and /v1/markets.' });
  }
  return answer;
}

/** Part of the contract of a machine, but not of what this version can do. */
function notYet(why: string): Route {
  return () => { throw new HttpProblem(501, { code: 'not_available', message: `This machine has nothing here yet. ${why}`, nextStep: 'Ask again after the machine was updated.' }); };
}

/** How often each session may call; forgotten once it has been quiet. */
function createAllowances(perSecond: number, now: () => number): (sessionId: string) => boolean {
  const allowances = new Map<string, Allowance>();
  return (sessionId) => {
    const at = now();
    let allowance = allowances.get(sessionId);
    if (!allowance) {
      for (const [id, other] of allowances) if (other.isFull(at)) allowances.delete(id);
      allowances.set(sessionId, allowance = new Allowance(perSecond, at));
    }
    return allowance.take(at);
  };
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
