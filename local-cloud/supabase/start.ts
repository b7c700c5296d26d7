import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JWK } from 'jose';
import { Pool } from 'pg';
import { authenticatorUrl } from '../postgres/urls.ts';
import { listen } from '../shared/http.ts';
import type { Answer } from './answer.ts';
import { ApiKeys } from './api-keys.ts';
import { createAuth } from './auth/handle.ts';
import { DEFAULT_RATE_LIMITS, type RateLimits } from './auth/limits.ts';
import { PASSWORD_COST } from './auth/passwords.ts';
import { isAway } from './away.ts';
import { answerTo, plain, type Rooms } from './gate.ts';
import { createMailRoom } from './mail/room.ts';
import { Mailbox } from './mail/mailbox.ts';
import { createManagement } from './management.ts';
import { createRest } from './rest/handle.ts';
import { KeyRing } from './signing-keys.ts';
import { createTokens } from './tokens.ts';

export interface SupabaseOptions {
  /** 0 takes a free one. */
  port: number;
  /** Superuser's URL of a prepared database (local-cloud/postgres). */
  postgresUrl: string;
  publishableKey: string;
  secretKey: string;
  /** Private ES256 JWK with a kid: signs users' access tokens until the project's keys are rotated. */
  userSigningJwk: JWK;
  /** Public JWKs that may sign too, e.g. the control plane's for role machine. */
  extraJwks?: readonly JWK[] | undefined;
  /** Where the links of mails lead when a request names no other allowed place; its origin may call, beside `allowedOrigins`. */
  siteUrl?: string | undefined;
  allowedOrigins?: readonly string[] | undefined;
  /** log2 of scrypt's N; tests lower it. */
  passwordCost?: number | undefined;
  /** Supabase's own unless given. */
  rateLimits?: RateLimits | undefined;
  /** Whether a new account may sign in before its address is confirmed; true unless given, as in Supabase's local development. */
  autoconfirm?: boolean | undefined;
  now?: (() => number) | undefined;
}

/** Where a local Supabase project's links lead when nothing is configured. */
const DEFAULT_SITE = 'http://127.0.0.1:3000';

export interface RunningSupabase { url: string; port: number; close(): Promise<void> }

/**
 * A Supabase project on loopback: Auth at /auth/v1, PostgREST at /rest/v1, over one PostgreSQL whose row-level security decides; caught mails at /mail,
 * the Management API's signing keys at /v1/projects. Rejects with the system's error (EADDRINUSE …) or `signing_key_invalid`.
 */
export async function startSupabase(options: SupabaseOptions): Promise<RunningSupabase> {
  const now = options.now ?? Date.now;
  let url = '';
  const authUrl = () => `${url}/auth/v1`;
  const restPool = openPool(authenticatorUrl(options.postgresUrl), 7, true);
  const authPool = openPool(options.postgresUrl, 3);
  const ring = new KeyRing(authPool, options.userSigningJwk, options.secretKey);
  const keys = new ApiKeys(authPool, options);
  const tokens = createTokens(ring, options.extraJwks ?? [], authUrl, now);
  const allowedOrigins = [...(options.allowedOrigins ?? []), ...(options.siteUrl === undefined ? [] : [new URL(options.siteUrl).origin])];
  const mailbox = new Mailbox(now);
  const rooms: Rooms = {
    rest: createRest(restPool, now),
    auth: createAuth(authPool, tokens, {
      passwordCost: options.passwordCost ?? PASSWORD_COST, rateLimits: options.rateLimits ?? DEFAULT_RATE_LIMITS, autoconfirm: options.autoconfirm ?? true,
      redirects: { siteUrl: options.siteUrl ?? allowedOrigins[0] ?? DEFAULT_SITE, allowedOrigins }, mailbox, authUrl, now,
    }),
    mail: createMailRoom(mailbox, options.secretKey),
    management: createManagement(ring, keys),
  };
  const gate = { keys, tokens, rooms, allowedOrigins };
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const cors = corsHeaders(request, allowedOrigins);
    const answer = await answerTo(request, gate).catch((error: unknown) => (request.socket.destroyed ? null : broken(error)));
    if (answer === null) return; // the caller hung up
    response.writeHead(answer.status, { ...(answer.body === undefined ? {} : { 'content-type': 'application/json; charset=utf-8' }), 'cache-control': 'no-store', ...cors, ...answer.headers });
    response.end(answer.body);
  };
  try {
    const listening = await listen((request, response) => { void handle(request, response); }, options.port);
    url = listening.url;
    const close = async () => {
      await listening.close();
      await Promise.all([restPool.end(), authPool.end()]);
    };
    return { url, port: listening.port, close };
  } catch (error) {
    await Promise.all([restPool.end(), authPool.end()]);
    throw error;
  }
}

/** `pipeline`: what is asked of one connection is sent without waiting for the answers before it. */
function openPool(connectionString: string, max: number, pipeline = false): Pool {
  const pool = new Pool({ connectionString, max, pipeline, connectionTimeoutMillis: 5_000, idleTimeoutMillis: 30_000, keepAlive: true });
  // An idle connection that the database closed is dropped by the pool; the next request opens another.
  pool.on('error', () => undefined);
  return pool;
}

function corsHeaders(request: IncomingMessage, allowedOrigins: readonly string[]): Record<string, string> {
  const { origin } = request.headers;
  if (origin === undefined || !allowedOrigins.includes(origin)) return {};
  return {
    'access-control-allow-origin': origin, 'vary': 'Origin', 'access-control-allow-methods': 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS',
    'access-control-allow-headers': 'authorization,apikey,content-type,accept,prefer,range,range-unit,accept-profile,content-profile,x-client-info,x-supabase-api-version,x-retry-count',
    'access-control-expose-headers': 'content-range,content-location,preference-applied,x-total-count,x-supabase-api-version,link,retry-after', 'access-control-max-age': '3600',
  };
}

/** Something that nobody foresaw: named by a number in the log, told to nobody. */
function broken(error: unknown): Answer {
  if (isAway(error)) return plain(503, 'Database connection error: try again in a moment');
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const id = createHash('sha256').update(text).digest('hex').slice(0, 8);
  process.stderr.write(`supabase gateway: error ${id}: ${text.split('\n').slice(0, 3).join(' | ')}\n`);
  return plain(500, `An unexpected error occurred (${id}); the gateway's log says more.`);
}
