import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MachineKeys, Me } from '@trademind/core';
import type { ControlPlane } from '../../control-plane/index.ts';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { startTestFly, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';
import { startLossyProxy } from './lossy-proxy.ts';

let supabase: TestSupabase;
let fly: TestFly;
let env: Record<string, string>;
let controlPlane: ControlPlane;
let other: ControlPlane;
let user: TestUser;

beforeAll(async () => {
  [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]);
  env = controlPlaneEnv(supabase, fly);
  [controlPlane, other] = await Promise.all([startTestControlPlane(env), startTestControlPlane(env)]);
});
afterAll(async () => {
  await Promise.all([controlPlane.close(), other.close()]);
  await Promise.all([fly.close(), supabase.close()]);
});
beforeEach(async () => { user = await supabase.createUser(); });

const sql = async <T extends object>(text: string, values: unknown[] = []) => (await supabase.database.pool.query<T>(text, values)).rows;
const call = (token: string | null, method: string, path: string, body?: unknown, headers?: Record<string, string>, url = controlPlane.url) => callApi(url, token, method, path, body, headers);
const mine = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => call(user.accessToken, method, path, body, headers);

async function operator(): Promise<string> {
  const one = await supabase.createUser();
  await supabase.adminClient.auth.admin.updateUserById(one.id, { app_metadata: { trademind_role: 'operator' } });
  const { data } = await one.client.auth.signInWithPassword({ email: one.email, password: one.password });
  return data.session!.access_token;
}
async function machineOf(owner: TestUser): Promise<{ id: string; secret: string }> {
  const secret = randomBytes(32).toString('base64url');
  const [machine] = await sql<{ id: string }>(
    `insert into public.machines (user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, next_look_at) values ($1, 'local', 'sin', 'shared', 1, 512, 'machine@sha256:00', 'infinity') returning id`, [owner.id]);
  await sql(`insert into public.machine_secrets (machine_id, hashes) values ($1, array[$2])`, [machine!.id, createHash('sha256').update(secret).digest('hex')]);
  return { id: machine!.id, secret };
}

test('caps on analyses are set by their user, told to the machine within a beat, and taken back; what is no cap is refused by its field', async () => {
  const machine = await machineOf(user);
  const version = async () => (await sql<{ version: number }>('select version from public.user_settings where user_id = $1', [user.id]))[0]?.version ?? 0;
  const told = async () => MachineKeys.parse((await call(machine.secret, 'GET', '/v1/machine/keys')).body);
  expect([Me.parse((await mine('GET', '/v1/me')).body).analysis, (await told()).analysis]).toEqual([null, null]);
  const caps = { tokensPerDay: 250_000, usdPerDay: 0.25 };
  expect((await mine('PUT', '/v1/me/analysis', caps)).status).toBe(204);
  expect([Me.parse((await mine('GET', '/v1/me')).body).analysis, await told()]).toMatchObject([caps, { analysis: caps, settingsVersion: await version() }]);
  await mine('PUT', '/v1/me/scaling', { automatic: false, policy: 'balanced' });
  for (const [field, body] of Object.entries({ tokensPerDay: { ...caps, tokensPerDay: 1.5 }, usdPerDay: { ...caps, usdPerDay: -0.01 } })) {
    expect(await mine('PUT', '/v1/me/analysis', body)).toMatchObject({ status: 400, body: { code: 'request_invalid', field } });
  }
  for (const body of [{ tokensPerDay: 1 }, { ...caps, more: 1 }, { ...caps, tokensPerDay: 2_000_000_000 }, { ...caps, usdPerDay: 0.001 }]) expect((await mine('PUT', '/v1/me/analysis', body)).status).toBe(400);
  expect((await told()).analysis).toEqual(caps);
  const before = await version();
  expect((await mine('DELETE', '/v1/me/analysis')).status).toBe(204);
  expect([(await told()).analysis, await version()]).toEqual([null, before + 1]);
  expect(Me.parse((await mine('GET', '/v1/me')).body).scaling).toMatchObject({ policy: 'balanced' });
});

