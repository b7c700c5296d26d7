import type { Pool, PoolClient } from 'pg';

/** Lends a connection to `work`; when that throws, what it began is rolled back. A connection that broke is thrown away. */
export async function withConnection<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error) => { broken = error; };
  client.on('error', onError);
  try {
    return await work(client);
  } catch (error) {
    await client.query('rollback').catch((second: Error) => { broken = second; });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}

/** Runs `work` in one transaction, rolled back when it throws. */
export const withTransaction = <T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> => withConnection(pool, async (client) => {
  await client.query('begin');
  const result = await work(client);
  await client.query('commit');
  return result;
});
