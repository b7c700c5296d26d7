// What docs/operations.md tells an operator to do, done. Each incident that has a test elsewhere is named there.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { eventually, startTestFly, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';

let supabase: TestSupabase;
let fly: TestFly;
let env: Record<string, string>;
beforeAll(async () => {
  [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]);
  env = controlPlaneEnv(supabase, fly);
});
afterAll(async () => { await Promise.all([fly.close(), supabase.close()]); });

const sql = async <T extends object>(text: string, values: unknown[] = []) => (await supabase.database.pool.query<T>(text, values)).rows;
/** Work with a control plane of these settings. */
async function withControlPlane<T>(more: Record<string, string>, work: (url: string) => Promise<T>): Promise<T> {
  const controlPlane = await startTestControlPlane({ ...env, ...more });
  try {
    return await work(controlPlane.url);
  } finally {
    await controlPlane.close();
  }
}
const deployed = (url: string, user: TestUser) => eventually(async () => {
  const { body } = await callApi(url, user.accessToken, 'POST', '/v1/machines', {});
  return body['phase'] === 'screening' ? body : undefined;
});

describe('a machine that nobody looks at any more', () => {
  test('is looked at when its wish is said again, whatever its row says', async () => {
    const user = await supabase.createUser();
    await withControlPlane({}, async (url) => {
      const machine = await deployed(url, user);
      await sql(`update public.machines set next_look_at = 'infinity', attempts = 50 where id = $1`, [machine['id']]);
      expect((await callApi(url, user.accessToken, 'PATCH', `/v1/machines/${String(machine['id'])}`, { desired: 'started' })).status).toBe(202);
      await eventually(async () => ((await sql<{ ok: boolean }>(`select next_look_at < now() + interval '1 hour' and attempts < 50 as ok from public.machines where id = $1`, [machine['id']]))[0]?.ok === true ? true : undefined));
    });
  });
});

describe('a database that was restored from an older copy', () => {
  test('has lost a row whose machine runs: the user deploys again and gets that very machine, with its volume', async () => {
    const user = await supabase.createUser();
    const calm = { SWEEP_SECONDS: '86400', ORPHAN_GRACE_SECONDS: '604800' };
    const before = await withControlPlane(calm, (url) => deployed(url, user));
    // as if it had been made after the copy
    await sql('alter table public.machines disable trigger machine_delete_guard');
    await sql('delete from public.machines where id = $1', [before['id']]);
    await sql('alter table public.machines enable trigger machine_delete_guard');
    const volumes = async () => (await fly.fly.volumes.list(String(before['app']))).map(({ id }) => id);
    const kept = await volumes();
    const after = await withControlPlane(calm, (url) => deployed(url, user));
    expect(after).toMatchObject({ app: before['app'], flyMachineId: before['flyMachineId'] });
    expect(after['id']).not.toBe(before['id']);
    expect(await volumes()).toEqual(kept);
    expect((await fly.fly.machines.list(String(before['app'])))).toHaveLength(1);
  });
});

describe('a key that leaked', () => {
  const ticketKey = (kid: string) => ({ ...generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' }), kid });
  const published = async () => (await sql<{ version: number; jwks: JSONWebKeySet }>('select version, jwks from public.ticket_keys'))[0]!;

  test('of tickets: a new one goes before it, machines hear of both, and once it is dropped nothing that it signed opens anything', async () => {
    const user = await supabase.createUser();
    const [old, fresh] = [ticketKey('old'), ticketKey('new')];
    const ticketOf = async (url: string) => String((await callApi(url, user.accessToken, 'POST', `/v1/machines/${String((await deployed(url, user))['id'])}/ticket`, {})).body['ticket']);
    const verify = (ticket: string, { jwks }: { jwks: JSONWebKeySet }) => jwtVerify(ticket, createLocalJWKSet(jwks)).then(({ protectedHeader }) => protectedHeader.kid, () => 'refused');
    const first = await withControlPlane({ TICKET_JWK: JSON.stringify(old) }, async (url) => ({ ticket: await ticketOf(url), keys: await published() }));
    expect(await verify(first.ticket, first.keys)).toBe('old');
    const second = await withControlPlane({ TICKET_JWK: JSON.stringify({ keys: [fresh, old] }) }, async (url) => ({ ticket: await ticketOf(url), keys: await published() }));
    expect(second.keys.version).toBeGreaterThan(first.keys.version);
    expect([await verify(first.ticket, second.keys), await verify(second.ticket, second.keys)]).toEqual(['old', 'new']);
    const third = await withControlPlane({ TICKET_JWK: JSON.stringify(fresh) }, published);
    expect([await verify(first.ticket, third), await verify(second.ticket, third)]).toEqual(['refused', 'new']);
    expect(JSON.stringify(third)).not.toContain('"d"');
  });

  test('of sealing: all are sealed anew, none needs the old one, and those who must change their keys at the exchange are known', async () => {
    const user = await supabase.createUser();
    const put = (url: string) => callApi(url, user.accessToken, 'PUT', '/v1/me/keys/binance', { apiKey: 'binance-api-key-0123456789', secretKey: 'binance-secret-key-0123456789' });
    const key = () => randomBytes(32).toString('base64');
    const keys = { a: key(), b: key() };
    await withControlPlane({ SEALING_KEYS: JSON.stringify({ current: 'a', keys: { a: keys.a } }) }, put);
    expect(await sql('select user_id, field from public.user_secrets where key_id = $1', ['a'])).toEqual([{ user_id: user.id, field: 'binance' }]);
    await withControlPlane({ SEALING_KEYS: JSON.stringify({ current: 'b', keys }) }, () => eventually(async () => ((await sql(`select 1 from public.user_secrets where key_id <> 'b'`)).length === 0 ? true : undefined)));
    await withControlPlane({ SEALING_KEYS: JSON.stringify({ current: 'b', keys: { b: keys.b } }) }, async (url) => {
      expect((await callApi(url, user.accessToken, 'GET', '/v1/me')).body).toMatchObject({ keys: { binance: { hint: '…6789' } } });
    });
  });

  test('a machine\'s token or secret: its tokens end at once', async () => {
    const user = await supabase.createUser();
    await withControlPlane({}, async (url) => {
      const machine = await deployed(url, user);
      const [{ token_epoch: epoch } = { token_epoch: 0 }] = await sql<{ token_epoch: number }>('select token_epoch from public.machines where id = $1', [machine['id']]);
      const token = await supabase.signMachineToken({ machineId: String(machine['id']), userId: user.id, epoch });
      expect((await supabase.machineClient(token).from('machines').select('id')).data).toHaveLength(1);
      await sql('select public.revoke_machine_tokens($1)', [machine['id']]);
      expect((await supabase.machineClient(token).from('machines').select('id')).error).toMatchObject({ message: 'token_revoked' });
      expect((await callApi(url, token, 'GET', '/v1/machine/keys')).status).toBe(401);
    });
  });

  test('a user\'s access tokens: an operator ends all of them', async () => {
    const user = await supabase.createUser();
    await withControlPlane({}, async (url) => {
      const make = async () => String((await callApi(url, user.accessToken, 'POST', '/v1/me/tokens', { name: 'x', scopes: ['machines:read'] })).body['token']);
      const tokens = [await make(), await make()];
      await sql('select public.revoke_access_token(user_id, id) from public.access_tokens where user_id = $1', [user.id]);
      for (const token of tokens) expect((await callApi(url, token, 'GET', '/v1/machines')).status).toBe(401);
    });
  });
});
