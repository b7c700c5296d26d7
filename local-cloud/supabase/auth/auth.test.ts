import { createClient } from '@supabase/supabase-js';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestSupabase, type TestSupabase } from '../../../tests/support/supabase.ts';

let supabase: TestSupabase;
let wait = 0;
beforeAll(async () => { supabase = await startTestSupabase({ now: () => Date.now() + wait }); });
afterAll(async () => { await supabase.close(); });

const client = () => createClient(supabase.url, supabase.publishableKey, { auth: { persistSession: false, autoRefreshToken: false } });
const post = async (path: string, body: unknown, headers: Record<string, string> = {}) => {
  const response = await fetch(`${supabase.url}/auth/v1${path}`, { method: 'POST', headers: { apikey: supabase.publishableKey, 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });
  return { status: response.status, body: (await response.json().catch(() => null)) as Record<string, unknown> };
};

const refresh = (token: string) => post('/token?grant_type=refresh_token', { refresh_token: token });

describe('signing in', () => {
  test('sign up, sign out, sign in: the token says who, and is verified by the published keys', async () => {
    const one = client();
    const up = await one.auth.signUp({ email: 'Ann@Example.test', password: 'a good one', options: { data: { name: 'Ann' } } });
    expect(up.data.user).toMatchObject({ email: 'ann@example.test', user_metadata: { name: 'Ann' }, role: 'authenticated' });
    await one.auth.signOut();
    const { data } = await one.auth.signInWithPassword({ email: 'ann@example.test', password: 'a good one' });
    const token = data.session?.access_token ?? '';
    expect(decodeJwt(token)).toMatchObject({ iss: `${supabase.url}/auth/v1`, aud: 'authenticated', role: 'authenticated', sub: up.data.user?.id, email: 'ann@example.test', app_metadata: { provider: 'email' } });
    expect((decodeJwt(token).exp ?? 0) - (decodeJwt(token).iat ?? 0)).toBe(3_600);
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'ES256' });
    const claims = await one.auth.getClaims(token);
    expect(claims.data?.claims.sub).toBe(up.data.user?.id);
    expect((await one.auth.getUser()).data.user?.email).toBe('ann@example.test');
    const jwks = await (await fetch(`${supabase.url}/auth/v1/.well-known/jwks.json`)).json() as { keys: Record<string, unknown>[] };
    expect(jwks.keys).toHaveLength(2);
    expect(jwks.keys.every((key) => key['d'] === undefined)).toBe(true);
  });

  test('a wrong password and an unknown address get the same answer', async () => {
    await supabase.createUser('known@example.test');
    const wrong = await post('/token?grant_type=password', { email: 'known@example.test', password: 'wrong' });
    const unknown = await post('/token?grant_type=password', { email: 'unknown@example.test', password: 'wrong' });
    expect(wrong).toEqual({ status: 400, body: { code: 400, error_code: 'invalid_credentials', msg: 'Invalid login credentials' } });
    expect(unknown).toEqual(wrong);
    expect((await client().auth.signInWithPassword({ email: 'known@example.test', password: 'wrong' })).error).toMatchObject({ code: 'invalid_credentials' });
  });

  test('after ten failures an account waits, others do not, and time heals', async () => {
    const user = await supabase.createUser('guessed@example.test');
    for (let n = 0; n < 10; n += 1) await post('/token?grant_type=password', { email: user.email, password: 'guess' });
    expect((await client().auth.signInWithPassword({ email: user.email, password: user.password })).error).toMatchObject({ code: 'over_request_rate_limit', status: 429 });
    const other = await supabase.createUser();
    expect((await client().auth.signInWithPassword({ email: other.email, password: other.password })).error).toBeNull();
    wait = 301_000;
    expect((await client().auth.signInWithPassword({ email: user.email, password: user.password })).error).toBeNull();
    wait = 0;
  });

  test('what is not an address, not a password or taken already is refused by name', async () => {
    await supabase.createUser('taken@example.test');
    const code = async (email: unknown, password: unknown) => (await post('/signup', { email, password })).body['error_code'];
    expect(await code('taken@example.test', 'long enough')).toBe('user_already_exists');
    expect(await code('new@example.test', 'short')).toBe('weak_password');
    expect(await code('no address', 'long enough')).toBe('validation_failed');
    expect(await code({ $ne: 1 }, 'long enough')).toBe('validation_failed');
    expect((await post('/token?grant_type=magic', {})).body['error_code']).toBe('validation_failed');
    expect((await post('/nothing', {})).status).toBe(404);
    expect((await client().auth.signUp({ email: 'new@example.test', password: 'short' })).error).toMatchObject({ name: 'AuthWeakPasswordError', status: 422, reasons: ['length'] });
    expect((await client().auth.signInAnonymously()).error).toMatchObject({ status: 422, code: 'anonymous_provider_disabled' });
    expect((await post('/signup', 'text')).body['error_code']).toBe('bad_json');
    expect((await post('/signup', { email: 'nul@example.test', password: 'long enough', data: { name: '\0' } })).body['error_code']).toBe('validation_failed');
  });
});

