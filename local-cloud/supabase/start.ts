import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { JWK } from 'jose';
import { Pool } from 'pg';
import { authenticatorUrl } from '../postgres/urls.ts';
import { guardRequest, listen, sameSecret } from '../shared/http.ts';
import type { Answer, Call, Caller } from './answer.ts';
import { createAuth } from './auth/handle.ts';
import { PASSWORD_COST } from './auth/passwords.ts';
import { createRest } from './rest/handle.ts';
import { createTokens, TokenError, type Tokens } from './tokens.ts';

export interface SupabaseOptions {
  /** 0 takes a free one. */
  port: number;
  /** Superuser's URL of a prepared database (local-cloud/postgres). */
  postgresUrl: string;
  publishableKey: string;
  secretKey: string;
  /** Private ES256 JWK with a kid: signs users' access tokens. */
  userSigningJwk: JWK;
  /** Public JWKs that may sign too, e.g. the control plane's for role machine. */
  extraJwks?: readonly JWK[] | undefined;
  /** A browser origin allowed beside `allowedOrigins`. */
  siteUrl?: string | undefined;
  allowedOrigins?: readonly string[] | undefined;
  /** log2 of scrypt's N; tests lower it. */
  passwordCost?: number | undefined;
  now?: (() => number) | undefined;
}

export interface RunningSupabase { url: string; port: number; close(): Promise<void> }

/**
 * A Supabase project on loopback: Auth at /auth/v1, PostgREST at /rest/v1, over one PostgreSQL whose row-level security decides. Rejects with
 * the system's error (EADDRINUSE …) or `signing_key_invalid`.
 */
export async function startSupabase(options: SupabaseOptions): Promise<RunningSupabase> {
  const now = options.now ?? Date.now;
  let url = '';
  const tokens = await createTokens(options.userSigningJwk, options.extraJwks ?? [], () => `${url}/auth/v1`, now);
  const restPool = openPool(authenticatorUrl(options.postgresUrl), 7);
  const authPool = openPool(options.postgresUrl, 3);
  const rooms: Readonly<Record<string, (call: Call) => Promise<Answer>>> = {
    rest: createRest(restPool, now),
    auth: createAuth(authPool, tokens, options.passwordCost ?? PASSWORD_COST, now),
  };
  const allowedOrigins = [...(options.allowedOrigins ?? []), ...(options.siteUrl === undefined ? [] : [new URL(options.siteUrl).origin])];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const cors = corsHeaders(request, allowedOrigins);
    const answer = await answerTo(request, options, tokens, rooms, allowedOrigins).catch((error: unknown) => (request.socket.destroyed ? null : broken(error)));
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

function openPool(connectionString: string, max: number): Pool {
  const pool = new Pool({ connectionString, max, connectionTimeoutMillis: 5_000, idleTimeoutMillis: 30_000, keepAlive: true });
  // An idle connection that the database closed is dropped by the pool; the next request opens another.
  pool.on('error', () => undefined);
  return pool;
}

const plain = (status: number, message: string, hint?: string): Answer => ({ status, body: JSON.stringify({ message, ...(hint === undefined ? {} : { hint }) }) });

async function answerTo(
  request: IncomingMessage, options: SupabaseOptions, tokens: Tokens, rooms: Readonly<Record<string, (call: Call) => Promise<Answer>>>, allowedOrigins: readonly string[],
): Promise<Answer> {
  const refusal = guardRequest(request, { allowedOrigins });
  if (refusal !== null) return plain(refusal.status, refusal.message, refusal.code);
  if (request.method === 'OPTIONS') return { status: 204 };
  const address = readAddress(request.url);
  if (address === null) return plain(400, 'The address is malformed');
  const found = /^\/(rest|auth)\/v1(\/.*)?$/.exec(address.path);
  const room = rooms[found?.[1] ?? ''];
  if (found === null || room === undefined) return plain(404, 'no Route matched with those values');
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]));
  const path = found[2] ?? '/';
  const open = found[1] === 'auth' && (path === '/.well-known/jwks.json' || path === '/health');
  const caller = open ? ANON : await identify(headers, address.query, found[1] === 'auth', options, tokens);
  if ('status' in caller) return caller;
  const body = await readText(request, found[1] === 'rest' ? 10_000_000 : 65_536);
  if (body === null) return plain(413, 'The body is too large');
  return room({ method: request.method ?? 'GET', path, query: address.query, headers, body, caller, address: request.socket.remoteAddress ?? '' });
}

/** Path (decoded) and query of a request; null when its escapes are broken. */
function readAddress(target = '/'): { path: string; query: URLSearchParams } | null {
  const [path = '', ...query] = target.split('?');
  try {
    return { path: decodeURIComponent(path), query: new URLSearchParams(query.join('?')) };
  } catch {
    return null;
  }
}

const ANON: Caller = { role: 'anon', claims: { role: 'anon' } };
const SERVICE: Caller = { role: 'service_role', claims: { role: 'service_role' } };

/** `apikey` says which application calls; `Authorization` (if it is not the key again) says who. */
async function identify(headers: Call['headers'], query: URLSearchParams, auth: boolean, options: SupabaseOptions, tokens: Tokens): Promise<Caller | Answer> {
  const key = headers['apikey'] ?? query.get('apikey') ?? '';
  if (key === '') return plain(401, 'No API key found in request', 'No `apikey` request header or url param was found.');
  const byKey = sameSecret(key, options.secretKey) ? SERVICE : sameSecret(key, options.publishableKey) ? ANON : null;
  if (byKey === null) return plain(401, 'Invalid API key', 'Double check the API key.');
  const bearer = /^Bearer\s+(.+)$/i.exec(headers['authorization'] ?? '')?.[1]?.trim();
  if (bearer === undefined || sameSecret(bearer, key)) return byKey;
  try {
    return await tokens.verify(bearer);
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    if (auth) return { status: 403, body: JSON.stringify({ code: 403, error_code: 'bad_jwt', msg: `invalid JWT: ${error.message}` }) };
    return {
      status: 401,
      headers: { 'www-authenticate': `Bearer error="invalid_token", error_description="${error.message}"` },
      body: JSON.stringify({ code: error.expired ? 'PGRST303' : 'PGRST301', details: null, hint: null, message: error.message }),
    };
  }
}

/** The body as text, or null when it is larger than `limit` bytes. */
async function readText(request: IncomingMessage, limit: number): Promise<string | null> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function corsHeaders(request: IncomingMessage, allowedOrigins: readonly string[]): Record<string, string> {
  const { origin } = request.headers;
  if (origin === undefined || !allowedOrigins.includes(origin)) return {};
  return {
    'access-control-allow-origin': origin, 'vary': 'Origin', 'access-control-allow-methods': 'GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS',
    'access-control-allow-headers': 'authorization,apikey,content-type,accept,prefer,range,range-unit,accept-profile,content-profile,x-client-info,x-supabase-api-version,x-retry-count',
    'access-control-expose-headers': 'content-range,x-total-count,link,retry-after', 'access-control-max-age': '3600',
  };
}

/** Something that nobody foresaw: named by a number in the log, told to nobody. */
function broken(error: unknown): Answer {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  const id = createHash('sha256').update(text).digest('hex').slice(0, 8);
  process.stderr.write(`supabase gateway: error ${id}: ${text.split('\n').slice(0, 3).join(' | ')}\n`);
  return plain(500, `An unexpected error occurred (${id}); the gateway's log says more.`);
}
