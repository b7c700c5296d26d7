// What callers rely on beyond each route: conditions, cursors, odd instants, streams, and refusals that are problems whatever they are about.
import { connect } from 'node:net';
import { createSecretKey, randomUUID } from 'node:crypto';
import { SignJWT, UnsecuredJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../../control-plane/index.ts';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { startTestFly, TEST_IMAGES, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';

const JWT_SECRET = 'a-shared-secret-of-an-older-project-0123';
const DOCUMENT = { name: 'Dip', side: 'long', where: { low: 'rsi(14) < 30' } };

let supabase: TestSupabase;
let fly: TestFly;
let controlPlane: ControlPlane;
let user: TestUser;
beforeAll(async () => {
  [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]);
  controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly, { SUPABASE_JWT_SECRET: JWT_SECRET }));
  user = await supabase.createUser();
});
afterAll(async () => {
  await controlPlane.close();
  await Promise.all([fly.close(), supabase.close()]);
});
/** A machine of the user's that no replica looks at. */
async function addMachine(environment: string): Promise<string> {
  return (await supabase.database.pool.query<{ id: string }>(`insert into public.machines (user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, next_look_at)
    values ($1, $2, 'sin', 'shared', 1, 512, 'machine@sha256:00', 'infinity') returning id`, [user.id, environment])).rows[0]!.id;
}
const call = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => callApi(controlPlane.url, user.accessToken, method, path, body, headers);

describe('a project that signs with one shared secret', () => {
  const claims = (over: object = {}) => ({ sub: user.id, role: 'authenticated', email: user.email, aud: 'authenticated', iss: `${supabase.url}/auth/v1`, exp: Math.floor(Date.now() / 1_000) + 60, ...over });
  const signed = (over: object = {}, secret = JWT_SECRET) => new SignJWT(claims(over)).setProtectedHeader({ alg: 'HS256' }).sign(createSecretKey(Buffer.from(secret)));

  test('has its users\' tokens taken, and no token that anything else signed', async () => {
    const plans = async (token: string) => (await callApi(controlPlane.url, token, 'GET', '/v1/machines/not-an-id')).status;
    expect(await plans(await signed())).toBe(400); // the caller is known: only the id is wrong
    expect(await plans(user.accessToken)).toBe(400);
    const [head, body] = user.accessToken.split('.');
    const published = JSON.stringify((await (await fetch(`${supabase.url}/auth/v1/.well-known/jwks.json`)).json()));
    for (const [what, token] of [
      ['another secret', await signed({}, 'another-secret-of-the-same-length-01234')], ['a public key taken for a secret', await signed({}, published)], ['an ended one', await signed({ exp: 1 })],
      ['another issuer', await signed({ iss: 'https://evil.example/auth/v1' })], ['another role', await signed({ role: 'service_role' })], ['no signature', new UnsecuredJWT(claims()).encode()],
      ['HS256 said of an ES256 signature', `${Buffer.from(JSON.stringify({ alg: 'HS256' })).toString('base64url')}.${body}.${user.accessToken.split('.')[2]}`], ['no token at all', `${head}.${body}`], ['nonsense', 'x.y.z'],
    ] as const) expect(await plans(token), what).toBe(401);
  });

  test('is believed only when its secret is configured', async () => {
    const strict = await startTestControlPlane(controlPlaneEnv(supabase, fly));
    try {
      expect((await callApi(strict.url, await signed(), 'GET', '/v1/plans')).status).toBe(401);
      expect((await callApi(strict.url, user.accessToken, 'GET', '/v1/plans')).status).toBe(200);
    } finally {
      await strict.close();
    }
  });
});

