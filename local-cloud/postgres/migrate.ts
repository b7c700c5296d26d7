import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Client, type DatabaseError } from 'pg';
import { PostgresError } from './errors.ts';
import { authenticatorPassword, authenticatorUrl } from './urls.ts';

/** The repository's migrations and what a Supabase project provides before them. */
export const MIGRATIONS_FOLDER = join(import.meta.dirname, '..', '..', 'supabase', 'migrations');
const BOOTSTRAP = join(import.meta.dirname, '..', 'supabase', 'bootstrap.sql');
const LOCK = 0x7472_6164; // one migrator at a time per database

interface Migration { version: string; name: string; sql: string }

/** Reads `<version>_<name>.sql` in order. Throws migration_failed for a name that does not fit or a version used twice. */
export function readMigrations(folder: string): Migration[] {
  const migrations = readdirSync(folder).filter((file) => file.endsWith('.sql')).sort().map((file) => {
    const parts = /^(\d+)_(\w+)\.sql$/.exec(file);
    if (parts?.[1] === undefined || parts[2] === undefined) {
      throw new PostgresError('migration_failed', `${file} is not named <version>_<name>.sql: rename it.`);
    }
    return { version: parts[1], name: parts[2], sql: readFileSync(join(folder, file), 'utf8') };
  });
  migrations.forEach((migration, index) => {
    if (migrations[index - 1]?.version === migration.version) {
      throw new PostgresError('migration_failed', `Two migrations have the version ${migration.version}: give one a higher one.`);
    }
  });
  return migrations;
}

/**
 * Applies what is missing, each migration in a transaction of its own, recorded where the Supabase CLI records it. Returns the versions applied
 * now. Throws migration_changed when a recorded migration reads differently today, migration_failed with PostgreSQL's reason.
 */
export async function applyMigrations(url: string, folder: string = MIGRATIONS_FOLDER): Promise<string[]> {
  const migrations = readMigrations(folder);
  return withClient(url, async (client) => {
    await client.query(`create schema if not exists supabase_migrations;
      create table if not exists supabase_migrations.schema_migrations (version text primary key, statements text[], name text)`);
    const recorded = await client.query<{ version: string; sql: string | null }>(
      `select version, array_to_string(statements, '') as sql from supabase_migrations.schema_migrations`);
    const known = new Map(recorded.rows.map((row) => [row.version, row.sql]));
    const applied: string[] = [];
    for (const migration of migrations) {
      if (known.has(migration.version)) {
        if (known.get(migration.version) !== migration.sql) {
          throw new PostgresError('migration_changed', `Migration ${migration.version}_${migration.name} was changed after it was applied: put the change in a new migration, or start with --reset (this deletes the database).`);
        }
        continue;
      }
      await applyOne(client, migration);
      applied.push(migration.version);
    }
    return applied;
  });
}

/** Brings a local database to where a Supabase project with our migrations is. Returns the migrations applied now. */
export async function prepareDatabase(url: string, folder: string = MIGRATIONS_FOLDER): Promise<string[]> {
  await withClient(url, async (client) => {
    await client.query(readFileSync(BOOTSTRAP, 'utf8'));
    if (!(await canConnect(authenticatorUrl(url)))) {
      await client.query(`alter role authenticator password ${client.escapeLiteral(authenticatorPassword(url))}`);
    }
  });
  return applyMigrations(url, folder);
}

async function applyOne(client: Client, { version, name, sql }: Migration): Promise<void> {
  await client.query('begin');
  try {
    await client.query(sql);
    await client.query('insert into supabase_migrations.schema_migrations (version, statements, name) values ($1, $2, $3)', [version, [sql], name]);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback').catch(() => undefined);
    const { message, position } = error as DatabaseError;
    const line = position === undefined ? '' : ` (line ${sql.slice(0, Number(position)).split('\n').length})`;
    throw new PostgresError('migration_failed', `Migration ${version}_${name}${line}: ${message}. Nothing of it was kept.`, { cause: error });
  }
}

async function withClient<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [LOCK]);
    return await work(client);
  } finally {
    await client.end();
  }
}

async function canConnect(url: string): Promise<boolean> {
  const client = new Client({ connectionString: url });
  try {
    await client.connect();
    return true;
  } catch (error) {
    if ((error as DatabaseError).code === '28P01') return false;
    throw error;
  } finally {
    await client.end().catch(() => undefined);
  }
}
