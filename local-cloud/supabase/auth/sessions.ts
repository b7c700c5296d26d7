import { createHash, createHmac, randomBytes } from 'node:crypto';
import type { Pool, PoolClient } from 'pg';
import { withTransaction } from '../database.ts';
import { ACCESS_TOKEN_SECONDS, type Tokens } from '../tokens.ts';
import { AuthError } from './errors.ts';
import { assertNotBanned, readUser, showUser, type UserRow } from './users.ts';

const hash = (token: string) => createHash('sha256').update(token).digest('hex');
/** Two tabs may refresh with the same token at once; after this a second use counts as theft and ends the session. */
const REUSE_GRACE_SECONDS = 10;

/** How a user signed in, as the claim `amr` says it. */
export type AuthMethod = 'password' | 'otp' | 'magiclink' | 'recovery' | 'signup' | 'invite' | 'email_change';

/** Sessions in the database: access tokens are signed, refresh tokens are opaque, kept as hashes, used once. */
export interface Sessions {
  /** Signs a user in: GoTrue's session answer. */
  open(user: UserRow, method: AuthMethod): Promise<Record<string, unknown>>;
  /**
   * The next session answer for a refresh token. As Supabase rules it: the parent of the active token gets the active token again (the client may never
   * have stored it); an older one is forgiven within ten seconds of its use; later than that somebody else has a copy, and the session ends.
   * Throws refresh_token_not_found, refresh_token_already_used.
   */
  refresh(token: string): Promise<Record<string, unknown>>;
  /** Ends this session, all of the user's, or all others. */
  end(userId: string, sessionId: string, scope: 'local' | 'global' | 'others'): Promise<void>;
  exists(sessionId: string): Promise<boolean>;
}

interface Amr { method: string; timestamp: number }
interface UsedToken { session_id: string; user_id: string; amr: Amr[]; used: boolean; late: boolean; successor_salt: string | null }

export function createSessions(pool: Pool, tokens: Tokens, now: () => number): Sessions {
  const answer = async (user: UserRow, sessionId: string, amr: readonly Amr[], refreshToken: string) => {
    const issued = await tokens.sign({
      aud: 'authenticated', role: 'authenticated', sub: user.id, email: user.email, phone: '', app_metadata: user.raw_app_meta_data,
      user_metadata: user.raw_user_meta_data, session_id: sessionId, aal: 'aal1', amr, is_anonymous: false,
    }, ACCESS_TOKEN_SECONDS);
    return { access_token: issued.token, token_type: 'bearer', expires_in: ACCESS_TOKEN_SECONDS, expires_at: issued.expiresAt, refresh_token: refreshToken, user: showUser(user) };
  };
  return {
    open: async (user, method) => {
      assertNotBanned(user, now());
      const amr = [{ method, timestamp: Math.floor(now() / 1_000) }];
      const refreshToken = randomBytes(24).toString('base64url');
      const opened = await withTransaction(pool, async (client) => {
        const { rows } = await client.query<{ id: string }>('insert into auth.sessions (user_id, amr) values ($1, $2) returning id', [user.id, JSON.stringify(amr)]);
        const sessionId = rows[0]?.id ?? '';
        await keep(client, refreshToken, sessionId);
        const { rows: users } = await client.query<UserRow>('update auth.users set last_sign_in_at = now() where id = $1 returning *', [user.id]);
        return { sessionId, user: users[0] ?? user };
      });
      return answer(opened.user, opened.sessionId, amr, refreshToken);
    },
    refresh: async (token) => {
      const next = await withTransaction(pool, async (client) => {
        const { rows } = await client.query<UsedToken>(
          `select t.session_id, t.successor_salt, t.used_at is not null as used, coalesce(t.used_at < now() - make_interval(secs => $2), false) as late, s.user_id, s.amr
           from auth.refresh_tokens t join auth.sessions s on s.id = t.session_id where t.token_hash = $1 for update of s`, [hash(token), REUSE_GRACE_SECONDS]);
        const [row] = rows;
        if (row === undefined) throw new AuthError(400, 'refresh_token_not_found', 'Invalid Refresh Token: Refresh Token Not Found');
        const user = await readUser(client, row.user_id);
        assertNotBanned(user, now());
        const refreshToken = await successor(client, token, row);
        if (refreshToken === null) await client.query('delete from auth.sessions where id = $1', [row.session_id]);
        else await client.query('update auth.sessions set refreshed_at = now() where id = $1', [row.session_id]);
        return { row, user, refreshToken };
      });
      if (next.refreshToken === null) throw new AuthError(400, 'refresh_token_already_used', 'Invalid Refresh Token: Already Used');
      return answer(next.user, next.row.session_id, next.row.amr, next.refreshToken);
    },
    end: async (userId, sessionId, scope) => {
      await pool.query(`delete from auth.sessions where user_id = $1 and ($2 = 'global' or (id::text = $3) = ($2 = 'local'))`, [userId, scope, sessionId]);
    },
    exists: async (sessionId) => (await pool.query('select from auth.sessions where id::text = $1', [sessionId])).rowCount === 1,
  };
}

async function keep(client: PoolClient, token: string, sessionId: string): Promise<void> {
  await client.query('insert into auth.refresh_tokens (token_hash, session_id) values ($1, $2)', [hash(token), sessionId]);
}

/** The token that follows: a new one, the active one again, or null when this use is a theft. The session's row is locked. */
async function successor(client: PoolClient, token: string, row: UsedToken): Promise<string | null> {
  if (!row.used) {
    const salt = randomBytes(16).toString('base64url');
    const next = derive(token, salt);
    await client.query('update auth.refresh_tokens set used_at = now(), successor_salt = $2 where token_hash = $1', [hash(token), salt]);
    await keep(client, next, row.session_id);
    return next;
  }
  const child = row.successor_salt === null ? null : derive(token, row.successor_salt);
  if (child !== null && (await client.query('select from auth.refresh_tokens where token_hash = $1 and used_at is null', [hash(child)])).rowCount === 1) return child;
  if (row.late) return null;
  const another = randomBytes(24).toString('base64url');
  await keep(client, another, row.session_id);
  return another;
}

/** Only who holds the token and the row's salt knows its successor. */
const derive = (token: string, salt: string) => createHmac('sha256', token).update(salt).digest().subarray(0, 24).toString('base64url');
