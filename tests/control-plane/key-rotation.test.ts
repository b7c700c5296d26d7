// The keys of docs/operations.md, rotated as it says: nobody who is in the right is refused meanwhile, and afterwards the old key opens nothing.
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { decodeProtectedHeader, importJWK, SignJWT, type JWK } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../../cli/dev/ports.ts';
import { generateSigningJwk } from '../../local-cloud/supabase/keys.ts';
import { startGemini } from '../../local-cloud/gemini/start.ts';
import { startTestExchange, type Exchange } from '../runtime/world.ts';
import { callApi, controlPlaneEnv, spawnTestControlPlane, startTestControlPlane, type SpawnedControlPlane } from '../support/control-plane.ts';
import { connectRaw } from '../support/feed.ts';
import { eventually, startTestFly, TEST_IMAGES, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';

const MACHINE_IMAGE = `registry.local/trademind-machine@sha256:${'c'.repeat(64)}`;
/** A beat is every fifteen seconds, and this machine is busy with other tests. */
const BEAT_MS = 180_000;

let supabase: TestSupabase;
beforeAll(async () => { supabase = await startTestSupabase(); });
afterAll(async () => { await supabase.close(); });

const sql = async <T extends object>(text: string, values: unknown[] = []) => (await supabase.database.pool.query<T>(text, values)).rows;
/** Supabase's Management API, by a secret key of the project. */
async function manage(method: string, path: string, body?: object, key = supabase.secretKey): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await fetch(`${supabase.url}/v1/projects/local/${path}`, { method, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { status: answer.status, body: await answer.json() as Record<string, unknown> };
}
const SIGNING = 'config/auth/signing-keys';
/** As an operator imports the key of machines' tokens: it verifies and never signs users' tokens. On standby there is one at a time, so it makes room. */
async function importKey(jwk: JWK): Promise<void> {
  expect((await manage('POST', SIGNING, { algorithm: 'ES256', private_jwk: jwk })).status).toBe(201);
  expect((await manage('PATCH', `${SIGNING}/${jwk.kid}`, { status: 'previously_used' })).status).toBe(200);
}
const ticketKey = (kid: string) => ({ ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), kid });
const set = (...keys: object[]) => JSON.stringify({ keys });

describe('while a machine screens', () => {
  let fly: TestFly;
  let exchange: Exchange;
  let env: Record<string, string>;
  let replica: SpawnedControlPlane;
  let user: TestUser;
  let machineId: string;
  const [first, second] = [ticketKey('tickets-1'), ticketKey('tickets-2')];
  let [old, fresh]: [JWK, JWK] = [{}, {}];

  const api = (method: string, path: string, token: string | null = user.accessToken, body?: unknown) => callApi(replica.url, token, method, path, body);
  /** The replicas end and others begin, as a deploy does it. */
  const restart = async (more: Record<string, string>) => {
    env = { ...env, ...more };
    await replica.kill('SIGTERM');
    replica = await spawnTestControlPlane(env);
  };
  const beatsSince = async (since: number) => (await sql<{ at: Date | null }>('select beat_at as at from machines where id = $1', [machineId]))[0]!.at!.getTime() > since;
  /** The machine has heard what the database tells it by now. */
  const nextBeat = async () => {
    const since = (await sql<{ now: Date }>('select now()'))[0]!.now.getTime();
    await eventually(async () => (await beatsSince(since) ? true : undefined), BEAT_MS);
  };
  const ticket = async () => String((await api('POST', `/v1/machines/${machineId}/ticket`, user.accessToken, {})).body['ticket']);
  const opens = async (jwt: string) => {
    const feed = (await api('GET', `/v1/machines/${machineId}`)).body['feed'] as string;
    const client = connectRaw({ feed }, jwt);
    return Promise.race([client.next('hello').then(() => { client.socket.close(); return 'opened'; }), client.closed.then(({ reason }) => reason)]);
  };
  const tokenBy = async (jwk: JWK) => new SignJWT({ role: 'machine', machine_id: machineId, epoch: (await sql<{ e: number }>('select token_epoch as e from machines where id = $1', [machineId]))[0]!.e })
    .setProtectedHeader({ alg: 'ES256', kid: jwk.kid! }).setSubject(user.id).setAudience('authenticated').setIssuedAt().setExpirationTime('1h').sign(await importJWK(jwk, 'ES256'));
  const spans = () => sql<{ boot_id: string }>('select boot_id from machine_heartbeats where machine_id = $1 order by since', [machineId]);
  const said = async () => (await api('GET', `/v1/machines/${machineId}/logs?limit=500`)).body as { source: string; items: { level: string; code: string }[] };

  beforeAll(async () => {
    [old, fresh] = [await generateSigningJwk(), await generateSigningJwk()];
    const command = [process.execPath, '--disable-warning=ExperimentalWarning', 'machine-image/main.ts'];
    [fly, exchange] = await Promise.all([startTestFly({ runtime: 'process', images: { [MACHINE_IMAGE]: { command, cwd: join(import.meta.dirname, '../..') } } }), startTestExchange({ speed: 10 })]);
    await importKey(old);
    env = controlPlaneEnv(supabase, fly, {
      PORT: String(await freePort()), MACHINE_IMAGE, MACHINE_ENV: JSON.stringify({ BINANCE_REST_URL: exchange.url, BINANCE_STREAM_URL: exchange.streams }), MACHINE_TOKEN_JWK: JSON.stringify(old), TICKET_JWK: JSON.stringify(first),
    });
    replica = await spawnTestControlPlane(env);
    user = await supabase.createUser();
    machineId = String((await api('POST', '/v1/machines', user.accessToken, {})).body['id']);
    await eventually(async () => ((await api('GET', `/v1/machines/${machineId}`)).body['phase'] === 'screening' ? true : undefined), 240_000);
  }, 300_000);
  afterAll(async () => {
    await replica.kill('SIGTERM');
    await Promise.all([fly.close(), exchange.close()]);
  });

  test('the keys of tokens and tickets are rotated in three restarts: it loses no beat, its user no ticket, and then the old ones open nothing', async () => {
    const script = String((await api('POST', '/v1/me/tokens', user.accessToken, { name: 'x', scopes: ['machines:read'] })).body['token']);
    const scriptReads = async () => (await api('GET', '/v1/machines', script)).status;
    // 1: the new ones are known to all, and sign nothing yet
    await importKey(fresh);
    await restart({ MACHINE_TOKEN_JWK: set(old, fresh), TICKET_JWK: set(first, second) });
    expect(decodeProtectedHeader(await ticket()).kid).toBe('tickets-1');
    await nextBeat();
    // 2: they sign; what the old ones signed still counts
    const before = { ticket: await ticket(), token: await tokenBy(old) };
    await restart({ MACHINE_TOKEN_JWK: set(fresh, old), TICKET_JWK: set(second, first) });
    const now = await ticket();
    expect(decodeProtectedHeader(now).kid).toBe('tickets-2');
    expect([await opens(now), await opens(before.ticket)]).toEqual(['opened', 'opened']);
    for (const token of [before.token, await tokenBy(fresh)]) expect((await api('GET', '/v1/machine/keys', token)).status).toBe(200);
    expect(await scriptReads()).toBe(200);
    // without waiting for the hour in which all have new ones: the machine's own is refused from here on, and it fetches another
    const client = supabase.machineClient(before.token);
    expect((await client.from('machines').select('id')).error).toBeNull();
    expect((await manage('PATCH', `${SIGNING}/${old.kid}`, { status: 'revoked' })).status).toBe(200);
    expect((await client.from('machines').select('id')).status).toBe(401);
    await nextBeat();
    expect(await scriptReads()).toBe(200);
    // 3: the old ones are gone here too
    const late = await tokenBy(old);
    await restart({ MACHINE_TOKEN_JWK: JSON.stringify(fresh), TICKET_JWK: JSON.stringify(second) });
    await nextBeat();
    expect((await api('GET', '/v1/machine/keys', late)).status).toBe(401);
    expect((await api('GET', '/v1/machine/keys', await tokenBy(fresh))).status).toBe(200);
    const forged = await new SignJWT({ scope: 'feed:read' }).setProtectedHeader({ alg: 'EdDSA', kid: 'tickets-1' }).setIssuer('trademind-control-plane').setAudience(`machine:${machineId}`).setSubject(user.id)
      .setJti(crypto.randomUUID()).setIssuedAt().setExpirationTime('60s').sign(await importJWK(first, 'EdDSA'));
    expect([await opens(forged), await opens(await ticket())]).toEqual(['ticket_invalid', 'opened']);
    // one boot, one unbroken row of beats, and nothing that it had to warn of
    expect(await spans()).toHaveLength(1);
    const { source, items } = await said();
    expect(source).toBe('machine');
    expect(items.filter(({ level, code }) => level !== 'info' && /token|database|control_plane|secret/.test(code))).toEqual([]);
  }, 600_000);

  test('Supabase\'s API keys: the new ones go beside the old; machines start anew with the publishable one, and then the old ones open nothing', async () => {
    const [secret, publishable] = [(await manage('POST', 'api-keys', { type: 'secret', name: 'next' })).body, (await manage('POST', 'api-keys', { type: 'publishable', name: 'next_public' })).body];
    const outgoing = replica;
    env = { ...env, SUPABASE_SECRET_KEY: String(secret['api_key']), SUPABASE_PUBLISHABLE_KEY: String(publishable['api_key']), PORT: String(await freePort()), CONTROL_PLANE_URL: outgoing.url };
    replica = await spawnTestControlPlane(env);
    // both replicas work meanwhile
    expect([(await api('GET', '/v1/machines')).status, (await callApi(outgoing.url, user.accessToken, 'GET', '/v1/machines')).status]).toEqual([200, 200]);
    const { app } = (await api('GET', `/v1/machines/${machineId}`)).body as { app: string };
    // an old replica that looks at it now would find all as it should be
    await outgoing.kill('SIGTERM');
    // each machine is looked at every five minutes: nobody waits for that here
    await eventually(async () => {
      if ((await fly.fly.machines.list(app))[0]?.config?.env?.['SUPABASE_PUBLISHABLE_KEY'] === publishable['api_key']) return true;
      await sql('update machines set next_look_at = now() where id = $1 and lease_expires_at is null and next_look_at > now() + interval \'1 minute\'', [machineId]);
      return undefined;
    }, 300_000);
    await restart({ PORT: new URL(outgoing.url).port });
    await eventually(async () => ((await spans()).length > 1 && (await api('GET', `/v1/machines/${machineId}`)).body['phase'] === 'screening' ? true : undefined), 120_000);
    const all = (await manage('GET', 'api-keys')).body as unknown as { id: string; name: string }[];
    for (const { id } of all.filter(({ name }) => name === 'default')) expect((await manage('DELETE', `api-keys/${id}`, undefined, String(secret['api_key']))).status).toBe(200);
    for (const key of [supabase.secretKey, supabase.publishableKey]) expect((await createClient(supabase.url, key).from('plans').select('name')).status).toBe(401);
    await nextBeat();
    expect((await api('PATCH', `/v1/machines/${machineId}`, user.accessToken, { desired: 'started' })).status).toBe(202);
    expect((await said()).source).toBe('machine');
    expect((await api('GET', '/readyz')).status).toBe(200);
    // it ends with the machine it began with
    expect(await fly.fly.machines.list(app)).toHaveLength(1);
  }, 900_000);
});

describe('without a machine of its own', () => {
  const closing: (() => Promise<unknown>)[] = [];
  let project: TestSupabase;
  let fly: TestFly;
  beforeAll(async () => { [project, fly] = await Promise.all([startTestSupabase(), startTestFly()]); });
  afterEach(async () => { for (const close of closing.splice(0).toReversed()) await close(); });
  afterAll(async () => { await Promise.all([fly.close(), project.close()]); });
  const start = async (more: Record<string, string>) => {
    const one = await startTestControlPlane(controlPlaneEnv(project, fly, { SEALING_KEYS: '', ...more }));
    closing.push(() => one.close());
    return one;
  };
  const deployed = (url: string, user: TestUser) => eventually(async () => {
    const { body } = await callApi(url, user.accessToken, 'POST', '/v1/machines', {});
    return body['phase'] === 'screening' ? body : undefined;
  }, 30_000);

  test('the token of Fly: a replica with the new one does the work; the one whose token was revoked breaks nothing until it ends', async () => {
    const env = { ...controlPlaneEnv(project, fly), MACHINE_IMAGE: TEST_IMAGES.tiny };
    const [leaked, fresh] = [await fly.admin.token('leaked'), await fly.admin.token('fresh')];
    const outgoing = await start({ ...env, FLY_API_TOKEN: leaked });
    const before = await deployed(outgoing.url, await project.createUser());
    const incoming = await start({ ...env, FLY_API_TOKEN: fresh });
    await fly.admin.revokeToken('leaked');
    await expect(fly.clientOf(leaked).apps.list({ orgSlug: 'personal' })).rejects.toMatchObject({ code: 'fly_unauthorized' });
    // asked of the one that cannot: the other does it
    const after = await deployed(outgoing.url, await project.createUser());
    expect(new Set((await fly.admin.journal({ app: String(after['app']) })).filter(({ verb }) => verb === 'machine.create').map(({ who }) => who))).toEqual(new Set(['fresh']));
    const sweep = await project.createUser();
    await project.adminClient.auth.admin.updateUserById(sweep.id, { app_metadata: { trademind_role: 'operator' } });
    const operator = (await sweep.client.auth.signInWithPassword({ email: sweep.email, password: sweep.password })).data.session!.access_token;
    expect((await callApi(incoming.url, operator, 'POST', '/v1/fleet/sweep', {})).status).toBe(202);
    for (const machine of [before, after]) expect(await fly.fly.machines.list(String(machine['app']))).toHaveLength(1);
  }, 300_000);

  test('the platform\'s key of Gemini: both answer until the old one is deleted, then the new one alone; neither is ever told', async () => {
    const [leaked, fresh] = ['gemini-key-that-leaked', 'gemini-key-that-is-new'];
    let gemini = await startGemini({ port: await freePort(), token: [leaked, fresh], latencyMs: 0 });
    closing.push(() => gemini.close());
    const [outgoing, incoming] = [await start({ GEMINI_URL: gemini.url, GEMINI_API_KEY: leaked }), await start({ GEMINI_URL: gemini.url, GEMINI_API_KEY: fresh })];
    const owner = await project.createUser();
    const secret = randomBytes(32).toString('base64url');
    const { rows } = await project.database.pool.query<{ id: string }>(
      `insert into public.machines (user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, next_look_at) values ($1, 'local', 'sin', 'shared', 1, 512, 'machine@sha256:00', 'infinity') returning id`, [owner.id]);
    await project.database.pool.query('insert into public.machine_secrets (machine_id, hashes) values ($1, array[$2])', [rows[0]!.id, createHash('sha256').update(secret).digest('hex')]);
    const ask = async ({ url }: { url: string }) => {
      const { status, body } = await callApi(url, secret, 'POST', '/v1/machine/gemini/v1beta/models/gemini-3.5-flash-lite:generateContent', { contents: [{ parts: [{ text: 'x' }] }] });
      for (const key of [leaked, fresh]) expect(JSON.stringify(body)).not.toContain(key);
      return status === 200 ? 'answered' : body['code'];
    };
    expect([await ask(outgoing), await ask(incoming)]).toEqual(['answered', 'answered']);
    await gemini.close();
    gemini = await startGemini({ port: Number(new URL(gemini.url).port), token: [fresh], latencyMs: 0 });
    expect([await ask(outgoing), await ask(incoming)]).toEqual(['gemini_key_refused', 'answered']);
  });

  test('the keys that Supabase signs users\' sessions with: new sessions are known at once, old ones count until theirs is revoked and the replicas were restarted', async () => {
    const move = (method: string, path: string, body?: object) => fetch(`${project.url}/v1/projects/local/${SIGNING}${path}`, { method, headers: { authorization: `Bearer ${project.secretKey}`, 'content-type': 'application/json' }, body: JSON.stringify(body) }).then((answer) => answer.json() as Promise<{ id: string }>);
    const one = await start({});
    const user = await project.createUser();
    const reads = async (url: string, token: string) => (await callApi(url, token, 'GET', '/v1/machines')).status;
    expect(await reads(one.url, user.accessToken)).toBe(200);
    const { id } = await move('POST', '', { algorithm: 'ES256' });
    await move('PATCH', `/${id}`, { status: 'in_use' });
    const { data } = await user.client.auth.refreshSession();
    const fresh = data.session!.access_token;
    expect(decodeProtectedHeader(fresh).kid).toBe(id);
    await eventually(async () => (await reads(one.url, fresh) === 200 ? true : undefined), 120_000);
    expect(await reads(one.url, user.accessToken)).toBe(200);
    await move('PATCH', `/${decodeProtectedHeader(user.accessToken).kid}`, { status: 'revoked' });
    // what is read of the database is refused at once, for the database asks Supabase
    expect(await reads(one.url, user.accessToken)).toBe(401);
    const two = await start({});
    expect([await reads(two.url, user.accessToken), await reads(two.url, fresh)]).toEqual([401, 200]);
  }, 240_000);
});