describe('a condition', () => {
  test('keeps two editors of a trader from overwriting each other', async () => {
    const made = await call('POST', '/v1/traders', { document: DOCUMENT });
    expect(made.headers.get('etag')).toBe('"1"');
    const path = `/v1/traders/${String(made.body['id'])}`;
    const change = (where: string, etag: string) => call('PUT', path, { document: { ...DOCUMENT, where: { low: where } } }, { 'if-match': etag });
    expect(await change('rsi(14) < 25', '"1"')).toMatchObject({ status: 200, body: { version: 2 } });
    expect(await change('rsi(14) < 20', '"1"')).toMatchObject({ status: 412, body: { code: 'version_changed', field: 'if-match' } });
    expect(await call('GET', path)).toMatchObject({ body: { version: 2, document: { where: { low: 'rsi(14) < 25' } } } });
    expect(await call('PUT', `/v1/traders/${randomUUID()}`, { document: DOCUMENT }, { 'if-match': '"1"' })).toMatchObject({ status: 404 });
    expect((await call('DELETE', path)).status).toBe(204);
  });

  test('keeps a machine from being restarted, or given a new secret, after another wish', async () => {
    const id = await addMachine('conditions');
    for (const verb of ['restart', 'rotate-secret']) {
      const { headers } = await call('GET', `/v1/machines/${id}`);
      const read = headers.get('etag')!;
      expect(await call('POST', `/v1/machines/${id}/${verb}`, {}, { 'if-match': read }), verb).toMatchObject({ status: 202 });
      expect(await call('POST', `/v1/machines/${id}/${verb}`, {}, { 'if-match': read }), verb).toMatchObject({ status: 412, body: { code: 'generation_mismatch' } });
    }
  });

  test('that a route does not look at is refused, not ignored', async () => {
    expect(await call('PUT', '/v1/me/budget', { monthlyUsd: 5, action: 'notify' }, { 'if-match': '"1"' })).toMatchObject({ status: 400, body: { code: 'condition_not_taken', field: 'if-match' } });
    expect((await call('GET', '/v1/me', undefined, { 'if-match': '"1"' })).status).toBe(200);
  });
});

test('a trader that another program wrote and that is none is listed as such, beside the good ones', async () => {
  const odd = await user.client.from('traders').insert({ name: 'Odd', document: { surprise: 1 } }).select('id').single();
  expect(odd.error).toBeNull();
  await call('POST', '/v1/traders', { document: DOCUMENT });
  const { status, body } = await call('GET', '/v1/traders');
  expect([status, (body['items'] as { name: string; document: unknown; problem: string | null }[]).map(({ name, document, problem }) => [name, document === null, problem?.slice(0, 26) ?? null])])
    .toEqual([200, [['Odd', true, 'Its document cannot be rea'], ['Dip', false, null]]]);
  expect(await call('GET', `/v1/traders/${odd.data!.id as string}`)).toMatchObject({ status: 200, body: { document: null } });
  expect((await call('DELETE', `/v1/traders/${odd.data!.id as string}`)).status).toBe(204);
});

test('instants that no calendar has are told as such', async () => {
  const machine = await addMachine('instants');
  const cursor = (instant: string) => Buffer.from(`${instant}|${randomUUID()}`).toString('base64url');
  for (const instant of ['9999-99-99T99:99:99', '0000-01-01T00:00:00Z', '2026-01-01T00:00:00+99:99', '1; drop table machines']) {
    for (const list of ['machines', 'traders']) expect(await call('GET', `/v1/${list}?cursor=${cursor(instant)}`), instant).toMatchObject({ status: 400, body: { code: 'cursor_invalid' } });
    expect((await call('GET', `/v1/machines/${machine}/metrics?after=${encodeURIComponent(instant)}`)).status, instant).toBe(400);
  }
  for (const instant of ['9999-12-31T23:59:59Z', '2026-01-01T00:00:00+23:59']) expect((await call('GET', `/v1/machines/${machine}/metrics?after=${encodeURIComponent(instant)}`)).status, instant).toBe(200);
});