describe('keys', () => {
  const binance = { apiKey: 'binance-api-key-0123456789', secretKey: 'binance-secret-key-9876543210' };
  const channel = { id: 'tg', name: 'Phone', kind: 'telegram', botToken: `123456789:${'A'.repeat(35)}`, chatId: '42' };
  const rule = { id: 'all', on: 'signal', to: ['tg'] };

  test('go in, come out at the user\'s own machine alone, and are shown to nobody', async () => {
    const [machine, strange] = [await machineOf(user), await machineOf(await supabase.createUser())];
    expect((await mine('PUT', '/v1/me/keys/binance', binance)).status).toBe(204);
    expect((await mine('PUT', '/v1/me/keys/gemini', { apiKey: 'gemini-key-0123456789' })).status).toBe(204);
    expect((await mine('PUT', '/v1/me/notifications', { channels: [channel], rules: [rule] })).status).toBe(204);
    const delivered = MachineKeys.parse((await call(machine.secret, 'GET', '/v1/machine/keys')).body);
    expect(delivered).toMatchObject({ keysVersion: 3, binance, gemini: { source: 'user', apiKey: 'gemini-key-0123456789' }, notifications: { channels: [channel], rules: [rule] } });
    expect(MachineKeys.parse((await call(strange.secret, 'GET', '/v1/machine/keys')).body)).toMatchObject({ binance: null, gemini: null, notifications: null });

    const me = await mine('GET', '/v1/me');
    expect(Me.parse(me.body)).toMatchObject({ keys: { binance: { hint: '…6789' }, gemini: { hint: '…6789' } }, notifications: { channels: [{ id: 'tg', kind: 'telegram', hasToken: true }], rules: [rule] } });
    const [everything] = await sql<{ text: string }>(`select (select string_agg(s::text, '') from public.user_secrets s) || (select string_agg(a::text, '') from public.audit_log a) || (select coalesce(string_agg(u::text, ''), '') from public.user_settings u) as text`);
    for (const secret of [binance.apiKey, binance.secretKey, 'gemini-key-0123456789', channel.botToken]) {
      expect(JSON.stringify(me.body)).not.toContain(secret);
      expect(everything!.text).not.toContain(secret);
    }
  });

  test('rules are changed without sending the channels\' secrets again; a rule for a channel that is not there is refused', async () => {
    const machine = await machineOf(user);
    await mine('PUT', '/v1/me/notifications', { channels: [channel], rules: [rule] });
    expect((await mine('PUT', '/v1/me/notifications', { rules: [{ ...rule, atMostPerHour: 5 }] })).status).toBe(204);
    expect((await call(machine.secret, 'GET', '/v1/machine/keys')).body).toMatchObject({ notifications: { channels: [channel], rules: [{ atMostPerHour: 5 }] } });
    expect(await mine('PUT', '/v1/me/notifications', { rules: [{ ...rule, to: ['other'] }] })).toMatchObject({ status: 400, body: { code: 'request_invalid' } });
  });

  test('what is no key is refused without being repeated; what is forgotten is gone', async () => {
    const refused = await mine('PUT', '/v1/me/keys/binance', { apiKey: 'a key with spaces in it', secretKey: 'another-key-0123456789' });
    expect(refused).toMatchObject({ status: 400, body: { code: 'request_invalid', field: 'apiKey' } });
    expect(JSON.stringify(refused.body)).not.toContain('with spaces');
    await mine('PUT', '/v1/me/keys/binance', binance);
    expect((await mine('DELETE', '/v1/me/keys/binance')).status).toBe(204);
    expect(await mine('DELETE', '/v1/me/keys/binance')).toMatchObject({ status: 404, body: { code: 'secret_not_found' } });
    expect(await sql('select 1 from public.user_secrets where user_id = $1', [user.id])).toEqual([]);
  });

  test('a row that somebody moves to another user or field in the database opens for neither', async () => {
    const thief = await supabase.createUser();
    const machine = await machineOf(thief);
    await mine('PUT', '/v1/me/keys/binance', binance);
    await sql(`insert into public.user_secrets (user_id, field, key_id, sealed) select $2, field, key_id, sealed from public.user_secrets where user_id = $1`, [user.id, thief.id]);
    expect(await call(machine.secret, 'GET', '/v1/machine/keys')).toMatchObject({ status: 500 });
  });

  test('after a rotation all are sealed with the new key, and machines get what was stored before', async () => {
    const machine = await machineOf(user);
    await mine('PUT', '/v1/me/keys/binance', binance);
    const { keys } = JSON.parse(env['SEALING_KEYS'] as string) as { keys: Record<string, string> };
    const rotated = await startTestControlPlane({ ...env, SEALING_KEYS: JSON.stringify({ current: 'test-2', keys: { ...keys, 'test-2': randomBytes(32).toString('base64') } }) });
    try {
      await expect.poll(async () => (await sql<{ key_id: string }>('select distinct key_id from public.user_secrets where user_id = $1', [user.id])).map((row) => row.key_id), { timeout: 10_000 }).toEqual(['test-2']);
      expect((await call(machine.secret, 'GET', '/v1/machine/keys', undefined, {}, rotated.url)).body).toMatchObject({ binance });
    } finally {
      await rotated.close();
      await sql('delete from public.user_secrets');
    }
  });
});

