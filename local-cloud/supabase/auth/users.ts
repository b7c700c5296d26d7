import { DatabaseError, type Pool } from 'pg';
import { AuthError } from './errors.ts';

/** A row of auth.users. */
export interface UserRow {
  id: string; aud: string; role: string; email: string | null; encrypted_password: string | null;
  email_confirmed_at: Date | null; last_sign_in_at: Date | null; banned_until: Date | null;
  raw_app_meta_data: Record<string, unknown>; raw_user_meta_data: Record<string, unknown>;
  created_at: Date; updated_at: Date;
}

type Database = Pick<Pool, 'query'>;
const notFound = () => new AuthError(404, 'user_not_found', 'User not found');

/** As GoTrue shows a user; never the password's hash. */
export function showUser(row: UserRow): Record<string, unknown> {
  return {
    id: row.id, aud: row.aud, role: row.role, email: row.email, phone: '',
    email_confirmed_at: row.email_confirmed_at, confirmed_at: row.email_confirmed_at, last_sign_in_at: row.last_sign_in_at,
    ...(row.banned_until === null ? {} : { banned_until: row.banned_until }),
    app_metadata: row.raw_app_meta_data, user_metadata: row.raw_user_meta_data, identities: [],
    created_at: row.created_at, updated_at: row.updated_at, is_anonymous: false,
  };
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
    if (error instanceof DatabaseError && error.code === '23505') throw taken;
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
  email?: string | undefined; passwordHash?: string | undefined; appMetadata?: Record<string, unknown> | undefined;
  userMetadata?: Record<string, unknown> | undefined; bannedUntil?: Date | null | undefined;
}

/** Metadata is merged key by key; a key set to null is removed. */
export async function updateUser(database: Database, id: string, change: UserChange): Promise<UserRow> {
  const { rows } = await database.query<UserRow>(
    `update auth.users set email = coalesce($2, email), encrypted_password = coalesce($3, encrypted_password),
       raw_app_meta_data = jsonb_strip_nulls(raw_app_meta_data || $4::jsonb), raw_user_meta_data = jsonb_strip_nulls(raw_user_meta_data || $5::jsonb),
       banned_until = case when $6 then $7::timestamptz else banned_until end, updated_at = now()
     where id = $1 returning *`,
    [id, change.email ?? null, change.passwordHash ?? null, change.appMetadata ?? {}, change.userMetadata ?? {}, change.bannedUntil !== undefined, change.bannedUntil ?? null],
  );
  if (rows[0] === undefined) throw notFound();
  return rows[0];
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
