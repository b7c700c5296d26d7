import type { IncomingMessage, ServerResponse } from 'node:http';
import { guardRequest, sameSecret, sendJson } from '../../shared/http.ts';
import { MINUTE } from '../market/intervals.ts';
import { ApiError, Params } from './params.ts';
import { ROUTES } from './routes.ts';
import type { Market } from '../market/open-market.ts';
import type { Tickers } from '../market/ticker.ts';
import type { Weights } from './weights.ts';

export interface RestOptions {
  market: Market;
  tickers: Tickers;
  weights: Weights;
  token?: string | undefined;
  allowedOrigins: readonly string[];
}

/** Endpoints of accounts and orders: they ask for the API key; what they do comes with the orders. */
const SIGNED = /^\/api\/v3\/(account|order|orderList|openOrders|openOrderList|allOrders|allOrderList|myTrades|userDataStream|sor)(\/|$)/;

/** Answers every HTTP request of the stand-in. */
export function restHandler(options: RestOptions): (request: IncomingMessage, response: ServerResponse) => void {
  const { market } = options;
  return (request, response) => {
    const headers: Record<string, string> = {
      // Absent on Binance, where market time is wall time: with it a client can run market time by itself.
      'x-market-clock-rate': String(market.clock.speed),
      'cache-control': 'no-store',
      ...originHeaders(request, options.allowedOrigins),
    };
    const refusal = guardRequest(request, options);
    if (refusal) return sendJson(response, refusal.status, { code: refusal.code, msg: refusal.message });
    if (request.method === 'OPTIONS') return sendJson(response, 204, undefined, headers);
    try {
      sendJson(response, 200, route(request, options, headers), headers);
    } catch (error) {
      const known = error instanceof ApiError ? error : new ApiError(500, -1000, 'An unknown error occurred while processing the request.');
      if (known !== error) process.stderr.write(`${JSON.stringify({ level: 'error', event: 'request_failed', message: String((error as Error).stack) })}\n`);
      sendJson(response, known.status, { code: known.code, msg: known.message }, headers);
    }
    return undefined;
  };
}

function route(request: IncomingMessage, { market, tickers, weights, token }: RestOptions, headers: Record<string, string>): unknown {
  const url = new URL(request.url ?? '/', 'http://stand-in');
  if (url.pathname === '/_stand-in/market') return marketReport(market);
  const found = Object.hasOwn(ROUTES, url.pathname) ? ROUTES[url.pathname] : undefined;
  const charged = weights.charge(request.socket.remoteAddress ?? '', found?.weight(url.searchParams, market) ?? 1);
  headers['x-mbx-used-weight'] = headers['x-mbx-used-weight-1m'] = String(charged.used);
  if (!charged.ok) {
    headers['retry-after'] = String(charged.retryAfterSeconds);
    throw new ApiError(charged.status, -1003, charged.message);
  }
  if (SIGNED.test(url.pathname)) refuseSigned(request, token);
  if (!found) throw new ApiError(404, -1000, `${url.pathname} is not an endpoint of this stand-in.`);
  if (request.method !== 'GET') throw new ApiError(405, -1000, `Request method '${request.method}' not supported`);
  return found.answer(new Params(url.searchParams, found.params), { market, tickers, now: market.clock.time() });
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

/** GET /_stand-in/market: what is played, and what of it was derived or has ended. */
function marketReport(market: Market): unknown {
  const now = market.clock.time();
  return {
    market: market.name, speed: market.clock.speed, origin: market.origin, marketTime: now,
    ended: market.source.symbols.every(({ end }) => now >= end),
    symbols: market.source.symbols.map((info) => ({
      symbol: info.symbol, source: info.source, shiftWeeks: info.shiftWeeks, first: info.first,
      last: Number.isFinite(info.end) ? info.end - MINUTE : null,
      halted: !market.book.trades(info.symbol, now), derived: info.derived,
    })),
  };
}
