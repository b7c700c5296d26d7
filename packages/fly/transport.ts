import { request, type Dispatcher } from 'undici';
import type { CallKind } from './error-table.ts';
import { errorFromAnswer, errorFromTransport, flyError } from './errors.ts';

export interface FlyClientOptions {
  /** Where the API is, with its version: `https://api.machines.dev/v1`. */
  baseUrl: string;
  /** As Fly gave it. A macaroon (`FlyV1 …` or `fm2_…`) is sent under its own scheme, others as `Bearer`. */
  token: string;
  /** undici's connection pool; its global one when absent. */
  dispatcher?: Dispatcher | undefined;
  /** How long one call may take; 15 s unless told. A `wait` adds its own timeout. */
  timeoutMs?: number | undefined;
  /** Ends every call of this client. */
  signal?: AbortSignal | undefined;
  now?: (() => number) | undefined;
}

/** What any call takes beside its own arguments. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  timeoutMs?: number | undefined;
}

interface Call<T> {
  kind: CallKind;
  /** What is being done, for people: `create machine tm-1`. */
  doing: string;
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  query?: Record<string, string | number | boolean | readonly string[] | undefined> | undefined;
  body?: unknown;
  leaseNonce?: string | undefined;
  /** Parses the body; throws when it is not what the caller understands. */
  parse: (body: unknown) => T;
  options?: CallOptions | undefined;
}

interface Answer<T> { value: T; nextCursor: string | undefined }
export type Send = <T>(call: Call<T>) => Promise<Answer<T>>;

function authorization(token: string): string {
  if (/^(FlyV1|Bearer) /i.test(token)) return token;
  return token.startsWith('fm1') || token.startsWith('fm2_') ? `FlyV1 ${token}` : `Bearer ${token}`;
}

function address(base: string, call: Pick<Call<unknown>, 'path' | 'query'>): URL {
  const url = new URL(`${base.replace(/\/+$/, '')}${call.path}`);
  for (const [key, value] of Object.entries(call.query ?? {})) {
    if (value === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(key, String(one));
  }
  return url;
}

/** Joins names into a path, so that a name can never step into another path. */
export function path(...segments: string[]): string {
  for (const segment of segments) if (/^\.{0,2}$/.test(segment)) throw flyError('fly_invalid', `${JSON.stringify(segment)} is not a name at Fly`);
  return segments.map((segment) => `/${encodeURIComponent(segment)}`).join('');
}

function parseBody(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/**
 * Sends one call, once: repeating is the caller's decision, who alone knows whether a repeat is safe.
 * @throws FlyError for every answer that is not a success and for every missing one.
 */
export function createSend(options: FlyClientOptions): Send {
  const secret = options.token.replace(/^(FlyV1|Bearer) /i, '');
  const header = authorization(options.token);
  const now = options.now ?? Date.now;
  const redact = (text: string) => (secret === '' ? text : text.replaceAll(secret, '[token]'));

  return async (call) => {
    const timeout = AbortSignal.timeout(Math.max(1, Math.ceil(call.options?.timeoutMs ?? options.timeoutMs ?? 15_000)));
    const givenUp = [options.signal, call.options?.signal].filter((signal) => signal !== undefined);
    let status: number;
    let headers: Record<string, string | string[] | undefined>;
    let body: unknown;
    try {
      const response = await request(address(options.baseUrl, call), {
        method: call.method,
        headers: {
          authorization: header,
          accept: 'application/json',
          ...(call.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(call.leaseNonce === undefined ? {} : { 'fly-machine-lease-nonce': call.leaseNonce }),
        },
        body: call.body === undefined ? null : JSON.stringify(call.body),
        signal: AbortSignal.any([timeout, ...givenUp]),
        ...(options.dispatcher ? { dispatcher: options.dispatcher } : {}),
      });
      status = response.statusCode;
      headers = response.headers;
      body = parseBody(await response.body.text());
    } catch (cause) {
      const aborted = givenUp.some((signal) => signal.aborted);
      throw errorFromTransport({ kind: call.kind, doing: call.doing, cause, aborted, timedOut: timeout.aborted });
    }
    if (status < 200 || status > 299) {
      const safe = JSON.parse(redact(JSON.stringify(body ?? null))) as unknown;
      throw errorFromAnswer({ kind: call.kind, doing: call.doing, status, body: safe, retryAfter: one(headers['retry-after']), now: now() });
    }
    try {
      return { value: call.parse(body), nextCursor: one(headers['fly-next-cursor']) || undefined };
    } catch (cause) {
      throw flyError('fly_unexpected_answer', `${call.doing}: Fly answered ${status} with a body this client does not understand`, {
        status, outcome: call.kind === 'write' ? 'unknown' : 'known', cause,
      });
    }
  };
}

function one(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