describe('access tokens', () => {
  const make = async (scopes: string[], more: object = {}) => (await mine('POST', '/v1/me/tokens', { name: 'script', scopes, ...more })).body as { id: string; token: string };

  test('do what their scopes say and no more, are stored as hashes, and end at once when revoked', async () => {
    const { id, token } = await make(['machines:read', 'traders:read']);
    expect(token).toMatch(/^tm_/);
    expect((await call(token, 'GET', '/v1/machines')).status).toBe(200);
    expect((await call(token, 'GET', '/v1/traders')).status).toBe(200);
    expect(await call(token, 'POST', '/v1/machines', {})).toMatchObject({ status: 403, body: { code: 'scope_missing' } });
    expect(await call(token, 'GET', '/v1/me')).toMatchObject({ status: 403, body: { code: 'scope_missing' } });
    expect(await call(token, 'POST', '/v1/me/tokens', { name: 'x', scopes: ['machines:read'] })).toMatchObject({ status: 403, body: { code: 'session_only' } });
    expect(await call(token, 'PUT', '/v1/me/keys/gemini', { apiKey: 'gemini-key-0123456789' })).toMatchObject({ status: 403, body: { code: 'session_only' } });
    const [row] = await sql<{ text: string }>('select t::text as text from public.access_tokens t where id = $1', [id]);
    expect(row!.text).not.toContain(token);
    const { body } = await mine('GET', '/v1/me/tokens');
    expect(body).toMatchObject({ items: [{ id, name: 'script', scopes: ['machines:read', 'traders:read'], lastUsedAt: expect.any(String) as string }] });
    expect(JSON.stringify(body)).not.toContain(token);
    expect((await mine('DELETE', `/v1/me/tokens/${id}`)).status).toBe(204);
    expect(await call(token, 'GET', '/v1/machines')).toMatchObject({ status: 401, body: { code: 'token_refused' } });
    expect(await mine('DELETE', `/v1/me/tokens/${id}`)).toMatchObject({ status: 404 });
  });

  test('see and change what is their user\'s, and nothing of anybody else', async () => {
    const stranger = await supabase.createUser();
    const theirs = await machineOf(stranger);
    const { token } = await make(['machines:read', 'machines:write', 'traders:write']);
    expect((await call(token, 'GET', `/v1/machines/${theirs.id}`)).status).toBe(404);
    expect((await call(token, 'PATCH', `/v1/machines/${theirs.id}`, { desired: 'stopped' })).status).toBe(404);
    const deployed = await call(token, 'POST', '/v1/machines', {});
    expect(deployed).toMatchObject({ status: 202, body: { userId: user.id } });
    expect((await call(token, 'POST', '/v1/traders', { document: { name: 'Dip', side: 'long', where: { cheap: 'rsi(14) < 30' } } })).status).toBe(201);
    const told = await sql<{ actor_kind: string; actor_id: string; via: string | null }>(`select distinct actor_kind, actor_id, via from public.audit_log where subject_user = $1 and action in ('machines.insert', 'traders.insert')`, [user.id]);
    expect(told).toEqual([{ actor_kind: 'token', actor_id: user.id, via: expect.any(String) as string }]);
  });

  test('of a user who is no operator never open what is for operators', async () => {
    expect(await mine('POST', '/v1/me/tokens', { name: 'x', scopes: ['operator'] })).toMatchObject({ status: 403, body: { code: 'operator_only' } });
    await sql(`insert into public.access_tokens (user_id, name, hash, scopes, expires_at) values ($1, 'forged', $2, '{operator}', now() + interval '1 day')`, [user.id, createHash('sha256').update(`tm_${'x'.repeat(43)}`).digest('hex')]);
    expect(await call(`tm_${'x'.repeat(43)}`, 'GET', '/v1/audit')).toMatchObject({ status: 403, body: { code: 'operator_only' } });
  });

  test('expire, and there are never more than fifty', async () => {
    const { id, token } = await make(['machines:read']);
    await sql(`update public.access_tokens set expires_at = now() - interval '1 second' where id = $1`, [id]);
    expect((await call(token, 'GET', '/v1/machines')).status).toBe(401);
    const made = await Promise.all(Array.from({ length: 60 }, () => mine('POST', '/v1/me/tokens', { name: 'many', scopes: ['machines:read'] })));
    expect(made.filter(({ status }) => status === 201)).toHaveLength(50);
    expect(made.find(({ status }) => status !== 201)).toMatchObject({ status: 409, body: { code: 'too_many_access_tokens' } });
  });
});

