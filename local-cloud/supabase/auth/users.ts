import { DatabaseError, type Pool } from 'pg';
import { AuthError } from './errors.ts';

/** A row of auth.users. */
export interface UserRow {
  id: string; aud: string; role: string; email: string | null; encrypted_password: string | null;
  email_confirmed_at: Date | null; last_sign_in_at: Date | null; banned_until: Date | null; deleted_at: Date | null;
  invited_at: Date | null; confirmation_sent_at: Date | null; recovery_sent_at: Date | null; reauthentication_sent_at: Date | null;
  email_change: string | null; email_change_sent_at: Date | null;
  raw_app_meta_data: Record<string, unknown>; raw_user_meta_data: Record<string, unknown>;
  created_at: Date; updated_at: Date;
}

type Database = Pick<Pool, 'query'>;
const notFound = () => new AuthError(404, 'user_not_found', 'User not found');

/** As GoTrue shows a user; never the password's hash. */
export function showUser(row: UserRow): Record<string, unknown> {
  const seldom = {
    banned_until: row.banned_until, deleted_at: row.deleted_at, invited_at: row.invited_at, confirmation_sent_at: row.confirmation_sent_at,
    recovery_sent_at: row.recovery_sent_at, new_email: row.email_change, email_change_sent_at: row.email_change_sent_at,
  };
  return {
    id: row.id, aud: row.aud, role: row.role, email: row.email ?? '', phone: '',
    email_confirmed_at: row.email_confirmed_at, confirmed_at: row.email_confirmed_at, last_sign_in_at: row.last_sign_in_at,
    ...Object.fromEntries(Object.entries(seldom).filter(([, value]) => value !== null)),
    app_metadata: row.raw_app_meta_data, user_metadata: row.raw_user_meta_data, identities: row.email === null ? [] : [identityOf(row)],
    created_at: row.created_at, updated_at: row.updated_at, is_anonymous: false,
  };
}

/** Addresses are this gateway's only identity provider: the identity follows from the user. */
function identityOf(row: UserRow): Record<string, unknown> {
  return {
    identity_id: row.id, id: row.id, user_id: row.id, provider: 'email', email: row.email,
    identity_data: { sub: row.id, email: row.email, email_verified: row.email_confirmed_at !== null, phone_verified: false },
    last_sign_in_at: row.last_sign_in_at, created_at: row.created_at, updated_at: row.updated_at,
  };
}

/** Throws user_banned. */
export function assertNotBanned(user: UserRow, now: number): void {
  if (user.banned_until !== null && user.banned_until.getTime() > now) throw new AuthError(400, 'user_banned', 'User is banned');
}

export interface NewUser {
  email: string; passwordHash: string | null; confirmed: boolean;
  appMetadata?: Record<string, unknown> | undefined; userMetadata?: Record<string, unknown> | undefined; id?: string | undefined;
}

/** Throws `taken` when the address has an account. */
export async function insertUser(database: Database, user: NewUser, taken: AuthError): Promise<UserRow> {
  try {
    const { rows } = await database.query<UserRow>(
      `insert into auth.users (id, email, encrypted_password, email_confirmed_at, raw_app_meta_data, raw_user_meta_data)
       values (coalesce($1::uuid, gen_random_uuid()), $2, $3, case when $4 then now() end, '{"provider":"email","providers":["email"]}'::jsonb || $5::jsonb, $6) returning *`,
      [user.id ?? null, user.email, user.passwordHash, user.confirmed, user.appMetadata ?? {}, user.userMetadata ?? {}],
    );
    return rows[0] as UserRow;
  } catch (error) {
    if (isTaken(error)) throw taken;
    throw error;
  }
}

export async function findUserByEmail(database: Database, email: string): Promise<UserRow | null> {
  return (await database.query<UserRow>('select * from auth.users where email = $1', [email])).rows[0] ?? null;
}

/** Throws user_not_found. */
export async function readUser(database: Database, id: string): Promise<UserRow> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(id)) throw new AuthError(404, 'validation_failed', 'user_id must be an UUID');
  const row = (await database.query<UserRow>('select * from auth.users where id = $1', [id])).rows[0];
  if (row === undefined) throw notFound();
  return row;
}