describe('sessions', () => {
  test('a refresh token works once; the parent of the active one gets the active one again, and an older one used late ends the session', async () => {
    const user = await supabase.createUser();
    const first = (await user.client.auth.getSession()).data.session?.refresh_token ?? '';
    const next = await user.client.auth.refreshSession();
    const second = next.data.session?.refresh_token ?? '';
    expect(second).not.toBe(first);
    expect(decodeJwt(next.data.session?.access_token ?? '')['session_id']).toBe(decodeJwt(user.accessToken)['session_id']);
    expect(decodeJwt(next.data.session?.access_token ?? '')['amr']).toEqual(decodeJwt(user.accessToken)['amr']);
    await supabase.database.pool.query(`update auth.refresh_tokens set used_at = used_at - interval '1 minute'`);
    expect((await refresh(first)).body['refresh_token']).toBe(second);
    const third = await refresh(second);
    expect(third.status).toBe(200);
    expect((await refresh(first)).body['error_code']).toBe('refresh_token_already_used');
    expect((await refresh(String(third.body['refresh_token']))).body['error_code']).toBe('refresh_token_not_found');
    expect((await refresh('no token')).body['error_code']).toBe('refresh_token_not_found');
  });

  test('an older token used again within ten seconds is forgiven', async () => {
    const user = await supabase.createUser();
    const first = (await user.client.auth.getSession()).data.session?.refresh_token ?? '';
    const second = String((await refresh(first)).body['refresh_token']);
    const third = String((await refresh(second)).body['refresh_token']);
    const forgiven = await refresh(first);
    expect(forgiven.status).toBe(200);
    expect([first, second, third]).not.toContain(forgiven.body['refresh_token']);
    expect((await refresh(third)).status).toBe(200);
  });

  test('of ten refreshes with one token at once all get the same successor', async () => {
    const user = await supabase.createUser();
    const token = (await user.client.auth.getSession()).data.session?.refresh_token ?? '';
    const answers = await Promise.all(Array.from({ length: 10 }, () => refresh(token)));
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 10 }, () => 200));
    expect(new Set(answers.map((answer) => answer.body['refresh_token'])).size).toBe(1);
  });

  test('signing out ends this session, or all of them', async () => {
    const user = await supabase.createUser();
    const elsewhere = client();
    await elsewhere.auth.signInWithPassword({ email: user.email, password: user.password });
    await user.client.auth.signOut({ scope: 'local' });
    expect((await elsewhere.auth.getUser()).error).toBeNull();
    expect((await elsewhere.auth.getUser(user.accessToken)).error).not.toBeNull();
    const third = client();
    await third.auth.signInWithPassword({ email: user.email, password: user.password });
    await third.auth.signOut({ scope: 'others' });
    expect((await third.auth.getUser()).error).toBeNull();
    expect((await elsewhere.auth.refreshSession()).error).not.toBeNull();
  });

  test('a new password ends the other sessions; one set by an administrator ends all', async () => {
    const user = await supabase.createUser();
    const elsewhere = client();
    await elsewhere.auth.signInWithPassword({ email: user.email, password: user.password });
    expect((await elsewhere.auth.updateUser({ password: 'a newer one' })).error).toBeNull();
    expect((await user.client.auth.refreshSession()).error).toMatchObject({ code: 'refresh_token_not_found' });
    expect((await elsewhere.auth.refreshSession()).error).toBeNull();
    await supabase.adminClient.auth.admin.updateUserById(user.id, { password: 'set for you' });
    expect((await elsewhere.auth.refreshSession()).error).toMatchObject({ code: 'refresh_token_not_found' });
    expect((await client().auth.signInWithPassword({ email: user.email, password: 'set for you' })).error).toBeNull();
  });

  test('neither refresh tokens nor passwords are stored readable', async () => {
    const user = await supabase.createUser();
    const token = (await user.client.auth.getSession()).data.session?.refresh_token ?? '';
    const { rows } = await supabase.database.pool.query<{ text: string }>('select (select string_agg(t::text, $1) from auth.refresh_tokens t) || (select string_agg(u::text, $1) from auth.users u) as text', [' ']);
    expect(rows[0]?.text.includes(token)).toBe(false);
    expect(rows[0]?.text.includes(user.password)).toBe(false);
  });

  test('a user changes own password and own metadata, never the metadata of the application', async () => {
    const user = await supabase.createUser();
    const changed = await user.client.auth.updateUser({ password: 'another one', data: { name: 'Bo' } });
    expect(changed.data.user?.user_metadata).toEqual({ name: 'Bo' });
    expect((await client().auth.signInWithPassword({ email: user.email, password: user.password })).error).not.toBeNull();
    expect((await client().auth.signInWithPassword({ email: user.email, password: 'another one' })).error).toBeNull();
    expect((await user.client.auth.updateUser({ password: 'another one' })).error).toMatchObject({ status: 422, code: 'same_password' });
    const forged = await fetch(`${supabase.url}/auth/v1/user`, { method: 'PUT', headers: { apikey: supabase.publishableKey, authorization: `Bearer ${user.accessToken}`, 'content-type': 'application/json' }, body: '{"app_metadata":{"trademind_role":"operator"}}' });
    expect(((await forged.json()) as { app_metadata: object }).app_metadata).not.toHaveProperty('trademind_role');
  });
});

