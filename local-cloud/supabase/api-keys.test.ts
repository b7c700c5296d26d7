import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestSupabase, type TestSupabase } from '../../tests/support/supabase.ts';
import { generateKeys } from './keys.ts';
import { startSupabase } from './start.ts';

let supabase: TestSupabase;
beforeAll(async () => { supabase = await startTestSupabase(); });
afterAll(async () => { await supabase.close(); });

interface Made { id: string; api_key: string; type: string; name: string; prefix: string }
const manage = async (method: string, path = '', body?: object, key = supabase.secretKey, url = supabase.url) => {
  const response = await fetch(`${url}/v1/projects/local/api-keys${path}`, { method, headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { status: response.status, body: await response.json() as Made & Made[] };
};
/** What a key may read: plans are for everybody, releases for the secret key. */
const reads = async (key: string, url = supabase.url) => {
  const client = createClient(url, key, { auth: { persistSession: false } });
  const [open, closed] = [(await client.from('plans').select('name').limit(1)).status, (await client.from('releases').select('id').limit(1)).status];
  return `${open} ${closed}`;
};

test('a new key is good beside those that are there, as its type says, and a deleted one is good no more', async () => {
  const [secret, publishable] = [(await manage('POST', '', { type: 'secret', name: 'next' })).body, (await manage('POST', '', { type: 'publishable', name: 'next_public' })).body];
  expect(secret).toMatchObject({ type: 'secret', name: 'next', api_key: expect.stringMatching(/^sb_secret_/) as string });
  expect(await Promise.all([secret.api_key, supabase.secretKey].map((key) => reads(key)))).toEqual(['200 200', '200 200']);
  expect(await Promise.all([publishable.api_key, supabase.publishableKey].map((key) => reads(key)))).toEqual(['200 401', '200 401']);
  const { body } = await manage('GET');
  expect(body.map(({ type, name }) => `${type} ${name}`).toSorted()).toEqual(['publishable default', 'publishable next_public', 'secret default', 'secret next']);
  expect(JSON.stringify(body)).not.toContain(secret.api_key);
  for (const { id } of [secret, publishable]) expect((await manage('DELETE', `/${id}`)).status).toBe(200);
  for (const key of [secret.api_key, publishable.api_key, 'sb_secret_of_nobody']) expect(await reads(key)).toBe('401 401');
});

test('the keys that a gateway was started with can be deleted too, and stay so when it starts again; no key stands in the database', async () => {
  const keys = await generateKeys();
  const options = { ...keys, port: 0, postgresUrl: supabase.database.url };
  const gateway = await startSupabase(options);
  const own = await manage('POST', '', { type: 'secret', name: 'successor' }, keys.secretKey, gateway.url);
  const { body } = await manage('GET', '', undefined, keys.secretKey, gateway.url);
  const first = body.find(({ type, name }) => type === 'secret' && name === 'default')!;
  expect((await manage('DELETE', `/${first.id}`, undefined, own.body.api_key, gateway.url)).status).toBe(200);
  expect((await manage('GET', '', undefined, keys.secretKey, gateway.url)).status).toBe(401);
  await gateway.close();
  const again = await startSupabase(options);
  expect([await reads(keys.secretKey, again.url), await reads(own.body.api_key, again.url), await reads(keys.publishableKey, again.url)]).toEqual(['401 401', '200 200', '200 401']);
  await again.close();
  const { rows } = await supabase.database.pool.query<{ text: string }>(`select string_agg(k::text, ' ') as text from auth.api_keys k`);
  for (const key of [keys.secretKey, own.body.api_key]) expect(rows[0]?.text).not.toContain(key);
});

test('what is no order is refused, and nobody without a secret key gives one', async () => {
  for (const body of [{ type: 'admin', name: 'some_name' }, { type: 'secret', name: 'x' }, { type: 'secret' }, { type: 'secret', name: 'default' }]) expect((await manage('POST', '', body)).status).toBe(400);
  expect((await manage('DELETE', '/00000000-0000-4000-8000-000000000000')).status).toBe(404);
  expect((await manage('PUT')).status).toBe(405);
  for (const key of [supabase.publishableKey, 'nobody', '']) expect((await manage('GET', '', undefined, key)).status).toBe(401);
});
