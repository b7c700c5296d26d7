import type { Pool } from 'pg';
import type { Answer, Call } from '../answer.ts';
import type { Mailbox } from '../mail/mailbox.ts';
import type { Tokens } from '../tokens.ts';
import type { Attempts } from './attempts.ts';
import { AuthError } from './errors.ts';
import type { Limiter, RateLimits } from './limits.ts';
import type { Mailer } from './mailer.ts';
import type { Redirects } from './redirects.ts';
import type { Sessions } from './sessions.ts';
import { readUser, type UserRow } from './users.ts';

export interface AuthSettings {
  passwordCost: number;
  rateLimits: RateLimits;
  redirects: Redirects;
  /** Whether a new account may sign in before its address is confirmed. */
  autoconfirm: boolean;
  mailbox: Mailbox;
  /** `<gateway>/auth/v1`, known once it listens. */
  authUrl: () => string;
  now: () => number;
}

export interface AuthContext extends AuthSettings {
  pool: Pool;
  tokens: Tokens;
  sessions: Sessions;
  mailer: Mailer;
  limiter: Limiter;
  /** Wrong passwords per account and per address, wrong digits per account. */
  failures: Attempts;
  failuresOfAddress: Attempts;
  guesses: Attempts;
}
export type Route = (call: Call, context: AuthContext, id: string) => Promise<Answer>;

/** Lets only the secret key (or a token of role service_role) on. */
export const asAdmin = (route: Route): Route => async (call, context, id) => {
  if (call.caller.role !== 'service_role') throw new AuthError(403, 'not_admin', 'User not allowed');
  return route(call, context, id);
};

/** The user of the bearer token, whose session must still exist. */
export async function signedIn(call: Call, { pool, sessions }: AuthContext): Promise<UserRow> {
  const { role, claims } = call.caller;
  if (role !== 'authenticated' || typeof claims['sub'] !== 'string') throw new AuthError(401, 'no_authorization', 'This endpoint requires a valid Bearer token');
  if (!(await sessions.exists(String(claims['session_id'])))) throw new AuthError(403, 'session_not_found', 'Session from session_id claim in JWT does not exist');
  return readUser(pool, claims['sub']);
}
