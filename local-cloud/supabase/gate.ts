import type { IncomingMessage } from 'node:http';
import { guardRequest, sameSecret } from '../shared/http.ts';
import type { ApiKeys } from './api-keys.ts';
import type { Answer, Call, Caller } from './answer.ts';
import { AuthError } from './auth/errors.ts';
import { TokenError, type Tokens } from './tokens.ts';

type Nameless = Omit<Call, 'caller'>;

/** Behind the gate: PostgREST and Auth know who calls; the mail catcher and the management ask by themselves. */
export interface Rooms {
  rest(call: Call): Promise<Answer>;
  auth(call: Call): Promise<Answer>;
  mail(call: Nameless): Answer;
  management(call: Nameless): Promise<Answer>;
}

export interface Gate { keys: Pick<ApiKeys, 'typeOf'>; tokens: Tokens; rooms: Rooms; allowedOrigins: readonly string[] }

export const plain = (status: number, message: string, hint?: string): Answer => ({ status, body: JSON.stringify({ message, ...(hint === undefined ? {} : { hint }) }) });

const PREFIXES: readonly [keyof Rooms, RegExp][] = [['rest', /^\/rest\/v1(?=\/|$)/], ['auth', /^\/auth\/v1(?=\/|$)/], ['mail', /^\/mail(?=\/|$)/], ['management', /^\/v1\/projects(?=\/|$)/]];
/** What a browser opens without a key: links in mails, the keys that verify tokens. */
const OPEN = new Set(['GET /verify', 'GET /authorize', 'GET /.well-known/jwks.json', 'GET /health']);

/** The gate: refuses what a hostile page could send, finds the room, says who calls. Throws what nobody foresaw. */
export async function answerTo(request: IncomingMessage, gate: Gate): Promise<Answer> {
  const refusal = guardRequest(request, { allowedOrigins: gate.allowedOrigins });
  if (refusal !== null) return plain(refusal.status, refusal.message, refusal.code);
  if (request.method === 'OPTIONS') return { status: 204 };
  const address = readAddress(request.url);
  if (address === null) return plain(400, 'The address is malformed');
  const [room, prefix] = PREFIXES.find(([, one]) => one.test(address.path)) ?? [];
  if (room === undefined || prefix === undefined) return plain(404, 'no Route matched with those values');
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]));
  const path = address.path.replace(prefix, '') || '/';
  const method = request.method ?? 'GET';
  const known = room === 'rest' || room === 'auth';
  const caller = !known || (room === 'auth' && OPEN.has(`${method} ${path}`)) ? ANON : await identify(headers, address.query, room, gate);
  if ('status' in caller) return caller;
  const body = await readText(request, room === 'rest' ? 10_000_000 : 65_536);
  if (body === null) return plain(413, 'The body is too large');
  return gate.rooms[room]({ method, path, query: address.query, headers, body, caller, address: request.socket.remoteAddress ?? '' });
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
async function identify(headers: Call['headers'], query: URLSearchParams, room: 'rest' | 'auth', gate: Gate): Promise<Caller | Answer> {
  const key = headers['apikey'] ?? query.get('apikey') ?? '';
  if (key === '') return plain(401, 'No API key found in request', 'No `apikey` request header or url param was found.');
  const type = await gate.keys.typeOf(key);
  const byKey = type === 'secret' ? SERVICE : type === 'publishable' ? ANON : null;
  if (byKey === null) return plain(401, 'Invalid API key', 'Double check the API key.');
  const bearer = /^Bearer\s+(.+)$/i.exec(headers['authorization'] ?? '')?.[1]?.trim();
  if (bearer === undefined || sameSecret(bearer, key)) return byKey;
  try {
    return await gate.tokens.verify(bearer);
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    if (room === 'auth') return new AuthError(403, 'bad_jwt', `invalid JWT: ${error.message}`).answer(headers);
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
