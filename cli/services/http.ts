import { Problem, TradeMindError } from '@trademind/core';

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

/** An answer that was not a success, as an error with the code, field and next step that the server gave. */
export class HttpError extends TradeMindError {
  readonly status: number;
  constructor(status: number, init: ConstructorParameters<typeof TradeMindError>[0]) {
    super(init);
    this.status = status;
  }
}

export interface Call { method?: string; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal | undefined; timeoutMs?: number }

/**
 * One JSON call. Resolves with the parsed body (undefined when empty). Rejects with HttpError for any other status (RFC 9457 problems and
 * the error shapes of GoTrue and PostgREST are understood), `unreachable` when nobody answers, `timeout` when nobody answers in time.
 */
export async function call(fetch: Fetch, url: string, options: Call = {}): Promise<{ status: number; body: unknown; headers: Headers }> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? 10_000);
  const where = new URL(url).origin;
  let response: Response;
  let text: string;
  try {
    response = await fetch(url, {
      method: options.method ?? 'GET',
      headers: { accept: 'application/json', ...(options.body === undefined ? {} : { 'content-type': 'application/json' }), ...options.headers },
      ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
      signal: options.signal ? AbortSignal.any([options.signal, timeout]) : timeout,
    });
    text = await response.text();
  } catch (cause) {
    throw lostConnection(where, cause, options.signal);
  }
  const body = parseBody(text);
  if (response.ok) return { status: response.status, body, headers: response.headers };
  throw refused(response.status, body, where);
}

function lostConnection(where: string, cause: unknown, signal: AbortSignal | undefined): TradeMindError {
  if (signal?.aborted) return new TradeMindError({ code: 'cancelled', message: 'Cancelled.', cause });
  const slow = (cause as Error).name === 'TimeoutError';
  return new TradeMindError({
    code: slow ? 'timeout' : 'unreachable',
    message: slow ? `${where} did not answer in time.` : `${where} cannot be reached.`,
    nextStep: 'Is the local cloud running? See `npx trademind status`.',
    cause,
  });
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** Makes an error of an answer's body, whoever wrote it. */
export function refused(status: number, body: unknown, where: string): HttpError {
  const problem = Problem.safeParse(body);
  if (problem.success) {
    const { code, detail, title, field, nextStep } = problem.data;
    return new HttpError(status, { code, message: detail || title, field, nextStep });
  }
  // GoTrue: {code, error_code, msg}; PostgREST: {code, message, details, hint}, where our functions put a stable code into `message`.
  const said = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (...names: string[]) => names.map((name) => said[name]).find((value): value is string => typeof value === 'string' && value !== '');
  const ours = typeof said.code === 'string' && said.code.startsWith('PT');
  return new HttpError(status, {
    code: (ours ? text('message') : text('error_code', 'code')) ?? `http_${status}`,
    message: (ours ? text('details') : text('msg', 'message', 'error_description', 'error')) ?? `${where} answered with status ${status}.`,
    nextStep: ours ? text('hint') : undefined,
  });
}
