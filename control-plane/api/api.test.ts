import { createHash, randomUUID } from 'node:crypto';
import SwaggerParser from '@apidevtools/swagger-parser';
import { Problem } from '@trademind/core';
import { SignJWT, createLocalJWKSet, generateKeyPair, importJWK, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../../tests/support/control-plane.ts';
import { eventually, startTestFly, type TestFly } from '../../tests/support/fly.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../../tests/support/supabase.ts';
import type { ControlPlane } from '../control-plane.ts';

let supabase: TestSupabase;
let fly: TestFly;
let controlPlane: ControlPlane;
let alice: TestUser;
let bob: TestUser;
let env: Record<string, string>;

beforeAll(async () => {
  [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]);
  env = controlPlaneEnv(supabase, fly);
  [controlPlane, alice, bob] = await Promise.all([startTestControlPlane(env), supabase.createUser(), supabase.createUser()]);
});
afterAll(async () => {
  await controlPlane.close();
  await Promise.all([fly.close(), supabase.close()]);
});

const call = (token: string | null, method: string, path: string, body?: unknown, headers?: Record<string, string>) => callApi(controlPlane.url, token, method, path, body, headers);
const as = (user: TestUser, method: string, path: string, body?: unknown, headers?: Record<string, string>) => call(user.accessToken, method, path, body, headers);
const DOCUMENT = { name: 'Dip', side: 'long', where: { cheap: 'rsi(14) < 30' } };

/** The user's machine, deployed if need be, in this phase. */
const machineIn = (user: TestUser, phase: string) => eventually(async () => {
  const { body } = await as(user, 'POST', '/v1/machines', {});
  return body['phase'] === phase ? body : undefined;
});

function expectProblem(answer: { status: number; headers: Headers; body: unknown }, status: number, code: string): Problem {
  expect(answer).toMatchObject({ status, body: { status, code } });
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
  const problem = Problem.parse(answer.body);
  expect(problem.requestId).toBe(answer.headers.get('x-request-id'));
  return problem;
}