export async function listUsers(database: Database, page: number, perPage: number): Promise<{ users: UserRow[]; total: number }> {
  const { rows } = await database.query<UserRow>('select * from auth.users order by created_at desc, id limit $1 offset $2', [perPage, (page - 1) * perPage]);
  const { rows: counted } = await database.query<{ total: number }>('select count(*)::int as total from auth.users');
  return { users: rows, total: counted[0]?.total ?? 0 };
}

export interface UserChange {
  confirmed?: boolean | undefined; email?: string | undefined; passwordHash?: string | undefined; appMetadata?: Record<string, unknown> | undefined;
  userMetadata?: Record<string, unknown> | undefined; bannedUntil?: Date | null | undefined;
}

/** Metadata is merged key by key; a key set to null is removed. */
export async function updateUser(database: Database, id: string, change: UserChange): Promise<UserRow> {
  const { rows } = await database.query<UserRow>(
    `update auth.users set email = coalesce($2, email), encrypted_password = coalesce($3, encrypted_password),
       raw_app_meta_data = jsonb_strip_nulls(raw_app_meta_data || $4::jsonb), raw_user_meta_data = jsonb_strip_nulls(raw_user_meta_data || $5::jsonb),
       banned_until = case when $6 then $7::timestamptz else banned_until end, updated_at = now(),
       email_confirmed_at = case when $8 then coalesce(email_confirmed_at, now()) else email_confirmed_at end
     where id = $1 returning *`,
    [id, change.email ?? null, change.passwordHash ?? null, change.appMetadata ?? {}, change.userMetadata ?? {}, change.bannedUntil !== undefined, change.bannedUntil ?? null, change.confirmed === true],
  ).catch((error: unknown) => { throw isTaken(error) ? new AuthError(422, 'email_exists', 'A user with this email address has already been registered') : error; });
  if (rows[0] === undefined) throw notFound();
  return rows[0];
}

const isTaken = (error: unknown) => error instanceof DatabaseError && error.code === '23505';

/** When the user was last sent a mail of a kind: the columns of auth.users. */
export type SentColumn = 'invited_at' | 'confirmation_sent_at' | 'recovery_sent_at' | 'reauthentication_sent_at' | 'email_change_sent_at';

/** Notes that a mail was sent, at the gateway's own time. */
export async function noteSent(database: Database, id: string, columns: readonly SentColumn[], at: Date): Promise<UserRow> {
  const { rows } = await database.query<UserRow>(`update auth.users set ${columns.map((column) => `${column} = $2`).join(', ')} where id = $1 returning *`, [id, at]);
  if (rows[0] === undefined) throw notFound();
  return rows[0];
}

/** Keeps the address that the user wants to change to; nothing changes before the mails are answered. */
export async function wantEmail(database: Database, id: string, email: string): Promise<void> {
  await database.query('update auth.users set email_change = $2 where id = $1', [id, email]);
}

/** The address asked for becomes the user's. Throws email_exists. */
export async function changeEmail(database: Database, id: string): Promise<UserRow> {
  const { rows } = await database.query<UserRow>('update auth.users set email = coalesce(email_change, email), email_change = null, email_confirmed_at = coalesce(email_confirmed_at, now()), updated_at = now() where id = $1 returning *', [id])
    .catch((error: unknown) => { throw isTaken(error) ? new AuthError(422, 'email_exists', 'A user with this email address has already been registered') : error; });
  if (rows[0] === undefined) throw notFound();
  return rows[0];
}

/** Keeps the row, so that what refers to it stays, but not who it was: no address, no password, no session. */
export async function softDeleteUser(database: Database, id: string): Promise<void> {
  await database.query(`with gone as (delete from auth.sessions where user_id = $1), void as (delete from auth.one_time_tokens where user_id = $1)
    update auth.users set deleted_at = now(), email = null, email_change = null, encrypted_password = null, raw_user_meta_data = '{}', updated_at = now() where id = $1`, [id]);
}

/** Throws conflict while a machine of the user exists (the database's own rule). */
export async function deleteUser(database: Database, id: string): Promise<void> {
  try {
    const { rowCount } = await database.query('delete from auth.users where id = $1', [id]);
    if (rowCount === 0) throw notFound();
  } catch (error) {
    if (error instanceof DatabaseError && (error.code?.startsWith('PT4') === true || error.code?.startsWith('23') === true)) {
      throw new AuthError(409, 'conflict', `Database error deleting user: ${error.message}. ${error.hint ?? ''}`.trim());
    }
    throw error;
  }
}
