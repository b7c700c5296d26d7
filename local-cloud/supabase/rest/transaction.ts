import type { Pool, PoolClient } from 'pg';
import type { Answer, Call } from '../answer.ts';

/**
 * Runs `work` the way PostgREST does: one transaction with the caller's role and claims, the pre-request function first, everything rolled back
 * when it fails. A connection that broke is thrown away, so the next request gets a fresh one.
 */
export async function inTransaction(pool: Pool, call: Call, readOnly: boolean, work: (client: PoolClient) => Promise<Answer>): Promise<Answer> {
  const client = await pool.connect();
  let broken: Error | undefined;
  const onError = (error: Error) => { broken = error; };
  client.on('error', onError);
  try {
    await client.query(readOnly ? 'begin read only' : 'begin');
    const settings = await client.query<{ pre_request: string | null }>(
      `select set_config('role', $1, true), set_config('request.jwt.claims', $2, true), set_config('request.method', $3, true), set_config('request.path', $4, true), set_config('request.headers', $5, true),
        to_regproc(nullif(current_setting('pgrst.db_pre_request', true), ''))::text as pre_request`,
      [call.caller.role, JSON.stringify(call.caller.claims), call.method, call.path, JSON.stringify(call.headers)],
    );
    // The function that the role `authenticator` names in pgrst.db_pre_request, as the catalogue writes it.
    const preRequest = settings.rows[0]?.pre_request;
    if (preRequest) await client.query(`select ${preRequest}()`);
    const answer = await work(client);
    await client.query('commit');
    return answer;
  } catch (error) {
    await client.query('rollback').catch((second: Error) => { broken = second; });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