describe('a machine', () => {
  test('is made once per user, told step by step, changed by its generation, and destroyed to the last volume', async () => {
    const first = await as(alice, 'POST', '/v1/machines', { region: 'fra', size: { cpuKind: 'shared', cpus: 1, memoryMb: 1_024 } }, { 'idempotency-key': 'one' });
    expect(first).toMatchObject({ status: 202, body: { userId: alice.id, phase: 'requested', generation: 1, desired: { region: 'fra' }, app: null, monthlyPriceUsd: expect.closeTo(7.88, 1) as number } });
    expect(first.headers.get('etag')).toBe('"1"');
    const path = String(first.headers.get('location'));
    expect(await as(alice, 'POST', '/v1/machines', { region: 'sin' })).toMatchObject({ status: 200, body: { id: first.body['id'], desired: { region: 'fra' } } });

    const screening = await eventually(async () => { const { body } = await as(alice, 'GET', path); return body['phase'] === 'screening' && body['observedGeneration'] === 1 ? body : undefined; });
    expect(screening).toMatchObject({ region: 'fra', size: { cpuKind: 'shared', cpus: 1, memoryMb: 1_024 }, image: env['MACHINE_IMAGE'], lastError: null, url: `${fly.edgeUrl}/${String(screening['app'])}` });
    expect(screening['feed']).toBe(`${fly.edgeUrl.replace('http', 'ws')}/${String(screening['app'])}/v1/feed`);
    expect((await as(alice, 'GET', '/v1/machines')).body).toMatchObject({ items: [{ id: screening['id'] }], next: null });

    // what Fly holds is what the contract says
    const [machine] = await fly.fly.machines.list(String(screening['app']));
    expect(machine?.config).toMatchObject({ auto_destroy: false, stop_config: { signal: 'SIGTERM' }, env: { MACHINE_ID: screening['id'], USER_ID: alice.id, CONTROL_PLANE_URL: controlPlane.url } });
    expect(JSON.stringify(machine)).not.toContain(supabase.secretKey);

    expectProblem(await as(alice, 'PATCH', path, { desired: 'stopped' }, { 'if-match': '"7"' }), 412, 'generation_mismatch');
    expect(await as(alice, 'PATCH', path, { size: { cpuKind: 'shared', cpus: 2, memoryMb: 1_024 } }, { 'if-match': '"1"' })).toMatchObject({ status: 202, body: { generation: 2 } });
    await eventually(async () => { const { body } = await as(alice, 'GET', path); return (body['size'] as { cpus: number }).cpus === 2 && body['observedGeneration'] === 2 ? body : undefined; });
    await as(alice, 'PATCH', path, { desired: 'stopped' });
    await eventually(async () => ((await as(alice, 'GET', path)).body['phase'] === 'stopped' ? true : undefined));
    expect((await fly.fly.machines.get(String(screening['app']), String(screening['flyMachineId']))).state).toBe('stopped');
    await as(alice, 'PATCH', path, { desired: 'started' });
    const before = await eventually(async () => { const { body } = await as(alice, 'GET', path); return body['phase'] === 'screening' ? body : undefined; });

    expectProblem(await as(alice, 'PATCH', path, { otherRegions: ['nrt', 'iad'] }), 422, 'region_refused');
    expect(await as(alice, 'POST', `${path}/restart`)).toMatchObject({ status: 202, body: { generation: Number(before['generation']) + 1 } });
    const restarted = await eventually(async () => { const { body } = await as(alice, 'GET', path); return body['phase'] === 'screening' && body['observedGeneration'] === Number(before['generation']) + 1 ? body : undefined; });
    expect(restarted['flyMachineId']).toBe(before['flyMachineId']);

    expect(await as(alice, 'DELETE', path)).toMatchObject({ status: 202, body: { desired: { state: 'destroyed' } } });
    expectProblem(await as(alice, 'PATCH', path, { desired: 'started' }), 409, 'machine_being_destroyed');
    expect(await eventually(async () => { const { body } = await as(alice, 'GET', path); return body['phase'] === 'destroyed' ? body : undefined; })).toMatchObject({ app: null, flyMachineId: null });
    await expect(fly.fly.apps.get(String(screening['app']))).rejects.toMatchObject({ code: 'fly_not_found' });
    expect((await as(alice, 'GET', '/v1/machines')).body).toMatchObject({ items: [] });

    const { body } = await as(alice, 'GET', `${path}/events?limit=500`);
    const kinds = (body['items'] as { kind: string; data: { ms?: number } }[]).map((event) => event.kind).filter((kind) => kind !== 'phase' && kind !== 'wish');
    expect(kinds).toEqual([
      'requested', 'app.created', 'ip.created', 'ip.created', 'volume.created', 'secret.set', 'machine.created', 'settled', 'machine.updated', 'settled', 'machine.stopped', 'settled',
      'machine.started', 'settled', 'machine.updated', 'settled', 'machine.stopped', 'machine.destroyed', 'volume.deleted', 'ip.released', 'ip.released', 'app.deleted', 'settled',
    ]);
  });

  test('that vanishes at Fly is made again', async () => {
    const before = await machineIn(bob, 'screening');
    await fly.fly.machines.destroy(String(before['app']), String(before['flyMachineId']), { force: true });
    await supabase.database.pool.query('update machines set next_look_at = now() where id = $1', [before['id']]);
    const after = await eventually(async () => { const { body } = await as(bob, 'GET', `/v1/machines/${String(before['id'])}`); return body['phase'] === 'screening' && body['flyMachineId'] !== before['flyMachineId'] && body['flyMachineId'] !== null ? body : undefined; });
    expect(await fly.fly.machines.list(String(after['app']))).toHaveLength(1);
    expect(await fly.fly.volumes.list(String(after['app']))).toHaveLength(1);
  });

  test('is refused where it would see no market, in a size that Fly does not have, and for words that mean nothing', async () => {
    expect(expectProblem(await as(alice, 'POST', '/v1/machines', { region: 'iad' }), 422, 'region_refused').detail).toContain('451');
    expect(expectProblem(await as(alice, 'POST', '/v1/machines', { region: 'xxx' }), 422, 'region_unknown').nextStep).toContain('sin');
    expect(expectProblem(await as(alice, 'POST', '/v1/machines', { size: { cpuKind: 'shared', cpus: 3, memoryMb: 768 } }), 422, 'size_invalid')).toMatchObject({ field: 'size' });
    expect(expectProblem(await as(alice, 'POST', '/v1/machines', { image: 'evil' }), 400, 'request_invalid')).toMatchObject({ field: 'image' });
    expect(expectProblem(await as(alice, 'PATCH', `/v1/machines/${randomUUID()}`, { desired: 'destroyed' }), 400, 'request_invalid')).toMatchObject({ field: 'desired' });
  });
});

