import { DatabaseError, type Pool } from 'pg';
import type { Answer, Call } from '../answer.ts';
import { isAway } from '../away.ts';
import type { Tokens } from '../tokens.ts';
import { adminRoutes } from './admin.ts';
import { Attempts } from './attempts.ts';
import type { AuthContext, AuthSettings, Route } from './context.ts';
import { AuthError } from './errors.ts';
import { createLimiter } from './limits.ts';
import { createMailer } from './mailer.ts';
import { mailRoutes } from './mails.ts';
import { createSessions } from './sessions.ts';
import { userRoutes } from './user-routes.ts';
import { verifyRoutes } from './verify.ts';

const FIVE_MINUTES = 300_000;

/** The auth room: GoTrue as supabase-js uses it, with addresses as the only identity provider. */
export function createAuth(pool: Pool, tokens: Tokens, settings: AuthSettings): (call: Call) => Promise<Answer> {
  const { now } = settings;
  const limiter = createLimiter(settings.rateLimits, now);
  const context: AuthContext = {
    ...settings, pool, tokens, limiter, sessions: createSessions(pool, tokens, now), mailer: createMailer(pool, settings.mailbox, limiter, settings.authUrl, now),
    failures: new Attempts(10, FIVE_MINUTES, now), failuresOfAddress: new Attempts(300, FIVE_MINUTES, now), guesses: new Attempts(10, FIVE_MINUTES, now),
  };
  const routes: Readonly<Record<string, Route>> = { ...userRoutes, ...mailRoutes, ...verifyRoutes, ...adminRoutes };
  return async (call) => {
    const found = /^(\/admin\/users)\/([^/]+)$/.exec(call.path);
    const route = routes[`${call.method} ${found === null ? call.path : `${found[1]}/:id`}`];
    try {
      if (route === undefined) throw new AuthError(404, 'not_found', 'This gateway has no such auth endpoint');
      return await route(call, context, found?.[2] ?? '');
    } catch (error) {
      return refusal(error).answer(call.headers);
    }
  };
}

function refusal(error: unknown): AuthError {
  if (error instanceof AuthError) return error;
  if (error instanceof DatabaseError && /^2[23]/.test(error.code ?? '')) return new AuthError(400, 'validation_failed', `The database refused a value: ${error.message}`);
  if (isAway(error)) return new AuthError(503, 'request_timeout', 'Database connection error: try again in a moment');
  throw error;
}
