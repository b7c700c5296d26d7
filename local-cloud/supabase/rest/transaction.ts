import type { Pool, PoolClient, QueryResult, QueryResultRow } from 'pg';
import type { Answer, Call } from '../answer.ts';
import { withConnection } from '../database.ts';
import { RestError } from './errors.ts';
import { parsePreferences } from './preferences.ts';

interface Settings { status: string | null; headers: string | null }
const RESPONSE = { name: 'response', text: `select current_setting('response.status', true) as status, current_setting('response.headers', true) as headers` };
const REQUEST = `select set_config('role', $1, true), set_config('request.jwt.claims', $2, true), set_config('request.method', $3, true), set_config('request.path', $4, true), set_config('request.headers', $5, true),
  set_config('request.cookies', $6, true), to_regproc(nullif(current_setting('pgrst.db_pre_request', true), ''))::text as pre_request`;

/** The one statement of a request. `name`: it has few forms, and is prepared once for each connection, as PostgREST prepares all of its own. */
export interface Statement { text: string; values: unknown[]; name?: string }

/** The function that each connection's role names in pgrst.db_pre_request, as the catalogue writes it: read at the log-in of a connection, it stays the same for as long as that lasts. */
const preRequests = new WeakMap<PoolClient, string>();

/**
 * Runs a statement the way PostgREST does: one transaction with the caller's role and claims, the pre-request function first, everything rolled back
 * when it fails, or when `answer` refuses what came of it. What the functions set as `response.status` and `response.headers` becomes the answer's. All of it goes to the
 * database at once: a statement behind one that failed is refused by the transaction, so nothing is waited for but the decision to commit.
 */
export async function inTransaction<R extends QueryResultRow>(pool: Pool, call: Call, readOnly: boolean, statement: Statement, answer: (result: QueryResult<R>) => Answer): Promise<Answer> {
  const { timezone } = parsePreferences(call);
  return withConnection(pool, async (client) => {
    const begun = Promise.all([
      client.query(readOnly ? 'begin read only' : 'begin'),
      client.query<{ pre_request: string | null }>({ name: 'request', text: REQUEST, values: [call.caller.role, JSON.stringify(call.caller.claims), call.method, call.path, JSON.stringify(call.headers), JSON.stringify(cookiesOf(call))] }),
      timezone === null ? null : client.query(`select set_config('timezone', name, true) from pg_timezone_names where name = $1`, [timezone]),
    ]);
    // what must run first is known before anything else is sent
    const preRequest = preRequests.get(client) ?? (await begun)[1].rows[0]?.pre_request ?? null;
    if (preRequest !== null) preRequests.set(client, preRequest);
    const [, , result, settings] = await Promise.all([
      begun,
      preRequest === null ? null : client.query({ name: 'before', text: `select ${preRequest}()` }),
      client.query<R>(statement),
      client.query<Settings>(RESPONSE),
      readOnly ? client.query('commit') : null,
    ]);
    const said = shaped(answer(result), settings.rows[0]?.status ?? '', settings.rows[0]?.headers ?? '');
    if (!readOnly) await client.query('commit');
    return said;
  });
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
