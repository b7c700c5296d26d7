import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { Pool } from 'pg';
import { AuthError } from './errors.ts';

const ONE_TIME_SECONDS = 3_600;
const digest = (text: string) => createHash('sha256').update(text).digest('hex');
const otpDigest = (email: string, otp: string) => digest(`${email.toLowerCase()}:${otp}`);

/** What a one-time token proves. A user has at most one of each. */
export type TokenKind = 'confirmation' | 'recovery' | 'email_change_current' | 'email_change_new' | 'reauthentication';
export const PKCE_PREFIX = 'pkce_';

/** GoTrue's `type` of a verification → the kinds of token that it accepts. */
export const KINDS: Readonly<Record<string, readonly TokenKind[]>> = {
  signup: ['confirmation'], invite: ['confirmation'], magiclink: ['recovery'], recovery: ['recovery'], email: ['confirmation', 'recovery'],
  email_change: ['email_change_current', 'email_change_new'],
};

type Database = Pick<Pool, 'query'>;
export interface Issued { tokenHash: string; otp: string }
export interface Taken { userId: string; kind: TokenKind; relatesTo: string }

/** A new token for a link and six digits for typing; either is good once, within the hour. An earlier one of this kind is void. */
export async function issueOneTime(database: Database, userId: string, email: string, kind: TokenKind, pkce: boolean): Promise<Issued> {
  const tokenHash = `${pkce ? PKCE_PREFIX : ''}${randomBytes(28).toString('hex')}`;
  const otp = String(randomInt(1_000_000)).padStart(6, '0');
  await database.query('delete from auth.one_time_tokens where user_id = $1 and token_type = $2', [userId, kind]);
  await database.query(
    `insert into auth.one_time_tokens (token_hash, user_id, token_type, expires_at, relates_to, otp_hash) values ($1, $2, $3, now() + make_interval(secs => $4), $5, $6)`,
    [digest(tokenHash), userId, kind, ONE_TIME_SECONDS, email.toLowerCase(), otpDigest(email, otp)]);
  return { tokenHash, otp };
}

/** Uses up the token of a link. Throws otp_expired. */
export async function takeLink(database: Database, tokenHash: string, kinds: readonly TokenKind[]): Promise<Taken> {
  return take(database, 'token_hash = $1', digest(tokenHash), kinds, 'Email link is invalid or has expired');
}

/** Uses up the six digits sent to an address. Throws otp_expired. */
export async function takeOtp(database: Database, email: string, otp: string, kinds: readonly TokenKind[]): Promise<Taken> {
  return take(database, 'otp_hash = $1', otpDigest(email, otp), kinds, 'Token has expired or is invalid');
}

async function take(database: Database, condition: string, value: string, kinds: readonly TokenKind[], refusal: string): Promise<Taken> {
  const { rows } = await database.query<{ user_id: string; token_type: TokenKind; relates_to: string; valid: boolean }>(
    `delete from auth.one_time_tokens where ${condition} and token_type = any($2) returning user_id, token_type, relates_to, expires_at > now() as valid`, [value, kinds]);
  const [row] = rows;
  if (row === undefined || !row.valid) throw new AuthError(403, 'otp_expired', refusal);
  return { userId: row.user_id, kind: row.token_type, relatesTo: row.relates_to };
}