describe('whoever is not a signed-in user', () => {
  const routes = [
    ['POST', '/v1/machines'], ['GET', '/v1/machines'], ['GET', '/v1/machines/:id'], ['PATCH', '/v1/machines/:id'], ['DELETE', '/v1/machines/:id'], ['POST', '/v1/machines/:id/ticket'],
    ['GET', '/v1/machines/:id/events'], ['GET', '/v1/traders'], ['POST', '/v1/traders'], ['GET', '/v1/traders/:id'], ['PUT', '/v1/traders/:id'], ['DELETE', '/v1/traders/:id'], ['GET', '/v1/me'],
  ] as const;

  test.each(routes)('%s %s is refused to nobody, to a machine, to the publishable key, to a forged and to a foreign token', async (method, route) => {
    const path = route.replace(':id', randomUUID());
    const body = method === 'GET' || method === 'DELETE' ? undefined : {};
    expectProblem(await call(null, method, path, body), 401, 'token_missing');
    const { privateKey } = await generateKeyPair('ES256');
    const forged = await new SignJWT({ role: 'authenticated' }).setProtectedHeader({ alg: 'ES256' }).setSubject(alice.id).setIssuer(`${supabase.url}/auth/v1`).setAudience('authenticated').setExpirationTime('1h').sign(privateKey);
    const machine = await supabase.signMachineToken({ machineId: randomUUID(), userId: alice.id, epoch: 1 });
    const [head, claims, signature] = alice.accessToken.split('.') as [string, string, string];
    const changed = `${head}.${Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(claims, 'base64url').toString()) as object, sub: bob.id })).toString('base64url')}.${signature}`;
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`;
    for (const token of [forged, machine, changed, unsigned, supabase.publishableKey, supabase.secretKey, 'x'.repeat(40)]) {
      expectProblem(await call(token, method, path, body), 401, 'token_refused');
    }
  });

  test('a token of another issuer or audience is refused though its signature is good', async () => {
    const key = await importJWK(supabase.machineSigningJwk, 'ES256');
    const sign = (issuer: string, audience: string, role: string) => new SignJWT({ role }).setProtectedHeader({ alg: 'ES256', kid: supabase.machineSigningJwk.kid ?? '' }).setSubject(alice.id).setIssuer(issuer).setAudience(audience).setIssuedAt().setExpirationTime('1h').sign(key);
    const issuer = `${supabase.url}/auth/v1`;
    expect((await call(await sign(issuer, 'authenticated', 'authenticated'), 'GET', '/v1/me')).status).toBe(200);
    for (const token of [await sign('https://elsewhere.example/auth/v1', 'authenticated', 'authenticated'), await sign(issuer, 'other', 'authenticated'), await sign(issuer, 'authenticated', 'anon'), await sign(issuer, 'authenticated', 'service_role')]) {
      expectProblem(await call(token, 'GET', '/v1/me'), 401, 'token_refused');
    }
  });
});

describe('another user', () => {
  test('sees nothing of a machine or a trader, and cannot tell that it exists', async () => {
    const machine = `/v1/machines/${String((await machineIn(bob, 'screening'))['id'])}`;
    const trader = `/v1/traders/${String((await as(bob, 'POST', '/v1/traders', { document: { ...DOCUMENT, name: 'Of Bob' } })).body['id'])}`;
    for (const [method, path, body] of [['GET', machine], ['PATCH', machine, { desired: 'stopped' }], ['DELETE', machine], ['POST', `${machine}/ticket`, {}], ['GET', `${machine}/events`]] as const) {
      const theirs = await as(alice, method, path, body);
      expectProblem(theirs, 404, 'machine_not_found');
      expect(theirs.status).toBe((await as(alice, method, path.replace(/[0-9a-f-]{36}/, randomUUID()), body)).status);
    }
    for (const [method, body] of [['GET'], ['PUT', { document: DOCUMENT }], ['DELETE']] as const) expectProblem(await as(alice, method, trader, body), 404, 'trader_not_found');
    expect(JSON.stringify((await as(alice, 'GET', '/v1/traders')).body)).not.toContain('Of Bob');
    expect((await as(bob, 'GET', trader)).body).toMatchObject({ name: 'Of Bob', version: 1 });
  });
});

describe('events as a stream', () => {
  /** Reads server-sent events until enough came. */
  async function watch(path: string, enough: (events: { id: number; kind: string }[]) => boolean, headers: Record<string, string> = {}): Promise<{ id: number; kind: string }[]> {
    const leave = new AbortController();
    const response = await fetch(`${controlPlane.url}${path}`, { headers: { authorization: `Bearer ${bob.accessToken}`, accept: 'text/event-stream', origin: 'http://127.0.0.1:4173', ...headers }, signal: leave.signal });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    expect(response.headers.get('access-control-allow-origin')).toBe('http://127.0.0.1:4173');
    const events: { id: number; kind: string }[] = [];
    let text = '';
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      const frames = text.split('\n\n');
      text = frames.pop() ?? '';
      for (const frame of frames) {
        const id = /^id: (\d+)$/m.exec(frame)?.[1];
        if (id !== undefined) events.push({ id: Number(id), kind: /^event: (.+)$/m.exec(frame)?.[1] ?? '' });
      }
      if (enough(events)) break;
    }
    leave.abort();
    return events;
  }

  test('tell what was and what comes, and go on after the last one that was seen: none missing, none twice', async () => {
    const path = `/v1/machines/${String((await machineIn(bob, 'screening'))['id'])}`;
    const before = await watch(`${path}/events`, (events) => events.some((event) => event.kind === 'machine.created'));
    const rest = watch(`${path}/events`, (events) => events.some((event) => event.kind === 'machine.stopped'), { 'last-event-id': String(before.at(-1)?.id) });
    await as(bob, 'PATCH', path, { desired: 'stopped' });
    const after = await rest;
    const page = (await as(bob, 'GET', `${path}/events?limit=500`)).body['items'] as { id: number }[];
    const seen = [...before, ...after].map((event) => event.id);
    expect(seen).toEqual(page.map((event) => event.id).slice(0, seen.length));
    await as(bob, 'PATCH', path, { desired: 'started' });
  });

  test('of one user are at most twenty at once, and one that is closed makes room', async () => {
    const path = `${controlPlane.url}/v1/machines/${String((await machineIn(bob, 'screening'))['id'])}/events`;
    const leave = new AbortController();
    const open = (signal: AbortSignal) => fetch(path, { headers: { authorization: `Bearer ${bob.accessToken}`, accept: 'text/event-stream' }, signal });
    const all = await Promise.all(Array.from({ length: 25 }, () => open(leave.signal)));
    expect(all.filter(({ status }) => status === 200)).toHaveLength(20);
    expect(await all.find(({ status }) => status !== 200)!.json()).toMatchObject({ status: 429, code: 'too_many_streams' });
    leave.abort();
    const again = new AbortController();
    await eventually(async () => ((await open(again.signal)).status === 200 ? true : undefined));
    again.abort();
  });

  test('come in pages too', async () => {
    const path = `/v1/machines/${String((await machineIn(bob, 'screening'))['id'])}/events`;
    const all = (await as(bob, 'GET', `${path}?limit=500`)).body['items'] as { id: number }[];
    const paged: { id: number }[] = [];
    let next: string | null = '0';
    while (next !== null) {
      const { body } = await as(bob, 'GET', `${path}?limit=3&after=${next}`);
      paged.push(...body['items'] as { id: number }[]);
      next = body['next'] as string | null;
    }
    expect(paged.map((event) => event.id).slice(0, all.length)).toEqual(all.map((event) => event.id));
  });
});

test('a machine\'s load is told by the minute, hour and day, in pages, to its user', async () => {
  const machine = await machineIn(bob, 'screening');
  const minutes = [1, 2, 3].map((ago) => new Date(Math.floor(Date.now() / 60_000 - ago) * 60_000).toISOString()).toReversed();
  for (const at of minutes) {
    await supabase.database.pool.query(`insert into public.machine_metrics (machine_id, user_id, resolution, at, seconds, cpu_percent, cpu_percent_max, rss_mb, rss_mb_max) values ($1, $2, 'minute', $3, 60, 5, 9, 100, 120)
      on conflict (machine_id, resolution, at) do nothing`, [machine['id'], bob.id, at]);
  }
  const path = `/v1/machines/${String(machine['id'])}/metrics?resolution=minute&limit=2`;
  const first = await as(bob, 'GET', path);
  expect(first.body['items']).toMatchObject([{ at: minutes[0], cpuPercent: 5, rssMbMax: 120, lagMsMax: null }, { at: minutes[1] }]);
  expect((await as(bob, 'GET', `${path}&after=${encodeURIComponent(String(first.body['next']))}`)).body).toMatchObject({ items: [{ at: minutes[2] }], next: null });
  expectProblem(await as(alice, 'GET', path), 404, 'machine_not_found');
  expectProblem(await as(bob, 'GET', `${path}&after=yesterday`), 400, 'request_invalid');
});

describe('a machine\'s own token', () => {
  test('is given for its secret alone, opens only its own row, and lets it beat', async () => {
    const machine = await machineIn(bob, 'screening');
    const secret = randomUUID();
    await supabase.database.pool.query('update machine_secrets set hashes = array[hashes[1], $2] where machine_id = $1', [machine['id'], createHash('sha256').update(secret).digest('hex')]);
    const { status, body } = await call(secret, 'POST', '/v1/machine/token');
    expect({ status, body }).toMatchObject({ status: 200, body: { machineId: machine['id'], userId: bob.id, supabaseUrl: supabase.url } });
    const client = supabase.machineClient(String(body['token']));
    expect((await client.from('machines').select('id')).data).toEqual([{ id: machine['id'] }]);
    expect((await client.rpc('machine_beat', { p_status: { phase: 'screening', detail: 'x' } })).data).toMatchObject({ desired_state: 'started' });
    expectProblem(await call(randomUUID(), 'POST', '/v1/machine/token'), 401, 'machine_secret_refused');
    expectProblem(await call(null, 'POST', '/v1/machine/token'), 401, 'token_missing');
    expectProblem(await call(bob.accessToken, 'POST', '/v1/machine/token'), 401, 'machine_secret_refused');
  });

  test('the secret at Fly is one that the database knows', async () => {
    const machine = await machineIn(bob, 'screening');
    const { secrets } = await fly.fly.secrets.list(String(machine['app']));
    expect(secrets.map((secret) => secret.name)).toEqual(['MACHINE_SECRET']);
    const { rows } = await supabase.database.pool.query('select hashes from machine_secrets where machine_id = $1', [machine['id']]);
    expect(rows).toHaveLength(1);
  });
});

test('a ticket is good for one machine, for a minute, and verifies against the keys that the machine was given', async () => {
  const machine = await machineIn(bob, 'screening');
  const { status, body } = await as(bob, 'POST', `/v1/machines/${String(machine['id'])}/ticket`, { scopes: ['feed:read'] });
  expect(status).toBe(200);
  const given = (await fly.fly.machines.list(String(machine['app'])))[0]?.config?.env?.['TICKET_JWKS'] ?? '';
  expect(given).not.toContain('"d"');
  const { payload } = await jwtVerify(String(body['ticket']), createLocalJWKSet(JSON.parse(given) as JSONWebKeySet), { audience: `machine:${String(machine['id'])}`, issuer: 'trademind-control-plane', maxTokenAge: 60 });
  expect(payload).toMatchObject({ sub: bob.id, scope: 'feed:read' });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
  expect(body).toMatchObject({ url: machine['url'], feed: machine['feed'] });
});

test('traders are added, listed in pages, changed with a new version, removed; a second one of the same name is refused', async () => {
  const user = await supabase.createUser();
  const added = await as(user, 'POST', '/v1/traders', { document: DOCUMENT });
  expect(added).toMatchObject({ status: 201, body: { name: 'Dip', version: 1, enabled: true, document: { when: 'all', repeat: 'edge' } } });
  expectProblem(await as(user, 'POST', '/v1/traders', { document: DOCUMENT }), 409, 'already_exists');
  expect(expectProblem(await as(user, 'POST', '/v1/traders', { document: { ...DOCUMENT, side: 'up' } }), 400, 'request_invalid')).toMatchObject({ field: 'document.side' });
  const path = String(added.headers.get('location'));
  expect((await as(user, 'PUT', path, { document: DOCUMENT, enabled: false })).body).toMatchObject({ version: 1, enabled: false });
  expect((await as(user, 'PUT', path, { document: { ...DOCUMENT, where: { cheap: 'rsi(14) < 25' } } })).body).toMatchObject({ version: 2, enabled: false });
  for (const name of ['B', 'C', 'D', 'E']) await as(user, 'POST', '/v1/traders', { document: { ...DOCUMENT, name } });
  const names: string[] = [];
  let next: string | null = '';
  do {
    const { body } = await as(user, 'GET', `/v1/traders?limit=2${next === '' ? '' : `&cursor=${next}`}`);
    names.push(...(body['items'] as { name: string }[]).map((trader) => trader.name));
    next = body['next'] as string | null;
  } while (next !== null);
  expect(names).toEqual(['Dip', 'B', 'C', 'D', 'E']);
  expect((await as(user, 'DELETE', path)).status).toBe(204);
  expectProblem(await as(user, 'GET', path), 404, 'trader_not_found');
  expectProblem(await as(user, 'DELETE', path), 404, 'trader_not_found');
});

describe('the edges of HTTP', () => {
  test('whatever is wrong with a request is a problem with a code', async () => {
    const post = (body: string, type: string) => fetch(`${controlPlane.url}/v1/machines`, { method: 'POST', headers: { authorization: `Bearer ${alice.accessToken}`, 'content-type': type }, body })
      .then(async (response) => ({ status: response.status, headers: response.headers, body: await response.json() as unknown }));
    expectProblem(await post('{', 'application/json'), 400, 'body_malformed');
    expectProblem(await post('<x/>', 'text/xml'), 415, 'media_type_unsupported');
    expectProblem(await post('x', 'text/plain'), 415, 'media_type_unsupported');
    expectProblem(await post(JSON.stringify({ region: 'x'.repeat(300_000) }), 'application/json'), 413, 'body_too_large');
    expectProblem(await as(alice, 'GET', '/v1/nothing'), 404, 'route_not_found');
    expectProblem(await as(alice, 'GET', '/v1/machines/not-an-id'), 400, 'request_invalid');
    expectProblem(await as(alice, 'GET', '/v1/machines?limit=0'), 400, 'request_invalid');
    expectProblem(await as(alice, 'GET', '/v1/machines?cursor=bm9wZQ'), 400, 'cursor_invalid');
    expectProblem(await as(alice, 'DELETE', `/v1/machines/${randomUUID()}`, undefined, { 'if-match': 'x' }), 400, 'request_invalid');
  });

  test('only pages of allowed origins may call from a browser', async () => {
    const preflight = async (origin: string) => (await fetch(`${controlPlane.url}/v1/machines`, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' } })).headers.get('access-control-allow-origin');
    expect(await preflight('http://127.0.0.1:4173')).toBe('http://127.0.0.1:4173');
    expect(await preflight('https://evil.example')).toBeNull();
  });

  test('the description is OpenAPI 3.1 of every route, made from the schemas; the docs are there; metrics count', async () => {
    const { body } = await call(null, 'GET', '/openapi.json');
    expect(body).toMatchObject({ openapi: '3.1.0' });
    await SwaggerParser.validate(structuredClone(body) as never);
    const paths = body['paths'] as Record<string, Record<string, { requestBody?: unknown }>>;
    expect(JSON.stringify(paths['/v1/machines']?.['post']?.requestBody)).toContain('memoryMb');
    expect(JSON.stringify(body)).toContain('application/problem+json');
    expect((await fetch(`${controlPlane.url}/docs/`)).status).toBe(200);
    expect(await (await fetch(controlPlane.metricsUrl + '/metrics')).text()).toMatch(/trademind_looks_total\{outcome="done"\} \d+/);
    expect((await fetch(`${controlPlane.url}/metrics`)).status).toBe(404);
    const published = (await supabase.database.pool.query<{ jwks: unknown }>('select jwks from public.ticket_keys')).rows[0]?.jwks;
    expect((await call(null, 'GET', '/.well-known/jwks.json')).body).toEqual(published);
    expect(JSON.stringify(published)).not.toContain('"d"');
    expect(await call(alice.accessToken, 'GET', '/v1/me')).toMatchObject({ status: 200, body: { id: alice.id, email: alice.email, role: 'user', operator: false, plan: { name: 'tests' }, budget: null, scaling: null, analysis: null, keys: { binance: null, gemini: null }, notifications: null } });
    expect(await call(null, 'GET', '/readyz')).toMatchObject({ status: 200, body: { ready: true } });
  });
});
