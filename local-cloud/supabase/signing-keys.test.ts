import { randomUUID } from 'node:crypto';
import { createClient } from '@supabase/supabase-js';
import { decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestSupabase, type TestSupabase } from '../../tests/support/supabase.ts';
import { generateKeys, generateSigningJwk } from './keys.ts';
import { startSupabase } from './start.ts';

let supabase: TestSupabase;
beforeAll(async () => { supabase = await startTestSupabase(); });
afterAll(async () => { await supabase.close(); });

interface Key { id: string; status: string; public_jwk: Record<string, unknown> }
const manage = async (method: string, path = '', body?: object, key = supabase.secretKey) => {
  const response = await fetch(`${supabase.url}/v1/projects/local/config/auth/signing-keys${path}`, {
    method, headers: { authorization: `Bearer ${key}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) }, ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Key & { keys: Key[]; message?: string } };
};
const kids = async (url = supabase.url) => ((await (await fetch(`${url}/auth/v1/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid);
const kidOf = (token: string) => decodeProtectedHeader(token).kid;

test('a key on standby is published before it signs; put in use, the tokens of the one before still count until it is revoked', async () => {
  const user = await supabase.createUser();
  const old = kidOf(user.accessToken) ?? '';
  const standby = await manage('POST', '', { algorithm: 'ES256' });
  expect([standby.status, standby.body.status]).toEqual([201, 'standby']);
  expect(await kids()).toEqual(expect.arrayContaining([old, standby.body.id]));
  expect(kidOf((await user.client.auth.refreshSession()).data.session?.access_token ?? '')).toBe(old);

  expect((await manage('PATCH', `/${standby.body.id}`, { status: 'in_use' })).body.status).toBe('in_use');
  const fresh = (await user.client.auth.refreshSession()).data.session?.access_token ?? '';
  expect(kidOf(fresh)).toBe(standby.body.id);
  const before = supabase.machineClient(user.accessToken);
  expect((await before.from('traders').select('id')).error).toBeNull();

  expect((await manage('PATCH', `/${old}`, { status: 'revoked' })).body.status).toBe('revoked');
  expect(await kids()).not.toContain(old);
  expect(await before.from('traders').select('id')).toMatchObject({ status: 401, error: { code: 'PGRST301' } });
  expect((await supabase.machineClient(fresh).from('traders').select('id')).error).toBeNull();
});

test('the key in use cannot be revoked, and nobody else may touch the keys', async () => {
  const { keys } = (await manage('GET')).body;
  const present = keys.find((key) => key.status === 'in_use');
  expect((await manage('PATCH', `/${present?.id ?? ''}`, { status: 'revoked' })).status).toBe(400);
  expect((await manage('GET', '', undefined, supabase.publishableKey)).status).toBe(401);
  expect((await manage('POST', '', { algorithm: 'HS256' })).status).toBe(400);
  expect((await manage('PATCH', '/unknown', { status: 'in_use' })).status).toBe(404);
  expect(JSON.stringify(keys)).not.toContain('"d":');
});

test('a rotated key outlives the gateway, is not readable in the database, and another configured key takes over', async () => {
  const rotated = (await manage('POST', '', { algorithm: 'ES256', status: 'in_use' })).body.id;
  const { rows } = await supabase.database.pool.query<{ text: string }>(`select string_agg(k::text, ' ') as text from auth.signing_keys k`);
  expect(rows[0]?.text).not.toContain('"d":');
  const signedBy = async (keys: Awaited<ReturnType<typeof generateKeys>>) => {
    const gateway = await startSupabase({ ...keys, port: 0, postgresUrl: supabase.database.url, passwordCost: 8 });
    const { data, error } = await createClient(gateway.url, keys.publishableKey, { auth: { persistSession: false } }).auth.signUp({ email: `signed-${randomUUID()}@example.test`, password: 'long enough' });
    await gateway.close();
    expect(error).toBeNull();
    return kidOf(data.session?.access_token ?? '');
  };
  const generated = await generateKeys();
  const first = (await manage('GET')).body.keys[0];
  // Restarted with the same configuration, the ring decides.
  expect(await signedBy({ ...generated, secretKey: supabase.secretKey, userSigningJwk: { ...generated.userSigningJwk, kid: first?.id ?? '' } })).toBe(rotated);
  // A key that the ring does not know, or a ring that the present secret cannot open: the configured key signs.
  expect(await signedBy({ ...generated, secretKey: supabase.secretKey })).toBe(generated.userSigningJwk.kid);
  const others = await generateKeys();
  expect(await signedBy(others)).toBe(others.userSigningJwk.kid);
});

test('a key that was made elsewhere is imported by its private half: published, told nobody, and refused when it is none', async () => {
  const jwk = await generateSigningJwk();
  const imported = await manage('POST', '', { algorithm: 'ES256', private_jwk: jwk });
  expect(imported).toMatchObject({ status: 201, body: { id: jwk.kid, status: 'standby' } });
  expect(JSON.stringify(imported.body)).not.toContain(jwk.d);
  expect(await kids()).toContain(jwk.kid);
  for (const wrong of [jwk, { ...jwk, kid: 'other', d: undefined }, { kty: 'RSA' }, 'text']) expect((await manage('POST', '', { algorithm: 'ES256', status: 'in_use', private_jwk: wrong })).status).toBe(400);
  expect((await manage('PATCH', `/${jwk.kid}`, { status: 'revoked' })).status).toBe(200);
});
