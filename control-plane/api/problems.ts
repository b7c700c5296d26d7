import { PROBLEM_MEDIA_TYPE, TradeMindError, type Problem } from '@trademind/core';
import type { FastifyError, FastifyReply } from 'fastify';
import { DatabaseError } from '../database/errors.ts';

/** A refusal with its HTTP status, a stable code and what to do next. */
export class ApiProblem extends TradeMindError {
  readonly status: number;
  constructor(status: number, init: { code: string; message: string; field?: string | undefined; nextStep?: string | undefined; cause?: unknown }) {
    super(init);
    this.status = status;
  }
}

/** What the HTTP layer itself refuses, in our words. */
const HTTP_ERRORS: Readonly<Record<string, { status: number; code: string; message: string; nextStep: string }>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { status: 415, code: 'media_type_unsupported', message: 'The body has a media type that is not taken here.', nextStep: 'Send the body as application/json.' },
  FST_ERR_CTP_BODY_TOO_LARGE: { status: 413, code: 'body_too_large', message: 'The body is too large.', nextStep: 'Send at most 256 KB.' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { status: 400, code: 'body_empty', message: 'The body is announced as JSON, and empty.', nextStep: 'Send a JSON object, or no content-type.' },
  FST_ERR_CTP_INVALID_JSON_BODY: { status: 400, code: 'body_malformed', message: 'The body is not valid JSON.', nextStep: 'Correct the JSON.' },
  FST_ERR_BAD_URL: { status: 400, code: 'address_malformed', message: 'The address is not one that can be read.', nextStep: 'Encode what stands in it.' },
  FST_ERR_MAX_PARAM_LENGTH: { status: 414, code: 'address_too_long', message: 'A part of the address is too long.', nextStep: 'See /docs for what is there.' },
  FST_ERR_HANDLER_TIMEOUT: { status: 503, code: 'timeout', message: 'It took too long to answer.', nextStep: 'Repeat it with the same Idempotency-Key.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { status: 400, code: 'body_malformed', message: 'The body is not as long as announced.', nextStep: 'Send the request again.' },
};

/** Errors of our own that come from below the API. */
const OWN_ERRORS: Readonly<Record<string, number>> = { sealing_not_configured: 503, secret_unreadable: 500 };

/** Statuses that are told without the detail of what went wrong inside. */
const TITLES: Readonly<Record<number, string>> = {
  400: 'The request is not valid', 401: 'Not signed in', 403: 'Not allowed', 404: 'Not found', 409: 'Conflict', 412: 'It has changed meanwhile',
  408: 'Too slow', 413: 'Too large', 415: 'Unsupported media type', 422: 'It cannot be done as asked', 429: 'Too many requests', 431: 'Too large', 500: 'Something went wrong here', 503: 'Not available now',
};

/** Anything thrown as a problem (RFC 9457). What is not one of ours becomes `internal`, without its words. */
export function problemOf(error: unknown, requestId: string): Problem {
  const known = HTTP_ERRORS[(error as Partial<FastifyError> | null)?.code ?? ''];
  if (error instanceof ApiProblem || error instanceof DatabaseError) {
    return problem(error.status, error.code, error.message, requestId, error.field, error.nextStep);
  }
  if (known) return problem(known.status, known.code, known.message, requestId, undefined, known.nextStep);
  const own = error instanceof TradeMindError ? OWN_ERRORS[error.code] : undefined;
  if (own !== undefined && error instanceof TradeMindError) return problem(own, error.code, error.message, requestId, error.field, error.nextStep);
  const status = (error as Partial<FastifyError> | null)?.statusCode;
  if (status !== undefined && status >= 400 && status < 500) return problem(status, 'request_refused', (error as Error).message, requestId);
  return problem(500, 'internal', 'The request could not be answered because of a fault on our side.', requestId, undefined, 'Repeat it; if it stays, tell the operator the requestId.');
}

export function problem(status: number, code: string, detail: string, requestId: string, field?: string, nextStep?: string): Problem {
  return {
    type: `urn:trademind:problem:${code}`, title: TITLES[status] ?? 'Refused', status, detail, code, requestId,
    ...(field === undefined ? {} : { field }), ...(nextStep ? { nextStep } : {}),
  };
}

export function sendProblem(reply: FastifyReply, body: Problem): FastifyReply {
  if (body.status === 401) void reply.header('www-authenticate', 'Bearer');
  if (body.status === 503) void reply.header('retry-after', '2');
  return reply.status(body.status).type(PROBLEM_MEDIA_TYPE).serializer((value: unknown) => JSON.stringify(value)).send(body);
}

export const machineNotFound = () => new ApiProblem(404, { code: 'machine_not_found', message: 'You have no machine of this id.', nextStep: 'List your machines with GET /v1/machines.' });
export const traderNotFound = () => new ApiProblem(404, { code: 'trader_not_found', message: 'You have no trader of this id.', nextStep: 'List your traders with GET /v1/traders.' });