describe('the same request twice', () => {
  const key = () => ({ 'idempotency-key': randomUUID() });
  const newToken = { name: 'once', scopes: ['machines:read'] };

  test('gets the same answer, secrets included, from any replica; the thing is done once', async () => {
    const headers = key();
    const first = await mine('POST', '/v1/me/tokens', newToken, headers);
    const again = await call(user.accessToken, 'POST', '/v1/me/tokens', newToken, headers, other.url);
    expect(again.status).toBe(201);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await mine('GET', '/v1/me/tokens')).body['items']).toHaveLength(1);
    const [kept] = await sql<{ text: string }>('select k::text as text from public.idempotency_keys k where user_id = $1', [user.id]);
    expect(kept!.text).not.toContain(String(first.body['token']));
  });

  test('fifty at once over two replicas: executed once, all get that answer', async () => {
    const headers = key();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, at) => call(user.accessToken, 'POST', '/v1/me/tokens', newToken, headers, at % 2 ? other.url : controlPlane.url)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${String(body['token'])}`)).size).toBe(1);
    expect((await mine('GET', '/v1/me/tokens')).body['items']).toHaveLength(1);
  });

  test('with another body, address or condition: 422, and nothing happens', async () => {
    const headers = key();
    await mine('POST', '/v1/me/tokens', newToken, headers);
    expect(await mine('POST', '/v1/me/tokens', { ...newToken, name: 'other' }, headers)).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    expect(await mine('PUT', '/v1/me/budget', { monthlyUsd: 5, action: 'notify' }, headers)).toMatchObject({ status: 422 });
    expect((await mine('GET', '/v1/me/tokens')).body['items']).toHaveLength(1);
    // a key belongs to its user: another's does not meet it
    const stranger = await supabase.createUser();
    expect((await call(stranger.accessToken, 'POST', '/v1/me/tokens', { ...newToken, name: 'other' }, headers)).status).toBe(201);
  });

  test('a refusal is kept like any answer; what failed on our side, and what is older than a day, may be tried again', async () => {
    const headers = key();
    const trader = { document: { name: 'Dip', side: 'long', where: { cheap: 'rsi(14) < 30' } } };
    await mine('POST', '/v1/traders', trader);
    expect((await mine('POST', '/v1/traders', trader, headers)).status).toBe(409);
    await sql('update public.traders set deleted_at = now() where user_id = $1', [user.id]);
    expect(await mine('POST', '/v1/traders', trader, headers)).toMatchObject({ status: 409, body: { code: 'already_exists' } });
    await sql(`update public.idempotency_keys set created_at = now() - interval '25 hours' where user_id = $1`, [user.id]);
    expect((await mine('POST', '/v1/traders', trader, headers)).status).toBe(201);
    expect(await mine('POST', '/v1/traders', trader, { 'idempotency-key': 'no spaces' })).toMatchObject({ status: 400, body: { field: 'idempotency-key' } });
  });

  test('one whose replica died is taken over when its time is up: the token it had made is not made twice', async () => {
    const headers = key();
    const lost = await mine('POST', '/v1/me/tokens', newToken, headers);
    await sql(`update public.idempotency_keys set status = null, answer = null, headers = null, locked_until = now() - interval '1 second' where user_id = $1`, [user.id]);
    const told = await mine('POST', '/v1/me/tokens', newToken, headers);
    expect(told).toMatchObject({ status: 201, body: { id: lost.body['id'] } });
    expect((await mine('GET', '/v1/me/tokens')).body['items']).toHaveLength(1);
    expect((await call(String(told.body['token']), 'GET', '/v1/machines')).status).toBe(200);
    expect((await call(String(lost.body['token']), 'GET', '/v1/machines')).status).toBe(401);
  });

  test('one whose answer the network lost is answered to its repeat, and done once', async () => {
    const machine = await machineOf(user);
    const script = String((await mine('POST', '/v1/me/tokens', { name: 'script', scopes: ['machines:write', 'traders:write'] })).body['token']);
    const proxy = await startLossyProxy(supabase.url, 1, 1, /\/(wish_machine_again|traders)\b/);
    const cut = await startTestControlPlane({ ...env, SUPABASE_URL: proxy.url });
    try {
      const [headers, path] = [key(), `/v1/machines/${machine.id}/restart`];
      expect(await call(script, 'POST', path, undefined, headers, cut.url)).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
      const wished = () => sql('select desired_restart, generation::int from public.machines where id = $1', [machine.id]);
      expect(await wished()).toEqual([{ desired_restart: 1, generation: 2 }]);
      expect(await call(script, 'POST', path, undefined, headers)).toMatchObject({ status: 202, body: { generation: 2 } });
      expect(await wished()).toEqual([{ desired_restart: 1, generation: 2 }]);
      expect((await call(script, 'POST', path, undefined, headers)).headers.get('idempotency-replayed')).toBe('true');

      const [more, trader] = [key(), { document: { name: 'Dip', side: 'long', where: { cheap: 'rsi(14) < 30' } } }];
      expect((await call(script, 'POST', '/v1/traders', trader, more, cut.url)).status).toBe(503);
      expect(await call(script, 'POST', '/v1/traders', trader, more)).toMatchObject({ status: 201, body: { name: 'Dip' } });
      expect(await call(script, 'POST', '/v1/traders', trader, key())).toMatchObject({ status: 409, body: { code: 'already_exists' } });
      expect(proxy.lost()).toBe(2);
    } finally {
      await cut.close();
      await proxy.close();
    }
  });
});

describe('plans', () => {
  const put = async (plan: string | null, of = user.id) => call(await operator(), 'PUT', `/v1/users/${of}/plan`, { plan });

  test('an operator puts a user on one; the user sees it; nobody else can', async () => {
    expect(await put('elite')).toMatchObject({ status: 200, body: { name: 'elite', own: true, limits: { machines: 1, vcpus: 8 }, used: { machines: 0 } } });
    expect((await mine('GET', '/v1/me')).body).toMatchObject({ plan: { name: 'elite', own: true } });
    expect(await mine('PUT', `/v1/users/${user.id}/plan`, { plan: 'elite' })).toMatchObject({ status: 403, body: { code: 'operator_only' } });
    expect(await put('golden')).toMatchObject({ status: 422, body: { code: 'plan_unknown' } });
    expect(await put('elite', randomUUID())).toMatchObject({ status: 404, body: { code: 'user_not_found' } });
    expect(await put(null)).toMatchObject({ status: 200, body: { name: 'tests', own: false } });
    expect((await mine('GET', '/v1/plans')).body['items']).toEqual(expect.arrayContaining([expect.objectContaining({ name: 'free' }), expect.objectContaining({ name: 'elite' })]));
  });

  test('a hundred deploys at once never exceed one', async () => {
    await put('elite');
    const wishes = await Promise.all(Array.from({ length: 100 }, (_, at) => call(user.accessToken, 'POST', '/v1/machines', { environment: `e${at % 50}` }, {}, at % 2 ? other.url : controlPlane.url)));
    const by = (status: number) => wishes.filter((answer) => answer.status === status);
    expect(by(202)).toHaveLength(1);
    // whoever asked for the same environment again got the machine that is there
    expect(by(200).length).toBeLessThanOrEqual(1);
    expect(by(403).length).toBe(100 - 1 - by(200).length);
    expect(by(403)[0]).toMatchObject({ body: { code: 'quota_machines', nextStep: expect.any(String) as string } });
    expect(await sql('select 1 from public.machines where user_id = $1', [user.id])).toHaveLength(1);
  });

  test('vCPUs, regions and traders hold as well; what grows nothing is never refused', async () => {
    await sql(`insert into public.plans (name, title, machines, vcpus, regions, traders) values ('two', 'Two', 2, 4, 1, 3) on conflict do nothing`);
    await put('two');
    const size = (cpus: number, cpuKind = 'shared') => ({ cpuKind, cpus, memoryMb: cpuKind === 'shared' ? 1_024 : 2_048 * cpus });
    const deployed = (await mine('POST', '/v1/machines', { environment: 'a', size: size(2) })).body;
    const path = `/v1/machines/${String(deployed['id'])}`;
    expect(await mine('POST', '/v1/machines', { environment: 'b', region: 'fra' })).toMatchObject({ status: 403, body: { code: 'quota_regions' } });
    expect(await mine('POST', '/v1/machines', { environment: 'b', size: size(4) })).toMatchObject({ status: 403, body: { code: 'quota_vcpus' } });
    expect(await mine('PATCH', path, { size: size(1, 'performance') })).toMatchObject({ status: 403, body: { code: 'quota_performance' } });
    expect(await mine('PATCH', path, { size: size(4) })).toMatchObject({ status: 202 });
    const adding = await Promise.all(Array.from({ length: 10 }, (_, at) => mine('POST', '/v1/traders', { document: { name: `T${at}`, side: 'long', where: { cheap: 'rsi(14) < 30' } } })));
    expect(adding.filter(({ status }) => status === 201)).toHaveLength(3);
    expect(adding.find(({ status }) => status !== 201)).toMatchObject({ status: 403, body: { code: 'quota_traders' } });
    // straight into the database is no way round
    expect((await user.client.from('traders').insert({ name: 'Round', document: {} })).error).toMatchObject({ message: 'quota_traders' });
    await put('free');
    expect(await mine('PATCH', path, { desired: 'stopped' })).toMatchObject({ status: 202 });
    expect(await mine('PATCH', path, { desired: 'started' })).toMatchObject({ status: 403, body: { code: 'quota_machines' } });
    expect(await mine('DELETE', path)).toMatchObject({ status: 202 });
  });
});

describe('regions of a plan', () => {
  test('are those that the machines may be in at once: one machine may have others to go to, two may not be allowed to part', async () => {
    await sql(`insert into public.plans (name, title, machines, vcpus, regions, traders) values ('two-in-one', 'Two in one', 2, 8, 1, 3), ('three-in-two', 'Three in two', 3, 8, 2, 3) on conflict do nothing`);
    const put = async (plan: string) => call(await operator(), 'PUT', `/v1/users/${user.id}/plan`, { plan });
    const deploy = async (environment: string) => `/v1/machines/${String((await mine('POST', '/v1/machines', { environment })).body['id'])}`;
    const elsewhere = (path: string, ...otherRegions: string[]) => mine('PATCH', path, { otherRegions });
    await put('two-in-one');
    const a = await deploy('a');
    expect((await elsewhere(a, 'fra', 'nrt')).status).toBe(202);
    expect(await mine('POST', '/v1/machines', { environment: 'b' })).toMatchObject({ status: 403, body: { code: 'quota_regions' } });
    expect((await elsewhere(a)).status).toBe(202);
    const b = await deploy('b');
    for (const path of [a, b]) expect(await elsewhere(path, 'fra')).toMatchObject({ status: 403, body: { code: 'quota_regions' } });
    await put('three-in-two');
    expect((await elsewhere(a, 'fra', 'nrt')).status).toBe(202);
    // a may be away, b and c are together
    const c = await deploy('c');
    expect(await elsewhere(c, 'fra')).toMatchObject({ status: 403, body: { code: 'quota_regions' } });
    expect((await mine('GET', '/v1/me')).body['plan']).toMatchObject({ used: { machines: 3, vcpus: 3, regions: 2 } });
    await put('elite');
    expect((await elsewhere(a)).status, 'what grows nothing is never refused').toBe(202);
  });
});

describe('what things cost', () => {
  test('is told of a machine and of all, with the budget, to their user alone', async () => {
    const machine = await machineOf(user);
    await sql(`insert into public.machine_spans (machine_id, user_id, kind, since, until, region, cpu_kind, cpus, memory_mb) values ($1, $2, 'compute', '2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z', 'sin', 'shared', 1, 512)`, [machine.id, user.id]);
    await mine('PUT', '/v1/me/budget', { monthlyUsd: 20, action: 'stop' });
    const all = await mine('GET', '/v1/me/cost?month=2026-03');
    expect(all).toMatchObject({ status: 200, body: { currency: 'USD', month: '2026-03', days: [{ day: '2026-03-01', seconds: 86_400 }], machines: [{ machineId: machine.id, sizes: [{ region: 'sin', size: 'shared-1x 512 MB', seconds: 86_400 }] }], budget: { monthlyUsd: 20, action: 'stop' } } });
    expect((await mine('GET', `/v1/machines/${machine.id}/cost?month=2026-03`)).body['spent']).toEqual(all.body['spent']);
    expect((await mine('GET', '/v1/me/cost')).body).toMatchObject({ days: [], monthlyRateUsd: expect.closeTo(4.83, 1) as number });
    expect(await mine('GET', '/v1/me/cost?month=2026-13')).toMatchObject({ status: 400, body: { field: 'month' } });
    const stranger = await supabase.createUser();
    expect((await call(stranger.accessToken, 'GET', `/v1/machines/${machine.id}/cost`)).status).toBe(404);
    expect((await call(stranger.accessToken, 'GET', '/v1/me/cost?month=2026-03')).body).toMatchObject({ spent: { total: 0 }, budget: null });
    expect((await mine('DELETE', '/v1/me/budget')).status).toBe(204);
    expect((await mine('GET', '/v1/me')).body).toMatchObject({ budget: null });
  });
});

describe('the audit log', () => {
  test('tells who did what, when, and what it was before and after', async () => {
    const boss = await operator();
    const deployed = await mine('POST', '/v1/machines', {}, { 'x-request-id': 'a-request-of-mine' });
    await mine('PATCH', `/v1/machines/${String(deployed.body['id'])}`, { desired: 'stopped' });
    await mine('PUT', '/v1/me/budget', { monthlyUsd: 20, action: 'stop' });
    await call(boss, 'PUT', `/v1/users/${user.id}/plan`, { plan: 'elite' });
    const { body } = await call(boss, 'GET', `/v1/audit?user=${user.id}`);
    expect(body['items']).toMatchObject([
      { action: 'user_plans.insert', actor: { kind: 'operator' }, before: null, after: { plan: 'elite' } },
      { action: 'budgets.insert', actor: { kind: 'user', id: user.id }, after: { monthly_usd: 20, action: 'stop' } },
      { action: 'machines.update', actor: { kind: 'user', id: user.id }, subject: deployed.body['id'], before: { desired_state: 'started', generation: 1 }, after: { desired_state: 'stopped', generation: 2 } },
      { action: 'machines.insert', actor: { kind: 'user', id: user.id }, requestId: 'a-request-of-mine', before: null, after: { desired_region: 'sin' } },
    ]);
    const first = await call(boss, 'GET', `/v1/audit?user=${user.id}&limit=1`);
    expect((await call(boss, 'GET', `/v1/audit?user=${user.id}&limit=1&cursor=${String(first.body['next'])}`)).body).toMatchObject({ items: [{ action: 'budgets.insert' }] });
    expect((await call(boss, 'GET', `/v1/audit?user=${user.id}&action=machines.update`)).body['items']).toHaveLength(1);
    expect(await mine('GET', '/v1/audit')).toMatchObject({ status: 403 });
    expect((await user.client.from('audit_log').select('id')).data).toEqual([]);
  });

  test('tells who allowed orphans to be removed, each time; the fleet\'s page does too', async () => {
    const boss = await operator();
    for (const orphans of [500, 500]) expect((await call(boss, 'POST', '/v1/fleet/sweep', { orphans }, { 'x-request-id': 'an-order-of-mine' })).status).toBe(202);
    const told = (await call(boss, 'GET', '/v1/audit?action=fleet_sweep.update&limit=2')).body['items'];
    const by = { kind: 'operator', id: expect.any(String) as string };
    expect(told).toMatchObject([{ actor: by, requestId: 'an-order-of-mine', after: { orders: 2 } }, { actor: by, before: { orders: 0, allowed: 0 }, after: { orders: 1, allowed: 500 } }]);
    const { body } = await call(boss, 'GET', '/v1/fleet');
    const [{ actor }] = told as [{ actor: { id: string } }];
    expect((body['events'] as { kind: string }[]).find(({ kind }) => kind === 'operator')).toMatchObject({ by: actor.id, message: expect.stringContaining('500 orphans') as string });
  });

  test('of fleets and rollouts: what was told is changed by nobody', async () => {
    await sql(`insert into public.fleet_events (kind, message) values ('removed', 'It was removed.')`);
    await sql(`with r as (insert into public.releases (version, image, registered_by) values ('9.9.9', 'registry.example/m@sha256:' || repeat('9', 64), $1) returning id),
      o as (insert into public.rollouts (release_id, settings, started_by, state, finished_at) select id, '{}', $1, 'succeeded', now() from r returning id) insert into public.rollout_events (rollout_id, kind, message) select id, 'started', 'It began.' from o`, [user.id]);
    for (const table of ['fleet_events', 'rollout_events']) {
      for (const statement of [`update public.${table} set message = 'x'`, `delete from public.${table}`, `truncate public.${table}`]) await expect(sql(statement)).rejects.toMatchObject({ message: 'append_only' });
    }
  });

  test('believes nobody but the control plane about who acts', async () => {
    const pretended = { 'x-trademind-actor': JSON.stringify({ kind: 'operator', id: randomUUID(), via: null, request_id: null }) };
    await fetch(`${supabase.url}/rest/v1/traders`, { method: 'POST', headers: { apikey: supabase.publishableKey, authorization: `Bearer ${user.accessToken}`, 'content-type': 'application/json', ...pretended }, body: JSON.stringify({ name: 'Mine', document: {} }) });
    expect(await sql('select actor_kind, actor_id from public.audit_log where subject_user = $1', [user.id])).toEqual([{ actor_kind: 'user', actor_id: user.id }]);
  });

  test('is changed by nobody, not even with the service key', async () => {
    await mine('PUT', '/v1/me/budget', { monthlyUsd: 20, action: 'stop' });
    for (const act of [() => supabase.adminClient.from('audit_log').update({ actor_kind: 'user' }).gt('id', 0), () => supabase.adminClient.from('audit_log').delete().gt('id', 0), () => supabase.adminClient.from('audit_log').insert({ actor_kind: 'x', action: 'y' })]) {
      expect((await act()).error).not.toBeNull();
    }
    for (const statement of [`update public.audit_log set actor_kind = 'x'`, 'delete from public.audit_log', 'truncate public.audit_log']) await expect(sql(statement)).rejects.toMatchObject({ message: 'append_only' });
  });
});
