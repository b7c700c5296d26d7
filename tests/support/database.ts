import { randomBytes } from 'node:crypto';
import { Client, Pool } from 'pg';
import { inject } from 'vitest';
import type { TestCluster } from './global-setup.ts';

export interface TestDatabase {
  /** Superuser's URL of a database of the test's own. */
  url: string;
  pool: Pool;
  close(): Promise<void>;
}

let cluster: Promise<TestCluster> | null = null;

/** The run's PostgreSQL, started by whoever asks first. */
export function testCluster(): Promise<TestCluster> {
  cluster ??= fetch(inject('testCluster')).then(async (response) => {
    if (!response.ok) throw new Error(await response.text());
    return (await response.json()) as TestCluster;
  });
  return cluster;
}

/** A fresh copy of the migrated template database (about 30 ms); `empty`: without anything of ours. Close it in afterAll/afterEach. */
export async function createTestDatabase(options: { empty?: boolean } = {}): Promise<TestDatabase> {
  const { url: adminUrl, template } = await testCluster();
  const name = `test_${randomBytes(6).toString('hex')}`;
  await onCluster(adminUrl, `create database ${name} template ${options.empty === true ? 'template0' : template} strategy file_copy`);
  const own = new URL(adminUrl);
  own.pathname = `/${name}`;
  const pool = new Pool({ connectionString: own.href, max: 10 });
  // A test may end the database's connections on purpose.
  pool.on('error', () => undefined);
  return {
    url: own.href,
    pool,
    close: async () => {
      await pool.end();
      await onCluster(adminUrl, `drop database if exists ${name} with (force)`);
    },
  };
}

async function onCluster(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}

/** Runs one statement the way PostgREST would: in a transaction, as `role`, with these claims. Resolves to its rows; rejects with PostgreSQL's error. */
export async function asRole<T extends object = Record<string, unknown>>(pool: Pool, role: string, claims: Record<string, unknown>, sql: string, values: unknown[] = []): Promise<T[]> {
  const client = await pool.connect();
  try {
    await client.query('begin');
    await client.query(`select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)`, [role, JSON.stringify({ role, ...claims })]);
    const { rows } = await client.query<T>(sql, values);
    await client.query('commit');
    return rows;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}
