import type { IncomingMessage, ServerResponse } from 'node:http';
import { guardRequest, readJson, sendJson } from '../../shared/http.ts';
import { isInterval, MINUTE, openOf, stepOpen } from '../market/intervals.ts';
import { marketReport } from '../market/report.ts';
import { klineRow } from '../rest/klines.ts';
import { targetOf } from '../rest/target.ts';
import { klinePayload } from '../streams/payloads.ts';
import { readFaultOrder, type FaultOrder } from './kinds.ts';
import type { CandleLies } from './candle-lies.ts';
import type { Faults, FaultView } from './faults.ts';
import type { Market } from '../market/open-market.ts';
import type { Views } from '../market/views.ts';
import type { Weights } from '../rest/weights.ts';
import type { Broadcaster } from '../streams/broadcaster.ts';
import type { Streams } from '../streams/serve.ts';

export interface AdminOptions {
  market: Market;
  views: Views;
  faults: Faults;
  lies: CandleLies;
  broadcaster: Broadcaster;
  streams: Streams;
  weights: Weights;
}

const MOST_ROWS = 10_000;
const LONGEST_STEP = 366 * 24 * 60 * 60_000;
const MOST_STEPS = 100_000;

const refuse = (status: number, message: string) => Object.assign(new Error(message), { status });

/** The admin port: faults on request, the clock, and what is true. JSON in and out; protocol in this room's README. */
export function adminHandler(options: AdminOptions): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const refusal = guardRequest(request);
    if (refusal) {
      sendJson(response, refusal.status, { code: refusal.code, message: refusal.message });
      return;
    }
    act(request, options).then(
      ({ status, body }) => sendJson(response, status, body),
      (error: Error & { status?: number }) => sendJson(response, error.status ?? 500, { code: error.status ? 'refused' : 'failed', message: error.message }),
    );
  };
}

async function act(request: IncomingMessage, options: AdminOptions): Promise<{ status: number; body?: unknown }> {
  const { market, faults, streams, weights } = options;
  const { path, query } = targetOf(request);
  const [, room = '', id] = path.split('/');
  switch (`${request.method} /${room}${id === undefined ? '' : '/*'}`) {
    case 'GET /faults': return { status: 200, body: { faults: faults.list() } };
    case 'POST /faults': return { status: 201, body: order(readFaultOrder(await readJson(request)), options) };
    case 'DELETE /faults': faults.clear(); return { status: 204 };
    case 'DELETE /faults/*':
      if (!faults.remove(id ?? '')) throw refuse(404, `There is no active fault ${id}.`);
      return { status: 204 };
    case 'GET /connections': return { status: 200, body: { connections: streams.connections().map((connection) => connection.report()) } };
    case 'GET /limits': return { status: 200, body: { weights: weights.report(), attempts: streams.attempts() } };
    case 'GET /market': return { status: 200, body: marketReport(market) };
    case 'GET /klines': return { status: 200, body: trueKlines(query, market) };
    case 'GET /clock': return { status: 200, body: clockView(market) };
    case 'POST /clock': return { status: 200, body: await setClock(await readJson(request), options) };
    default: throw refuse(404, `${request.method} ${path} is not known. See /faults, /connections, /limits, /market, /klines, /clock.`);
  }
}

function order(asked: FaultOrder, { faults, lies, broadcaster, streams, market, views }: AdminOptions): FaultView {
  switch (asked.kind) {
    case 'server-shutdown': {
      const leaving = streams.connections(asked.connection);
      for (const connection of leaving) connection.shutDown(market.clock.time(), asked.closeAfterMs);
      return faults.note(asked, leaving.length);
    }
    case 'close': {
      const leaving = streams.connections(asked.connection);
      for (const connection of leaving) {
        if (asked.code === undefined) connection.cut();
        else connection.leave(asked.code);
      }
      return faults.note(asked, leaving.length);
    }
    case 'halt': case 'crash':
      happen(asked, market);
      return faults.note(asked, 1);
    case 'wrong-candle':
      return faults.add(asked, () => {
        const now = market.clock.time();
        for (const { symbol, interval, openTime } of lies.takeTold(asked)) {
          const candle = asked.resend ? market.book.candle(symbol, interval, openTime, now) : undefined;
          if (candle) broadcaster.say(`${symbol.toLowerCase()}@kline_${interval}`, klinePayload(symbol, interval, candle, views.tradeLog.lastId(symbol, openTime - 1) + 1, true, now));
        }
      });
    default:
      return faults.add(asked);
  }
}

