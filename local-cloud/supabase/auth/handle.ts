import { DatabaseError, type Pool } from 'pg';
import { json, type Answer, type Call } from '../answer.ts';
import type { Tokens } from '../tokens.ts';
import { adminRoutes } from './admin.ts';
import { Attempts } from './attempts.ts';
import { emailOf, objectOf, passwordOf, readFields, textOf } from './body.ts';
import { AuthError } from './errors.ts';
import { hashPassword, isPassword } from './passwords.ts';
import { isAway } from '../away.ts';
import { createSessions, type Sessions } from './sessions.ts';
import { findUserByEmail, insertUser, readUser, showUser, updateUser, type UserRow } from './users.ts';

export interface AuthContext { pool: Pool; tokens: Tokens; sessions: Sessions; passwordCost: number; now: () => number }
export type Route = (call: Call, context: AuthContext, id: string) => Promise<Answer>;

/** The auth room: the part of GoTrue that supabase-js uses. */
export function createAuth(pool: Pool, tokens: Tokens, passwordCost: number, now: () => number): (call: Call) => Promise<Answer> {
  const context: AuthContext = { pool, tokens, sessions: createSessions(pool, tokens), passwordCost, now };
  const routes: Readonly<Record<string, Route>> = { ...userRoutes(now), ...adminRoutes };
  return async (call) => {
    const found = /^(\/admin\/users)\/([^/]+)$/.exec(call.path);
    const route = routes[`${call.method} ${found === null ? call.path : `${found[1]}/:id`}`];
    try {
      if (route === undefined) throw new AuthError(404, 'not_found', 'This gateway has no such auth endpoint');
      return await route(call, context, found?.[2] ?? '');
    } catch (error) {
      return refusal(error).answer();
    }
  };
}

function refusal(error: unknown): AuthError {
  if (error instanceof AuthError) return error;
  if (error instanceof DatabaseError && /^2[23]/.test(error.code ?? '')) return new AuthError(400, 'validation_failed', `The database refused a value: ${error.message}`);
  if (isAway(error)) return new AuthError(503, 'request_timeout', 'Database connection error: try again in a moment');
  throw error;
}

function userRoutes(now: () => number): Readonly<Record<string, Route>> {
  const perAccount = new Attempts(10, 300_000, now);
  const perAddress = new Attempts(300, 300_000, now);
  return {
    'GET /health': async () => json(200, { version: 'local', name: 'GoTrue', description: 'Auth of the local Supabase gateway' }),
    'GET /settings': async () => json(200, { external: { email: true, phone: false, anonymous_users: false }, disable_signup: false, mailer_autoconfirm: true, phone_autoconfirm: false, sms_provider: '', saml_enabled: false }),
    'GET /.well-known/jwks.json': async (_, { tokens }) => json(200, tokens.jwks, { 'cache-control': 'public, max-age=600' }),
    'POST /signup': async (call, { pool, sessions, passwordCost }) => {
      const fields = readFields(call);
      const user = await insertUser(pool, { email: emailOf(fields), passwordHash: await hashPassword(passwordOf(fields), passwordCost), confirmed: true, userMetadata: objectOf(fields, 'data') },
        new AuthError(422, 'user_already_exists', 'User already registered'));
      return json(200, await sessions.open(user));
    },
    'POST /token': async (call, context) => {
      const fields = readFields(call);
      const grant = call.query.get('grant_type');
      if (grant === 'refresh_token') return json(200, await context.sessions.refresh(textOf(fields, 'refresh_token')));
      if (grant !== 'password') throw new AuthError(400, 'validation_failed', 'unsupported_grant_type');
      return json(200, await context.sessions.open(await signIn(emailOf(fields), textOf(fields, 'password'), call.address, context, perAccount, perAddress)));
    },
    'POST /verify': async (call, { sessions }) => {
      const fields = readFields(call);
      const type = textOf(fields, 'type');
      return json(200, await sessions.open(await sessions.takeOneTime(textOf(fields, 'token_hash'), type === 'email' ? ['magiclink', 'email'] : [type])));
    },
    'GET /user': async (call, context) => json(200, showUser(await signedIn(call, context))),
    'PUT /user': async (call, context) => {
      const user = await signedIn(call, context);
      const fields = readFields(call);
      return json(200, showUser(await updateUser(context.pool, user.id, {
        passwordHash: fields['password'] === undefined ? undefined : await hashPassword(passwordOf(fields), context.passwordCost),
        userMetadata: objectOf(fields, 'data'),
      })));
    },
    'POST /logout': async (call, context) => {
      const user = await signedIn(call, context);
      const scope = call.query.get('scope') ?? 'global';
      if (scope !== 'local' && scope !== 'global' && scope !== 'others') throw new AuthError(400, 'validation_failed', 'Unsupported logout scope');
      await context.sessions.end(user.id, String(call.caller.claims['session_id']), scope);
      return { status: 204 };
    },
  };
}

async function signIn(email: string, password: string, address: string, { pool, passwordCost }: AuthContext, perAccount: Attempts, perAddress: Attempts): Promise<UserRow> {
  if (perAccount.isExhausted(email) || perAddress.isExhausted(address)) throw new AuthError(429, 'over_request_rate_limit', 'Request rate limit reached: wait a few minutes');
  const user = await findUserByEmail(pool, email);
  if (!(await isPassword(password, user?.encrypted_password ?? null, passwordCost)) || user === null) {
    perAccount.note(email);
    perAddress.note(address);
    throw new AuthError(400, 'invalid_credentials', 'Invalid login credentials');
  }
  perAccount.forget(email);
  if (user.email_confirmed_at === null) throw new AuthError(400, 'email_not_confirmed', 'Email not confirmed');
  return user;
}

/** The user of the bearer token, whose session must still exist. */
async function signedIn(call: Call, { pool, sessions }: AuthContext): Promise<UserRow> {
  const { role, claims } = call.caller;
  if (role !== 'authenticated' || typeof claims['sub'] !== 'string') throw new AuthError(401, 'no_authorization', 'This endpoint requires a valid Bearer token');
  if (!(await sessions.exists(String(claims['session_id'])))) throw new AuthError(403, 'session_not_found', 'Session from session_id claim in JWT does not exist');
  return readUser(pool, claims['sub']);
}
