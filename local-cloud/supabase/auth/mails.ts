import { json, type Call } from '../answer.ts';
import { emailOf, objectOf, readFields, textOf, type Fields } from './body.ts';
import { asAdmin, signedIn, type AuthContext, type Route } from './context.ts';
import { AuthError } from './errors.ts';
import { challengeOf } from './flow.ts';
import { redirectTarget } from './redirects.ts';
import { findUserByEmail, insertUser, readUser, showUser, type UserRow } from './users.ts';

export const emailTaken = (code: 'user_already_exists' | 'email_exists' = 'email_exists') => (code === 'email_exists'
  ? new AuthError(422, code, 'A user with this email address has already been registered')
  : new AuthError(422, code, 'User already registered'));

/** Where the link of a mail leads: said in the address, or (generate_link) in the body. */
export const redirectOf = (call: Call, fields: Fields, { redirects }: AuthContext): string => {
  const inBody = fields['redirect_to'];
  return redirectTarget(call.query.get('redirect_to') ?? (typeof inBody === 'string' ? inBody : null), redirects);
};

/** Signs in by mail; an address without an account gets one unless `create_user` is false. */
const sendSignIn: Route = async (call, context) => {
  context.limiter.signInSignUp(call.address);
  const fields = readFields(call);
  if (fields['phone'] !== undefined) throw new AuthError(400, 'phone_provider_disabled', 'Unsupported phone provider');
  const email = emailOf(fields);
  const challenge = challengeOf(fields);
  const redirectTo = redirectOf(call, fields, context);
  const known = await findUserByEmail(context.pool, email);
  if (known === null && fields['create_user'] === false) throw new AuthError(422, 'otp_disabled', 'Signups not allowed for otp');
  const user = known ?? await insertUser(context.pool, { email, passwordHash: null, confirmed: context.autoconfirm, userMetadata: objectOf(fields, 'data') }, emailTaken());
  // Until an address is confirmed the mail that confirms it signs in as well.
  await context.mailer.send(user.email_confirmed_at === null ? 'signup' : 'magiclink', user, { redirectTo, challenge });
  return json(200, {});
};

/** Whether an address has an account is not told: the answer is the same. */
const withUser = (act: (user: UserRow, call: Call, fields: Fields, context: AuthContext) => Promise<void>): Route => async (call, context) => {
  context.limiter.signInSignUp(call.address);
  const fields = readFields(call);
  const user = await findUserByEmail(context.pool, emailOf(fields));
  if (user !== null) await act(user, call, fields, context);
  return json(200, {});
};

/** Every endpoint whose work is to send a mail. */
export const mailRoutes: Readonly<Record<string, Route>> = {
  'POST /otp': sendSignIn,
  'POST /magiclink': sendSignIn,
  'POST /recover': async (call, context, id) => {
    const challenge = challengeOf(readFields(call));
    return withUser((user, _call, fields) => context.mailer.send('recovery', user, { redirectTo: redirectOf(call, fields, context), challenge }))(call, context, id);
  },
  'POST /resend': async (call, context, id) => {
    const type = textOf(readFields(call), 'type');
    if (type !== 'signup' && type !== 'email_change') throw new AuthError(400, 'validation_failed', 'Missing one of these types: signup, email_change, sms, phone_change');
    return withUser(async (user, _call, fields) => {
      const redirectTo = redirectOf(call, fields, context);
      const challenge = challengeOf(fields);
      if (type === 'signup' && user.email_confirmed_at === null) await context.mailer.send('signup', user, { redirectTo, challenge });
      if (type === 'email_change' && user.email_change !== null) await sendEmailChange(user, user.email_change, redirectTo, challenge, context);
    })(call, context, id);
  },
  'POST /invite': asAdmin(async (call, context) => {
    const fields = readFields(call);
    const email = emailOf(fields);
    const known = await findUserByEmail(context.pool, email);
    if (known !== null && known.email_confirmed_at !== null) throw emailTaken();
    const user = known ?? await insertUser(context.pool, { email, passwordHash: null, confirmed: false, userMetadata: objectOf(fields, 'data') }, emailTaken());
    await context.mailer.send('invite', user, { redirectTo: redirectOf(call, fields, context) });
    return json(200, showUser(await readUser(context.pool, user.id)));
  }),
  'GET /reauthenticate': async (call, context) => {
    const user = await signedIn(call, context);
    await context.mailer.send('reauthentication', user, { redirectTo: context.redirects.siteUrl });
    return json(200, {});
  },
};

/** Both addresses must agree: a mail to the new one and one to the old. */
export async function sendEmailChange(user: UserRow, email: string, redirectTo: string, challenge: ReturnType<typeof challengeOf>, { mailer }: AuthContext): Promise<void> {
  await mailer.send('email_change', user, { redirectTo, challenge, to: email, kind: 'email_change_new' });
  if (user.email !== null) await mailer.send('email_change', user, { redirectTo, challenge, kind: 'email_change_current' });
}
