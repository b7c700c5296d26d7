import { randomUUID } from 'node:crypto';
import { json, type Answer, type Call } from '../answer.ts';
import { emailOf, objectOf, optionalText, passwordOf, readFields, textOf, type Fields } from './body.ts';
import { signedIn, type AuthContext, type Route } from './context.ts';
import { AuthError } from './errors.ts';
import { challengeOf } from './flow.ts';
import { emailTaken, redirectOf, sendEmailChange } from './mails.ts';
import { takeOtp } from './one-time.ts';
import { hashPassword, isPassword } from './passwords.ts';
import { findUserByEmail, insertUser, readUser, showUser, updateUser, wantEmail, type UserRow } from './users.ts';
import { grantByCode } from './verify.ts';

/** What a user does: sign up, sign in, refresh, change, sign out. */
export const userRoutes: Readonly<Record<string, Route>> = {
  'GET /health': async () => json(200, { version: 'local', name: 'GoTrue', description: 'Auth of the local Supabase gateway' }),
  'GET /settings': async (_, { autoconfirm }) => json(200, { external: { email: true, phone: false, anonymous_users: false }, disable_signup: false, mailer_autoconfirm: autoconfirm, phone_autoconfirm: false, sms_provider: '', saml_enabled: false }),
  'GET /.well-known/jwks.json': async (_, { tokens }) => json(200, await tokens.jwks(), { 'cache-control': 'public, max-age=600' }),
  'GET /authorize': async () => { throw new AuthError(400, 'validation_failed', 'Unsupported provider: provider is not enabled'); },
  'POST /signup': async (call, context) => {
    context.limiter.signInSignUp(call.address);
    const fields = readFields(call);
    if (fields['phone'] !== undefined && fields['phone'] !== '') throw new AuthError(400, 'phone_provider_disabled', 'Phone signups are disabled');
    if (fields['email'] === undefined && fields['password'] === undefined) throw new AuthError(422, 'anonymous_provider_disabled', 'Anonymous sign-ins are disabled');
    return context.autoconfirm ? signUpAtOnce(fields, context) : signUpByMail(call, fields, context);
  },
  'POST /token': async (call, context) => {
    switch (call.query.get('grant_type')) {
      case 'password': return grantByPassword(call, context);
      case 'refresh_token':
        context.limiter.tokenRefresh(call.address);
        return json(200, await context.sessions.refresh(textOf(readFields(call), 'refresh_token')));
      case 'pkce': return grantByCode(call, context);
      default: throw new AuthError(400, 'validation_failed', 'unsupported_grant_type');
    }
  },
  'GET /user': async (call, context) => json(200, showUser(await signedIn(call, context))),
  'PUT /user': async (call, context) => {
    const user = await signedIn(call, context);
    const fields = readFields(call);
    const nonce = optionalText(fields, 'nonce');
    if (nonce !== null) await takeNonce(user, nonce, context);
    const email = fields['email'] === undefined || fields['email'] === null ? user.email : emailOf(fields);
    await updateUser(context.pool, user.id, { passwordHash: await newPassword(call, fields, user, context), userMetadata: objectOf(fields, 'data') });
    if (email !== null && email !== user.email) await changeAddress(call, fields, user, email, context);
    return json(200, showUser(await readUser(context.pool, user.id)));
  },
  'POST /logout': async (call, context) => {
    const user = await signedIn(call, context);
    const scope = call.query.get('scope') ?? 'global';
    if (scope !== 'local' && scope !== 'global' && scope !== 'others') throw new AuthError(400, 'validation_failed', 'Unsupported logout scope');
    await context.sessions.end(user.id, String(call.caller.claims['session_id']), scope);
    return { status: 204 };
  },
};

async function signUpAtOnce(fields: Fields, { pool, sessions, passwordCost }: AuthContext): Promise<Answer> {
  const user = await insertUser(pool, { email: emailOf(fields), passwordHash: await hashPassword(passwordOf(fields), passwordCost), confirmed: true, userMetadata: objectOf(fields, 'data') }, emailTaken('user_already_exists'));
  return json(200, await sessions.open(user, 'password'));
}