test('a user who is gone gets no fault of ours while a token still lives', async () => {
  const gone = await supabase.createUser();
  await supabase.adminClient.auth.admin.deleteUser(gone.id);
  expect(await callApi(controlPlane.url, gone.accessToken, 'POST', '/v1/traders', { document: DOCUMENT })).toMatchObject({ status: 404, body: { code: 'owner_gone' } });
});

test('lists of operators are read page by page to their end', async () => {
  const operator = await supabase.createUser();
  await supabase.adminClient.auth.admin.updateUserById(operator.id, { app_metadata: { trademind_role: 'operator' } });
  const token = (await operator.client.auth.signInWithPassword({ email: operator.email, password: operator.password })).data.session!.access_token;
  for (let at = 0; at < 5; at += 1) {
    await supabase.database.pool.query(`insert into public.releases (version, image, registered_by) values ($1, $2, $3)`, [`0.9.${at}`, `${TEST_IMAGES.tiny.split('@')[0]}@sha256:${String(at).repeat(64)}`, operator.id]);
  }
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null;) {
    const { body } = await callApi(controlPlane.url, token, 'GET', `/v1/releases?limit=2${cursor === '' ? '' : `&cursor=${cursor}`}`);
    seen.push(...(body['items'] as { version: string }[]).map(({ version }) => version).filter((version) => version.startsWith('0.9.')));
    cursor = body['next'] as string | null;
  }
  expect(seen).toEqual(['0.9.4', '0.9.3', '0.9.2', '0.9.1', '0.9.0']);
  // more findings than the fleet at a glance shows, many of one instant
  await supabase.database.pool.query(`insert into public.fleet_findings (kind, subject, why, first_seen_at, abandoned_at) select case when n % 3 = 0 then 'orphan' else 'foreign' end, 'found-' || n, 'It is here.', now() - make_interval(mins => n / 50), case when n % 30 = 0 then now() end from generate_series(1, 210) n`);
  const { body: fleet } = await callApi(controlPlane.url, token, 'GET', '/v1/fleet');
  expect(fleet).toMatchObject({ found: { orphan: 70, foreign: 140 }, findings: { length: 200 } });
  const findings = async (query: string) => {
    const found: { subject: string; firstSeenAt: string }[] = [];
    for (let cursor: string | null = ''; cursor !== null;) {
      const { body } = await callApi(controlPlane.url, token, 'GET', `/v1/fleet/findings?limit=40&${query}${cursor === '' ? '' : `&cursor=${cursor}`}`);
      found.push(...body['items'] as typeof found);
      cursor = body['next'] as string | null;
    }
    return found;
  };
  const all = await findings('');
  expect([all.length, new Set(all.map(({ subject }) => subject)).size, all.map(({ firstSeenAt }) => firstSeenAt)]).toEqual([210, 210, all.map(({ firstSeenAt }) => firstSeenAt).toSorted().toReversed()]);
  expect([(await findings('kind=orphan')).length, (await findings('abandoned=true')).length, (await findings('kind=foreign&abandoned=true')).length]).toEqual([70, 7, 0]);
  await supabase.database.pool.query(`delete from public.fleet_findings`);
  for (const list of ['releases', 'rollouts', 'fleet/findings']) expect(await callApi(controlPlane.url, token, 'GET', `/v1/${list}?cursor=abc`), list).toMatchObject({ status: 400, body: { code: 'cursor_invalid' } });
});

