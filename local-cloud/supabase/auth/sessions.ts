import { createHash, randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { ACCESS_TOKEN_SECONDS, type Tokens } from '../tokens.ts';
import { AuthError } from './errors.ts';
import { readUser, showUser, type UserRow } from './users.ts';

const hash = (token: string) => createHash('sha256').update(token).digest('hex');
/** Two tabs may refresh with the same token at once; after this it counts as stolen and ends the session. */
const REUSE_GRACE_SECONDS = 10;
const ONE_TIME_SECONDS = 3_600;

/** Sessions in the database: access tokens are signed, refresh tokens are opaque, kept as hashes, used once. */
export interface Sessions {
  /** Signs a user in: GoTrue's session answer. */
  open(user: UserRow): Promise<Record<string, unknown>>;
  /** The next session answer for a refresh token. Throws refresh_token_not_found, refresh_token_already_used. */
  refresh(token: string): Promise<Record<string, unknown>>;
  /** Ends this session, all of the user's, or all others. */
  end(userId: string, sessionId: string, scope: 'local' | 'global' | 'others'): Promise<void>;
  exists(sessionId: string): Promise<boolean>;
  /** A secret that opens one session within the hour. */
  issueOneTime(userId: string, type: string): Promise<string>;
  /** The user of such a secret; it is used up. Throws otp_expired. */
  takeOneTime(token: string, types: readonly string[]): Promise<UserRow>;
}

export function createSessions(pool: Pool, tokens: Tokens): Sessions {
  const answer = async (user: UserRow, sessionId: string) => {
    assertNotBanned(user);
    const refresh = randomBytes(24).toString('base64url');
    await pool.query('insert into auth.refresh_tokens (token_hash, session_id) values ($1, $2)', [hash(refresh), sessionId]);
    const access = await tokens.sign({
      aud: 'authenticated', role: 'authenticated', sub: user.id, email: user.email, phone: '', app_metadata: user.raw_app_meta_data,
      user_metadata: user.raw_user_meta_data, session_id: sessionId, aal: 'aal1', is_anonymous: false,
    }, ACCESS_TOKEN_SECONDS);
    return {
      access_token: access, token_type: 'bearer', expires_in: ACCESS_TOKEN_SECONDS,
      expires_at: (JSON.parse(Buffer.from(access.split('.')[1] ?? '', 'base64url').toString()) as { exp: number }).exp,
      refresh_token: refresh, user: showUser(user),
    };
  };
  return {
    open: async (user) => {
      assertNotBanned(user);
      const { rows } = await pool.query<{ id: string }>('insert into auth.sessions (user_id) values ($1) returning id', [user.id]);
      const { rows: users } = await pool.query<UserRow>('update auth.users set last_sign_in_at = now() where id = $1 returning *', [user.id]);
      return answer(users[0] ?? user, rows[0]?.id ?? '');
    },
    refresh: async (token) => {
      const used = await pool.query<{ session_id: string; user_id: string }>(
        `update auth.refresh_tokens t set used_at = now() from auth.sessions s
         where t.token_hash = $1 and t.used_at is null and s.id = t.session_id returning t.session_id, s.user_id`, [hash(token)]);
      const session = used.rows[0];
      if (session === undefined) throw await refused(pool, hash(token));
      await pool.query('update auth.sessions set refreshed_at = now() where id = $1', [session.session_id]);
      return answer(await readUser(pool, session.user_id), session.session_id);
    },
    end: async (userId, sessionId, scope) => {
      await pool.query(`delete from auth.sessions where user_id = $1 and ($2 = 'global' or (id::text = $3) = ($2 = 'local'))`, [userId, scope, sessionId]);
    },
    exists: async (sessionId) => (await pool.query('select from auth.sessions where id::text = $1', [sessionId])).rowCount === 1,
    issueOneTime: async (userId, type) => {
      const token = randomBytes(24).toString('hex');
      await pool.query('delete from auth.one_time_tokens where user_id = $1 and token_type = $2', [userId, type]);
      await pool.query(`insert into auth.one_time_tokens (token_hash, user_id, token_type, expires_at) values ($1, $2, $3, now() + make_interval(secs => $4))`,
        [hash(token), userId, type, ONE_TIME_SECONDS]);
      return token;
    },
    takeOneTime: async (token, types) => {
      const { rows } = await pool.query<{ user_id: string; valid: boolean }>(
        'delete from auth.one_time_tokens where token_hash = $1 and token_type = any($2) returning user_id, expires_at > now() as valid', [hash(token), types]);
      if (rows[0]?.valid !== true) throw new AuthError(403, 'otp_expired', 'Email link is invalid or has expired');
      return readUser(pool, rows[0].user_id);
    },
  };
}

/** A token that is not usable: unknown, or used before. A late second use means that somebody else has a copy: the whole session ends. */
async function refused(pool: Pool, tokenHash: string): Promise<AuthError> {
  const { rows } = await pool.query<{ session_id: string; late: boolean }>(
    'select session_id, used_at < now() - make_interval(secs => $2) as late from auth.refresh_tokens where token_hash = $1', [tokenHash, REUSE_GRACE_SECONDS]);
  if (rows[0] === undefined) return new AuthError(400, 'refresh_token_not_found', 'Invalid Refresh Token: Refresh Token Not Found');
  if (rows[0].late) await pool.query('delete from auth.sessions where id = $1', [rows[0].session_id]);
  return new AuthError(400, 'refresh_token_already_used', 'Invalid Refresh Token: Already Used');
}

function assertNotBanned(user: UserRow): void {
  if (user.banned_until !== null && user.banned_until.getTime() > Date.now()) throw new AuthError(403, 'user_banned', 'User is banned');
}
