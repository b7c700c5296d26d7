import { json, type Answer, type Call } from '../answer.ts';
import { emailOf, optionalText, readFields, textOf } from './body.ts';
import type { AuthContext, Route } from './context.ts';
import { AuthError } from './errors.ts';
import { exchangeCode, issueCode } from './flow.ts';
import { KINDS, PKCE_PREFIX, takeLink, takeOtp, type Taken, type TokenKind } from './one-time.ts';
import { redirectTarget, withFragment, withQuery } from './redirects.ts';
import type { AuthMethod } from './sessions.ts';
import { assertNotBanned, changeEmail, readUser, updateUser, type UserRow } from './users.ts';

const HALF_CHANGED = 'Confirmation link accepted. Please proceed to confirm link sent to the other email';

/** The three ways to turn a mail into a session: its link, its token or digits sent by the application, and the code that a PKCE link leads to. */
export const verifyRoutes: Readonly<Record<string, Route>> = {
  'GET /verify': async (call, context) => openLink(call, context),
  'POST /verify': async (call, context) => {
    context.limiter.tokenVerification(call.address);
    const fields = readFields(call);
    const type = textOf(fields, 'type');
    const kinds = kindsOf(type);
    const hash = optionalText(fields, 'token_hash');
    const taken = hash === null ? await takeDigits(emailOf(fields), textOf(fields, 'token'), kinds, context) : await takeLink(context.pool, hash, kinds);
    const user = await confirm(taken, context);
    return user === null ? json(200, { msg: HALF_CHANGED, code: '200' }) : json(200, await context.sessions.open(user, 'otp'));
  },
};

function kindsOf(type: string): readonly TokenKind[] {
  const kinds = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined;
  if (kinds === undefined) throw new AuthError(400, 'validation_failed', 'Invalid email verification type');
  return kinds;
}

/** Six digits can be guessed: an address has ten tries in five minutes, wherever they come from. */
async function takeDigits(email: string, digits: string, kinds: readonly TokenKind[], { pool, guesses }: AuthContext): Promise<Taken> {
  if (guesses.isExhausted(email)) throw new AuthError(429, 'over_request_rate_limit', 'Request rate limit reached');
  try {
    return await takeOtp(pool, email, digits, kinds);
  } catch (error) {
    if (error instanceof AuthError) guesses.note(email);
    throw error;
  }
}

/** What the token proved takes effect. Null while a change of address waits for the other mail. */
async function confirm(taken: Taken, { pool, now }: AuthContext): Promise<UserRow | null> {
  assertNotBanned(await readUser(pool, taken.userId), now());
  if (taken.kind !== 'email_change_current' && taken.kind !== 'email_change_new') return updateUser(pool, taken.userId, { confirmed: true });
  const { rowCount } = await pool.query(`select from auth.one_time_tokens where user_id = $1 and token_type like 'email_change%'`, [taken.userId]);
  return (rowCount ?? 0) > 0 ? null : changeEmail(pool, taken.userId);
}

/** A link opened in a browser: the answer is always a redirect to the application, with a session, a code or the reason of the refusal. */
async function openLink(call: Call, context: AuthContext): Promise<Answer> {
  const token = call.query.get('token') ?? '';
  const type = call.query.get('type') ?? '';
  const target = redirectTarget(call.query.get('redirect_to'), context.redirects);
  const pkce = token.startsWith(PKCE_PREFIX);
  try {
    context.limiter.tokenVerification(call.address);
    if (token === '') throw new AuthError(400, 'validation_failed', 'Verify requires a token or a token hash');
    const user = await confirm(await takeLink(context.pool, token, kindsOf(type)), context);
    if (user === null) return redirect(withFragment(target, { message: HALF_CHANGED }));
    if (pkce) return redirect(withQuery(target, { code: await issueCode(context.pool, user.id, type) }));
    const { user: _user, ...session } = await context.sessions.open(user, 'otp');
    return redirect(withFragment(target, { ...session, type }));
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    const said = { error: error.status >= 500 ? 'server_error' : error.status === 403 ? 'access_denied' : 'invalid_request', error_code: error.errorCode, error_description: error.message };
    return redirect(withFragment(pkce ? withQuery(target, said) : target, said));
  }
}

const redirect = (location: string): Answer => ({ status: 303, headers: { location, 'referrer-policy': 'no-referrer' } });

/** `grant_type=pkce`. */
export async function grantByCode(call: Call, context: AuthContext): Promise<Answer> {
  const fields = readFields(call);
  const code = optionalText(fields, 'auth_code');
  const verifier = optionalText(fields, 'code_verifier');
  if (code === null || verifier === null) throw new AuthError(400, 'validation_failed', 'invalid request: both auth code and code verifier should be non-empty');
  const { userId, method } = await exchangeCode(context.pool, code, verifier);
  return json(200, await context.sessions.open(await readUser(context.pool, userId), method as AuthMethod));
}
