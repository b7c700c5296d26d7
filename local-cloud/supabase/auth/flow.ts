import { createHash, randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { sameSecret } from '../../shared/http.ts';
import type { Fields } from './body.ts';
import { AuthError } from './errors.ts';

const CODE_SECONDS = 300;
type Database = Pick<Pool, 'query'>;
const digest = (text: string) => createHash('sha256').update(text).digest('hex');

export interface Challenge { challenge: string; method: 's256' | 'plain' }

/** The PKCE challenge of a request; null for the implicit flow. Throws validation_failed (RFC 7636: 43 to 128 unreserved characters). */
export function challengeOf(fields: Fields): Challenge | null {
  const { code_challenge: challenge, code_challenge_method: method } = fields;
  const given = (value: unknown) => value !== undefined && value !== null && value !== '';
  if (!given(challenge) && !given(method)) return null;
  if (!given(challenge) || !given(method)) throw new AuthError(400, 'validation_failed', 'PKCE flow requires code_challenge_method and code_challenge');
  const name = typeof method === 'string' ? method.toLowerCase() : '';
  if (name !== 's256' && name !== 'plain') throw new AuthError(400, 'validation_failed', 'unsupported code_challenge method');
  if (typeof challenge !== 'string' || !/^[\w.~-]{43,128}$/.test(challenge)) {
    throw new AuthError(400, 'validation_failed', 'code challenge has to be between 43 and 128 characters of A-Z, a-z, 0-9, -, ., _ and ~');
  }
  return { challenge, method: name };
}

/** Keeps the challenge until the link is opened. The user's earlier one for the same purpose is void, and what nobody came back for is forgotten. */
export async function openFlow(database: Database, userId: string, { challenge, method }: Challenge, purpose: string): Promise<void> {
  await database.query('delete from auth.flow_state where user_id = $1 and (created_at < now() - interval \'1 day\' or (authentication_method = $2 and auth_code_hash is null))', [userId, purpose]);
  await database.query('insert into auth.flow_state (user_id, code_challenge, code_challenge_method, authentication_method) values ($1, $2, $3, $4)', [userId, challenge, method, purpose]);
}

/** The code that a link's redirect carries. Throws flow_state_not_found. */
export async function issueCode(database: Database, userId: string, purpose: string): Promise<string> {
  const code = randomUUID();
  const { rowCount } = await database.query(
    `update auth.flow_state set auth_code_hash = $3, auth_code_issued_at = now() where id = (
       select id from auth.flow_state where user_id = $1 and authentication_method = $2 and auth_code_hash is null order by created_at desc limit 1)`, [userId, purpose, digest(code)]);
  if (rowCount !== 1) throw new AuthError(404, 'flow_state_not_found', 'No associated flow state found');
  return code;
}

/** Turns code and verifier into the user and how they proved who they are. Throws flow_state_not_found, flow_state_expired, bad_code_verifier. */
export async function exchangeCode(database: Database, code: string, verifier: string): Promise<{ userId: string; method: string }> {
  const { rows } = await database.query<{ id: string; user_id: string; code_challenge: string; code_challenge_method: string; authentication_method: string; fresh: boolean }>(
    'select *, auth_code_issued_at > now() - make_interval(secs => $2) as fresh from auth.flow_state where auth_code_hash = $1', [digest(code), CODE_SECONDS]);
  const [flow] = rows;
  if (flow === undefined) throw notFound();
  if (!flow.fresh) throw new AuthError(422, 'flow_state_expired', 'invalid flow state, flow state has expired');
  const challenge = flow.code_challenge_method === 'plain' ? verifier : createHash('sha256').update(verifier).digest('base64url');
  if (!sameSecret(challenge, flow.code_challenge)) throw new AuthError(400, 'bad_code_verifier', 'code challenge does not match previously saved code verifier');
  const { rowCount } = await database.query('delete from auth.flow_state where id = $1', [flow.id]);
  if (rowCount !== 1) throw notFound(); // another request was first
  return { userId: flow.user_id, method: flow.authentication_method };
}

const notFound = () => new AuthError(404, 'flow_state_not_found', 'invalid flow state, no valid flow state found');
