import type { Pool, PoolClient } from 'pg';
import type { Answer, Call } from '../answer.ts';
import { withTransaction } from '../database.ts';
import { RestError } from './errors.ts';
import { parsePreferences } from './preferences.ts';

interface Settings { status: string | null; headers: string | null }
const RESPONSE = `current_setting('response.status', true) as status, current_setting('response.headers', true) as headers`;

/**
 * Runs `work` the way PostgREST does: one transaction with the caller's role and claims, the pre-request function first, everything rolled back
 * when it fails. What that function, or the one that was called, set as `response.status` and `response.headers` becomes the answer's.
 */
export async function inTransaction(pool: Pool, call: Call, readOnly: boolean, work: (client: PoolClient) => Promise<Answer>): Promise<Answer> {
  const { timezone } = parsePreferences(call);
  return withTransaction(pool, async (client) => {
    const settings = await client.query<{ pre_request: string | null }>(
      `select set_config('role', $1, true), set_config('request.jwt.claims', $2, true), set_config('request.method', $3, true), set_config('request.path', $4, true), set_config('request.headers', $5, true),
        set_config('request.cookies', $6, true), to_regproc(nullif(current_setting('pgrst.db_pre_request', true), ''))::text as pre_request`,
      [call.caller.role, JSON.stringify(call.caller.claims), call.method, call.path, JSON.stringify(call.headers), JSON.stringify(cookiesOf(call))],
    );
    if (timezone !== null) await client.query(`select set_config('timezone', name, true) from pg_timezone_names where name = $1`, [timezone]);
    // The function that the role `authenticator` names in pgrst.db_pre_request, as the catalogue writes it.
    const preRequest = settings.rows[0]?.pre_request;
    const before = preRequest ? await client.query<Settings>(`with called as materialized (select ${preRequest}()) select ${RESPONSE} from called`) : null;
    const answer = await work(client);
    const set = call.path.startsWith('/rpc/') ? await client.query<Settings>(`select ${RESPONSE}`) : before;
    return shaped(answer, set?.rows[0]?.status ?? '', set?.rows[0]?.headers ?? '');
  }, readOnly);
}

const cookiesOf = (call: Call) => Object.fromEntries((call.headers['cookie'] ?? '').split(';').map((pair) => pair.trim().split('=')).filter(([name]) => name !== '').map(([name = '', ...value]) => [name, value.join('=')]));

/** Throws PGRST111, PGRST112 for a setting that is no list of headers or no status. */
function shaped(answer: Answer, status: string, headers: string): Answer {
  if (status !== '' && !/^[2-5]\d\d$/.test(status)) throw new RestError(500, 'PGRST112', 'response.status GUC must be a valid status code');
  if (headers === '') return status === '' ? answer : { ...answer, status: Number(status) };
  return { ...answer, status: status === '' ? answer.status : Number(status), headers: { ...answer.headers, ...parseHeaders(headers) } };
}

function parseHeaders(text: string): Record<string, string> {
  const invalid = () => new RestError(500, 'PGRST111', 'response.headers GUC must be a JSON array composed of objects with a single key and a string value');
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    throw invalid();
  }
  if (!Array.isArray(list)) throw invalid();
  return Object.fromEntries(list.map((one: unknown) => {
    const [entry, ...more] = Object.entries(typeof one === 'object' && one !== null ? one : {});
    if (entry === undefined || more.length > 0 || typeof entry[1] !== 'string' || !/^[\w-]+$/.test(entry[0]) || /[\r\n]/.test(entry[1])) throw invalid();
    return [entry[0].toLowerCase(), entry[1]] as const;
  }));
}