describe('administration', () => {
  test('creates, lists, reads, changes and deletes users', async () => {
    const { admin } = supabase.adminClient.auth;
    const made = await admin.createUser({ email: 'made@example.test', password: 'long enough', email_confirm: true, app_metadata: { trademind_role: 'operator' } });
    const id = made.data.user?.id ?? '';
    expect(made.data.user?.app_metadata).toMatchObject({ trademind_role: 'operator', provider: 'email' });
    expect((await admin.createUser({ email: 'made@example.test', password: 'long enough' })).error).toMatchObject({ code: 'email_exists' });
    const list = await admin.listUsers({ page: 1, perPage: 2 });
    expect(list.data.users).toHaveLength(2);
    expect((list.data as { total: number }).total).toBeGreaterThan(2);
    expect((await admin.getUserById(id)).data.user?.email).toBe('made@example.test');
    expect((await admin.updateUserById(id, { app_metadata: { trademind_role: null }, ban_duration: '1h' })).data.user?.app_metadata).not.toHaveProperty('trademind_role');
    expect((await client().auth.signInWithPassword({ email: 'made@example.test', password: 'long enough' })).error).toMatchObject({ code: 'user_banned' });
    expect((await admin.deleteUser(id)).error).toBeNull();
    expect((await admin.getUserById(id)).error).toMatchObject({ code: 'user_not_found' });
  });

  test('a user deleted softly keeps the row, without address, password or session', async () => {
    const user = await supabase.createUser();
    const { admin } = supabase.adminClient.auth;
    expect((await admin.deleteUser(user.id, true)).error).toBeNull();
    expect((await user.client.auth.refreshSession()).error).toMatchObject({ code: 'refresh_token_not_found' });
    const left = (await admin.getUserById(user.id)).data.user;
    expect(left).toMatchObject({ id: user.id, email: '', identities: [] });
    expect(left?.deleted_at).toBeDefined();
    expect((await admin.createUser({ email: user.email, password: 'long enough' })).error).toBeNull();
  });

  test('is closed to the publishable key and to users', async () => {
    const user = await supabase.createUser();
    expect((await client().auth.admin.listUsers()).error).toMatchObject({ status: 403, code: 'not_admin' });
    expect((await user.client.auth.admin.deleteUser(user.id)).error).not.toBeNull();
    expect((await post('/admin/users', { email: 'x@example.test' }, { authorization: `Bearer ${user.accessToken}` })).body['error_code']).toBe('not_admin');
  });

  test('a user with a machine is not deleted until it is destroyed', async () => {
    const user = await supabase.createUser();
    await supabase.adminClient.rpc('deploy_machine', { p_user_id: user.id, p_environment: 'local', p_region: 'sin', p_cpu_kind: 'shared', p_cpus: 1, p_memory_mb: 512, p_image: 'x' });
    const refused = await supabase.adminClient.auth.admin.deleteUser(user.id);
    expect(refused.error).toMatchObject({ status: 409, code: 'conflict' });
    expect(refused.error?.message).toContain('machine_not_destroyed');
    await supabase.database.pool.query(`update public.machines set desired_state = 'destroyed', phase = 'destroyed' where user_id = $1`, [user.id]);
    expect((await supabase.adminClient.auth.admin.deleteUser(user.id)).error).toBeNull();
  });

  test('what nobody foresaw is answered with a number to look for in the log, and nothing else', async () => {
    await supabase.database.pool.query('alter table auth.users rename to users_elsewhere');
    const answer = await post('/signup', { email: 'unlucky@example.test', password: 'long enough' });
    await supabase.database.pool.query('alter table auth.users_elsewhere rename to users');
    expect(answer).toEqual({ status: 500, body: { message: expect.stringMatching(/^An unexpected error occurred \([0-9a-f]{8}\)/) } });
  });

  test('a magic link signs in once', async () => {
    const user = await supabase.createUser();
    const link = await supabase.adminClient.auth.admin.generateLink({ type: 'magiclink', email: user.email });
    const token = link.data.properties?.hashed_token ?? '';
    expect(token.length).toBeGreaterThan(20);
    const opened = await client().auth.verifyOtp({ type: 'magiclink', token_hash: token });
    expect(opened.data.user?.id).toBe(user.id);
    expect((await client().auth.verifyOtp({ type: 'magiclink', token_hash: token })).error).toMatchObject({ code: 'otp_expired' });
  });
});
