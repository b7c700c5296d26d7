import type { Pool, PoolClient } from 'pg';

/** Runs `work` in one transaction, rolled back when it throws. A connection that broke is thrown away. */
export async function withTransaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>, readOnly = false): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error) => { broken = error; };
  client.on('error', onError);
  try {
    await client.query(readOnly ? 'begin read only' : 'begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    await client.query('rollback').catch((second: Error) => { broken = second; });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