/** The address must be confirmed first. For one that has an account the answer looks the same, so that nobody learns whose addresses are here. */
async function signUpByMail(call: Call, fields: Fields, context: AuthContext): Promise<Answer> {
  const { pool, passwordCost, mailer } = context;
  const email = emailOf(fields);
  const passwordHash = await hashPassword(passwordOf(fields), passwordCost);
  const challenge = challengeOf(fields);
  const known = await findUserByEmail(pool, email);
  if (known !== null && known.email_confirmed_at !== null) return json(200, nobody(email, fields, context));
  const user = known ?? await insertUser(pool, { email, passwordHash, confirmed: false, userMetadata: objectOf(fields, 'data') }, emailTaken('user_already_exists'));
  await mailer.send('signup', user, { redirectTo: redirectOf(call, fields, context), challenge });
  return json(200, showUser(await readUser(pool, user.id)));
}

/** What the answer to a sign-up looks like when there is nothing to say. */
function nobody(email: string, fields: Fields, { now }: AuthContext): Record<string, unknown> {
  const at = new Date(now());
  return {
    id: randomUUID(), aud: 'authenticated', role: 'authenticated', email, phone: '', confirmation_sent_at: at, app_metadata: { provider: 'email', providers: ['email'] },
    user_metadata: objectOf(fields, 'data') ?? {}, identities: [], created_at: at, updated_at: at, is_anonymous: false,
  };
}

async function grantByPassword(call: Call, context: AuthContext): Promise<Answer> {
  const { pool, passwordCost, failures, failuresOfAddress, sessions, limiter } = context;
  limiter.signInSignUp(call.address);
  const fields = readFields(call);
  const email = emailOf(fields);
  const password = textOf(fields, 'password');
  if (failures.isExhausted(email) || failuresOfAddress.isExhausted(call.address)) throw new AuthError(429, 'over_request_rate_limit', 'Request rate limit reached: wait a few minutes');
  const user = await findUserByEmail(pool, email);
  if (!(await isPassword(password, user?.encrypted_password ?? null, passwordCost)) || user === null) {
    failures.note(email);
    failuresOfAddress.note(call.address);
    throw new AuthError(400, 'invalid_credentials', 'Invalid login credentials');
  }
  failures.forget(email);
  if (user.email_confirmed_at === null) throw new AuthError(400, 'email_not_confirmed', 'Email not confirmed');
  return json(200, await sessions.open(user, 'password'));
}

/** The hash of a new password; the user's other sessions end. Throws same_password. */
async function newPassword(call: Call, fields: Fields, user: UserRow, { passwordCost, sessions }: AuthContext): Promise<string | undefined> {
  if (fields['password'] === undefined || fields['password'] === null) return undefined;
  const password = passwordOf(fields);
  if (user.encrypted_password !== null && await isPassword(password, user.encrypted_password, passwordCost)) {
    throw new AuthError(422, 'same_password', 'New password should be different from the old password.');
  }
  await sessions.end(user.id, String(call.caller.claims['session_id']), 'others');
  return hashPassword(password, passwordCost);
}

async function changeAddress(call: Call, fields: Fields, user: UserRow, email: string, context: AuthContext): Promise<void> {
  if (await findUserByEmail(context.pool, email) !== null) throw emailTaken();
  if (context.autoconfirm) {
    await updateUser(context.pool, user.id, { email });
    return;
  }
  await sendEmailChange(user, email, redirectOf(call, fields, context), challengeOf(fields), context);
  await wantEmail(context.pool, user.id, email);
}

async function takeNonce(user: UserRow, nonce: string, { pool }: AuthContext): Promise<void> {
  const taken = await takeOtp(pool, user.email ?? '', nonce, ['reauthentication']).catch((error: unknown) => { if (error instanceof AuthError) return null; throw error; });
  if (taken?.userId !== user.id) throw new AuthError(422, 'reauthentication_not_valid', 'Nonce has expired or is invalid');
}
