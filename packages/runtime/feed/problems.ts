import type { ServerResponse } from 'node:http';
import { PROBLEM_MEDIA_TYPE, TradeMindError, type Problem } from '@trademind/core';
import { FeedRefusal } from './refusal.ts';

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request', 401: 'Not signed in', 403: 'Not allowed', 404: 'Not found', 405: 'Method not allowed', 429: 'Too many calls', 500: 'Internal error', 501: 'Not implemented', 503: 'Not available',
};

/** A problem to be answered with this HTTP status. */
export class HttpProblem extends TradeMindError {
  readonly status: number;

  constructor(status: number, init: { code: string; message: string; field?: string; nextStep?: string }) {
    super(init);
    this.status = status;
  }
}

/** The RFC 9457 body for anything thrown; what is not ours is told as `internal`, without its text. */
export function problemOf(error: unknown): Problem {
  const known = error instanceof HttpProblem || error instanceof FeedRefusal;
  const status = known ? error.status : 500;
  return {
    type: 'about:blank', title: TITLES[status] ?? 'Error', status,
    detail: known ? error.message : 'The machine could not answer.',
    code: known ? error.code : 'internal',
    ...(known && error.field ? { field: error.field } : {}),
    ...(known && error.nextStep ? { nextStep: error.nextStep } : {}),
  };
}

/** Answers with JSON; an error (400 and above, but for the 503 of a machine that is not ready) as RFC 9457 problem details. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  const media = status >= 400 && status !== 503 ? PROBLEM_MEDIA_TYPE : 'application/json';
  sendText(response, status, `${media}; charset=utf-8`, JSON.stringify(body));
}

/** Answers with a text of the given type; kept by no cache, and read as nothing but what it says it is. */
export function sendText(response: ServerResponse, status: number, contentType: string, text: string): void {
  response.writeHead(status, {
    'content-type': contentType, 'content-length': Buffer.byteLength(text), 'cache-control': 'no-store', 'x-content-type-options': 'nosniff',
  });
  response.end(text);
}
