import { json } from '../answer.ts';
import type { Letter } from '../mail/letters.ts';
import { emailOf, objectOf, passwordOf, readFields, textOf, type Fields } from './body.ts';
import type { AuthContext, Route } from './context.ts';
import { AuthError } from './errors.ts';
import { emailTaken, redirectOf } from './mails.ts';
import type { TokenKind } from './one-time.ts';
import { hashPassword } from './passwords.ts';
import { findUserByEmail, insertUser, readUser, showUser, wantEmail, type UserRow } from './users.ts';

interface Wanted { letter: Letter; verification: string; kind?: TokenKind }

const TYPES: Readonly<Record<string, Wanted>> = {
  signup: { letter: 'signup', verification: 'signup' }, invite: { letter: 'invite', verification: 'invite' },
  magiclink: { letter: 'magiclink', verification: 'magiclink' }, recovery: { letter: 'recovery', verification: 'recovery' },
  email_change_current: { letter: 'email_change', verification: 'email_change', kind: 'email_change_current' },
  email_change_new: { letter: 'email_change', verification: 'email_change', kind: 'email_change_new' },
};

/** Makes what a mail would carry (link, digits, token) and hands it to the administrator instead. Throws validation_failed, user_not_found, email_exists. */
export const generateLink: Route = async (call, context) => {
  const fields = readFields(call);
  const type = textOf(fields, 'type');
  const email = emailOf(fields);
  const known = await findUserByEmail(context.pool, email);
  // A magic link for an address without an account makes one, as GoTrue does.
  const actual = known === null && type === 'magiclink' ? 'signup' : type;
  const wanted = Object.hasOwn(TYPES, actual) ? TYPES[actual] : undefined;
  if (wanted === undefined) throw new AuthError(400, 'validation_failed', `Invalid email action link type requested: ${type.slice(0, 40)}`);
  const user = await userFor(actual, type, email, known, fields, context);
  const to = wanted.kind === undefined ? email : await newAddress(wanted.kind, email, user, fields, context);
  const { tokenHash, otp } = await context.mailer.issue(wanted.letter, user, to, wanted.kind);
  const redirectTo = redirectOf(call, fields, context);
  return json(200, {
    ...showUser(await readUser(context.pool, user.id)), action_link: context.mailer.link(wanted.verification, tokenHash, redirectTo), email_otp: otp, hashed_token: tokenHash,
    verification_type: actual, redirect_to: redirectTo,
  });
};

async function userFor(actual: string, asked: string, email: string, known: UserRow | null, fields: Fields, { pool, passwordCost }: AuthContext): Promise<UserRow> {
  const makes = actual === 'signup' || actual === 'invite';
  if (known !== null) {
    if (makes && known.email_confirmed_at !== null) throw emailTaken();
    return known;
  }
  if (!makes) throw new AuthError(404, 'user_not_found', 'User with this email not found');
  const passwordHash = asked === 'signup' ? await hashPassword(passwordOf(fields), passwordCost) : null;
  return insertUser(pool, { email, passwordHash, confirmed: false, userMetadata: objectOf(fields, 'data') }, emailTaken());
}

/** A change of address: keeps the new one, and says to whom this link belongs. */
async function newAddress(kind: TokenKind, email: string, user: UserRow, fields: Fields, { pool }: AuthContext): Promise<string> {
  const wanted = emailOf({ email: fields['new_email'] });
  if (await findUserByEmail(pool, wanted) !== null) throw emailTaken();
  await wantEmail(pool, user.id, wanted);
  return kind === 'email_change_new' ? wanted : email;
}
