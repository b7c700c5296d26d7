import type { IncomingMessage, ServerResponse } from 'node:http';
import { guardRequest, sameSecret } from '../../shared/http.ts';
import { sendFaulty, statusAnswer, type Answer } from '../faults/rest-faults.ts';
import { marketReport } from '../market/report.ts';
import { ApiError, Params } from './params.ts';
import { ROUTES } from './routes.ts';
import { targetOf } from './target.ts';
import type { CandleLies } from '../faults/candle-lies.ts';
import type { Faults } from '../faults/faults.ts';
import type { Market } from '../market/open-market.ts';
import type { Views } from '../market/views.ts';
import type { Weights } from './weights.ts';

export interface RestOptions {
  market: Market;
  views: Views;
  weights: Weights;
  faults: Faults;
  lies: CandleLies;
  token?: string | undefined;
  allowedOrigins: readonly string[];
}

/** Endpoints of accounts and orders: they ask for the API key; what they do comes with the orders. */
const SIGNED = /^\/api\/v3\/(account|order|orderList|openOrders|openOrderList|allOrders|allOrderList|myTrades|userDataStream|sor)(\/|$)/;

/** Answers every HTTP request of the stand-in. */
export function restHandler(options: RestOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { market, faults, allowedOrigins } = options;
  return (request, response) => {
    const headers: Record<string, string> = {
      // Absent on Binance, where market time is wall time: with it a client can run market time by itself.
      'x-market-clock-rate': String(market.clock.speed),
      'cache-control': 'no-store',
      ...originHeaders(request, allowedOrigins),
    };
    const refusal = guardRequest(request, { allowedOrigins });
    if (refusal) {
      sendFaulty(response, json(refusal.status, { code: refusal.code, msg: refusal.message }, {}), []);
      return;
    }
    if (request.method === 'OPTIONS') {
      response.writeHead(204, headers).end();
      return;
    }
    const harm = faults.request(targetOf(request).path);
    const answer = statusAnswer(harm) ?? answerRequest(request, options, headers);
    sendFaulty(response, { ...answer, headers: { ...headers, ...answer.headers } }, harm);
  };
}

function json(status: number, body: unknown, headers: Record<string, string>): Answer {
  return { status, headers: { 'content-type': 'application/json;charset=UTF-8', ...headers }, text: JSON.stringify(body) };
}

function answerRequest(request: IncomingMessage, options: RestOptions, headers: Record<string, string>): Answer {
  try {
    return json(200, route(request, options, headers), headers);
  } catch (error) {
    const known = error instanceof ApiError ? error : new ApiError(500, -1000, 'An unknown error occurred while processing the request.');
    if (known !== error) process.stderr.write(`${JSON.stringify({ level: 'error', event: 'request_failed', message: String((error as Error).stack) })}\n`);
    return json(known.status, { code: known.code, msg: known.message }, headers);
  }
}

function route(request: IncomingMessage, options: RestOptions, headers: Record<string, string>): unknown {
  const { market, views, weights, lies, faults, token } = options;
  const { path, query } = targetOf(request);
  if (path === '/_stand-in/market') return marketReport(market);
  const found = Object.hasOwn(ROUTES, path) ? ROUTES[path] : undefined;
  const charged = weights.charge(request.socket.remoteAddress ?? '', found?.weight(query) ?? 1);
  headers['x-mbx-used-weight'] = headers['x-mbx-used-weight-1m'] = String(charged.used);
  if (!charged.ok) {
    headers['retry-after'] = String(charged.retryAfterSeconds);
    throw new ApiError(charged.status, -1003, charged.message);
  }
  if (SIGNED.test(path)) refuseSigned(request, token);
  if (!found) throw new ApiError(404, -1000, `${path} is not an endpoint of this stand-in.`);
  if (request.method !== 'GET') throw new ApiError(405, -1000, `Request method '${request.method}' not supported`);
  return found.answer(new Params(query, found.params), { market, views, lies, now: market.clock.time(), skew: faults.skew() });
}

function refuseSigned(request: IncomingMessage, token: string | undefined): never {
  const key = request.headers['x-mbx-apikey'];
  if (typeof key !== 'string' || key === '') throw new ApiError(401, -2014, 'API-key format invalid.');
  if (token === undefined || !sameSecret(key, token)) throw new ApiError(401, -2015, 'Invalid API-key, IP, or permissions for action.');
  throw new ApiError(400, -1020, 'This operation is not supported.');
}

function originHeaders(request: IncomingMessage, allowed: readonly string[]): Record<string, string> {
  const { origin } = request.headers;
  if (origin === undefined || !allowed.includes(origin)) return {};
  return { 'access-control-allow-origin': origin, 'access-control-allow-headers': 'content-type, x-mbx-apikey', 'access-control-expose-headers': '*', vary: 'origin' };
}