describe('the stream of events', () => {
  const path = async () => {
    const id = await addMachine(`s${randomUUID().slice(0, 8)}`);
    return `/v1/machines/${id}/events`;
  };
  const headers = (more: Record<string, string> = {}) => ({ authorization: `Bearer ${user.accessToken}`, accept: 'text/event-stream', ...more });

  test('answers no HEAD, which would never end, and opens for nobody who gives it the weight 0', async () => {
    const url = `${controlPlane.url}${await path()}`;
    expect((await fetch(url, { method: 'HEAD', headers: headers(), signal: AbortSignal.timeout(20_000) })).status).toBe(404);
    const answer = await fetch(url, { headers: headers({ accept: 'application/json, text/event-stream;q=0' }) });
    expect(answer.headers.get('content-type')).toContain('application/json');
  });

  test('takes only an id of an event to resume after', async () => {
    const url = `${controlPlane.url}${await path()}`;
    for (const id of ['abc', '-1', '9223372036854775808', '1.5']) {
      const answer = await fetch(url, { headers: headers({ 'last-event-id': id }) });
      expect([answer.status, ((await answer.json()) as { field?: string }).field], id).toEqual([400, 'last-event-id']);
    }
    const ended = new AbortController();
    const open = await fetch(url, { headers: headers({ 'last-event-id': '12' }), signal: ended.signal });
    expect(open.headers.get('content-type')).toContain('text/event-stream');
    ended.abort();
  });
});

test('what is refused before it is a request is a problem too', async () => {
  const raw = (text: string) => new Promise<string>((resolve) => {
    let said = '';
    const socket = connect(Number(new URL(controlPlane.url).port), '127.0.0.1', () => socket.write(text));
    socket.on('data', (chunk: Buffer) => { said += chunk.toString(); }).on('error', () => undefined).on('close', () => resolve(said));
  });
  for (const [text, status, code] of [
    [`GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'], ['NONSENSE\r\n\r\n', 400, 'request_malformed'],
  ] as const) {
    const said = await raw(text);
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} [\\s\\S]*content-type: application/problem\\+json`));
    expect(JSON.parse(said.split('\r\n\r\n')[1]!)).toMatchObject({ status, code, nextStep: expect.any(String) as string });
  }
  const bare = await fetch(`${controlPlane.url}/v1/machines`, { method: 'OPTIONS' });
  expect([bare.status, await bare.text()]).toEqual([204, '']);
});

test('the description names the headers that callers may send and get, streams, and every operation', async () => {
  const { paths } = await (await fetch(`${controlPlane.url}/openapi.json`)).json() as { paths: Record<string, Record<string, { operationId?: string; parameters?: { in: string; name: string }[]; responses: Record<string, { content?: object; headers?: object }> }>> };
  const headersOf = (path: string, method: string) => (paths[path]?.[method]?.parameters ?? []).filter((one) => one.in === 'header').map(({ name }) => name).toSorted();
  expect(headersOf('/v1/machines/{id}', 'patch')).toEqual(['idempotency-key', 'if-match']);
  expect(headersOf('/v1/traders/{id}', 'put')).toEqual(['idempotency-key', 'if-match']);
  expect(headersOf('/v1/machines', 'post')).toEqual(['idempotency-key']);
  expect(headersOf('/v1/machines/{id}/events', 'get')).toEqual(['last-event-id']);
  expect(headersOf('/v1/machines', 'get')).toEqual([]);
  expect(Object.keys(paths['/v1/machines/{id}/events']!['get']!.responses['200']!.content!)).toEqual(['application/json', 'text/event-stream']);
  expect(Object.keys(paths['/v1/machines']!['post']!.responses['202']!.headers!)).toEqual(['etag', 'location']);
  const ids = Object.values(paths).flatMap((verbs) => Object.values(verbs).map(({ operationId }) => operationId));
  expect(ids).not.toContain(undefined);
  expect(new Set(ids).size).toBe(ids.length);
  expect(paths['/v1/machines/{id}/restart']!['post']!.operationId).toBe('postMachinesByIdRestart');
});

test('a refusal names the place that was wrong, also deep in a list', async () => {
  const machine = await addMachine('places');
  expect(await call('PATCH', `/v1/machines/${machine}`, { otherRegions: ['fra', 'xyz'] })).toMatchObject({ status: 422, body: { field: 'otherRegions.1' } });
  expect(await call('PATCH', `/v1/machines/${machine}`, { otherSizes: [{ cpuKind: 'shared', cpus: 3, memoryMb: 512 }] })).toMatchObject({ status: 422, body: { field: 'otherSizes.0' } });
});
