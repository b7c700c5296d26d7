import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'pg';
import { prepareDatabase } from '../../local-cloud/postgres/migrate.ts';
import { removePostgres, startPostgres } from '../../local-cloud/postgres/start.ts';
import { roomForAll } from './room.ts';
import type { TestDatabase } from './database.ts';

/** A PostgreSQL of its own, migrated and durable as it is delivered, for programs that no test runner starts. It is removed when it is closed. */
export async function startOwnDatabase(): Promise<TestDatabase> {
  const dataDir = mkdtempSync(join(tmpdir(), 'trademind-own-'));
  const remove = async () => {
    await removePostgres(dataDir);
    rmSync(dataDir, { recursive: true, force: true });
  };
  try {
    const postgres = await startPostgres({ dataDir, port: 0 });
    try {
      await prepareDatabase(postgres.url);
      await roomForAll(postgres.url);
    } catch (error) {
      await postgres.close();
      throw error;
    }
    const pool = new Pool({ connectionString: postgres.url, max: 10 });
    // The database ends its connections when it is stopped.
    pool.on('error', () => undefined);
    return {
      url: postgres.url, pool,
      close: async () => {
        await pool.end();
        await postgres.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