/** A halt or a crash, from the next whole minute on. */
function happen(asked: FaultOrder & { kind: 'halt' | 'crash' }, market: Market): void {
  const { symbol } = asked;
  if (symbol !== '*' && !market.book.info(symbol)) throw refuse(400, `symbol: there is no ${symbol}.`);
  if (asked.kind === 'crash' && market.name !== 'simulated') throw refuse(409, 'kind: a recording is played as it was; only a simulated market can be made to crash.');
  const from = openOf('1m', market.clock.time()) + MINUTE;
  const lowest = from + asked.minutes * MINUTE;
  try {
    market.happen(asked.kind === 'halt' ? { kind: 'halt', symbol, from, to: lowest } : { kind: 'crash', symbol, from, lowest, to: lowest + asked.recoverMinutes * MINUTE, depth: asked.depth });
  } catch (error) {
    throw (error as { code?: string }).code === 'event_collides' ? refuse(409, `symbol: ${(error as Error).message}`) : error;
  }
}

/** GET /klines: the true rows, whatever faults there are, free of weight: what a store is compared with after a storm. */
function trueKlines(query: URLSearchParams, { book, clock }: Market): unknown {
  const symbol = query.get('symbol') ?? '';
  const interval = query.get('interval') ?? '';
  if (!book.info(symbol)) throw refuse(400, `symbol: there is no ${symbol.slice(0, 40)}.`);
  if (!isInterval(interval)) throw refuse(400, `interval: ${interval.slice(0, 40)} is none.`);
  const whole = (name: string) => {
    const text = query.get(name);
    if (text === null) return undefined;
    if (!/^\d{1,15}$/.test(text)) throw refuse(400, `${name}: give whole milliseconds.`);
    return Number(text);
  };
  const limit = whole('limit') ?? 1_000;
  if (limit < 1 || limit > MOST_ROWS) throw refuse(400, `limit: from 1 to ${MOST_ROWS}.`);
  const now = clock.time();
  const rows = book.klines(symbol, interval, now, { start: whole('startTime'), end: whole('endTime'), limit });
  return { now, rows: rows.map((row) => klineRow(row, interval)), forming: rows.some((row) => stepOpen(interval, row.openTime) > now) };
}

const clockView = ({ clock }: Market) => ({ marketTime: clock.time(), speed: clock.speed });

/**
 * POST /clock {speed} or {step, by}: another speed, or a leap of `step` ms in parts of `by`. Updates are told after each part, closes minute by
 * minute; clients are waited for, so that a leap of days floods nobody.
 */
async function setClock(body: unknown, { market, broadcaster, streams }: AdminOptions): Promise<unknown> {
  const { speed, step, by } = (typeof body === 'object' && body !== null ? body : {}) as { speed?: unknown; step?: unknown; by?: unknown };
  if (speed !== undefined) {
    if (typeof speed !== 'number' || !(speed >= 0 && speed <= 3_600)) throw refuse(400, 'speed: a number from 0 (stepped) to 3600.');
    market.clock.setSpeed(speed);
  }
  if (step !== undefined) {
    if (!isWhole(step, LONGEST_STEP)) throw refuse(400, `step: whole milliseconds from 1 to ${LONGEST_STEP}.`);
    const part = by ?? step;
    if (!isWhole(part, LONGEST_STEP) || step / part > MOST_STEPS) throw refuse(400, `by: whole milliseconds, at most ${MOST_STEPS} parts.`);
    for (let left = step; left > 0; left -= part) {
      const end = market.clock.time() + Math.min(part, left);
      for (let now = market.clock.time(); now < end; now = market.clock.time()) {
        market.clock.step(Math.min(end, openOf('1m', now) + MINUTE) - now);
        broadcaster.close();
        await streams.drained();
      }
      broadcaster.tick();
    }
  }
  if (speed === undefined && step === undefined) throw refuse(400, 'Give speed or step.');
  return clockView(market);
}

const isWhole = (value: unknown, most: number): value is number => Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= most;
