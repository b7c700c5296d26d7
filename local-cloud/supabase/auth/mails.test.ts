import { createHash, randomUUID } from 'node:crypto';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestSupabase, type TestSupabase } from '../../../tests/support/supabase.ts';

const SITE = 'http://app.test';
let supabase: TestSupabase;
let wait = 0;
beforeAll(async () => { supabase = await startTestSupabase({ now: () => Date.now() + wait, siteUrl: SITE, autoconfirm: false }); });
afterAll(async () => { await supabase.close(); });

const client = (flowType: 'implicit' | 'pkce' = 'implicit'): SupabaseClient => {
  const kept = new Map<string, string>();
  const storage = { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, value: string) => { kept.set(name, value); }, removeItem: (name: string) => { kept.delete(name); } };
  return createClient(supabase.url, supabase.publishableKey, { auth: { flowType, storage, persistSession: true, autoRefreshToken: false, detectSessionInUrl: false } });
};
const address = (name: string) => `${name}-${randomUUID().slice(0, 8)}@example.test`;

interface Message { ID: string; Subject: string; Text: string; HTML: string }
const mail = async (path: string, init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {}, key = supabase.secretKey) => fetch(`${supabase.url}/mail${path}`, { ...init, headers: { apikey: key, ...init.headers } });
/** The newest mail to an address, taken apart. */
const caught = async (to: string) => {
  const { messages } = await (await mail(`/api/v1/search?query=${encodeURIComponent(`to:${to}`)}`)).json() as { messages: Message[] };
  if (messages[0] === undefined) return { count: 0, subject: '', link: '', otp: '' };
  const message = await (await mail(`/api/v1/message/${messages[0].ID}`)).json() as Message;
  return { count: messages.length, subject: message.Subject, link: /https?:\S+/.exec(message.Text)?.[0] ?? '', otp: /\b\d{6}\b/.exec(message.Text.replace(/https?:\S+/g, ''))?.[0] ?? '' };
};
/** Where a browser ends that opens a link. */
const open = async (link: string) => {
  const response = await fetch(link, { redirect: 'manual' });
  const url = new URL(response.headers.get('location') ?? '');
  return { status: response.status, url, fragment: Object.fromEntries(new URLSearchParams(url.hash.slice(1))), query: Object.fromEntries(url.searchParams) };
};

describe('signing up by mail', () => {
  test('an account waits until its address is confirmed, and the link signs in', async () => {
    const email = address('new');
    const one = client();
    const up = await one.auth.signUp({ email, password: 'long enough', options: { emailRedirectTo: `${SITE}/welcome` } });
    expect(up.data.session).toBeNull();
    expect(up.data.user).toMatchObject({ email });
    expect((await one.auth.signInWithPassword({ email, password: 'long enough' })).error).toMatchObject({ code: 'email_not_confirmed' });
    const opened = await open((await caught(email)).link);
    expect([opened.status, opened.url.origin, opened.url.pathname]).toEqual([303, SITE, '/welcome']);
    expect(opened.fragment).toMatchObject({ token_type: 'bearer', type: 'signup', expires_in: '3600' });
    expect(decodeJwt(opened.fragment['access_token'] ?? '')).toMatchObject({ email, amr: [{ method: 'otp' }] });
    const session = await one.auth.setSession({ access_token: opened.fragment['access_token'] ?? '', refresh_token: opened.fragment['refresh_token'] ?? '' });
    expect(session.data.user?.email_confirmed_at).not.toBeNull();
    expect((await client().auth.signInWithPassword({ email, password: 'long enough' })).error).toBeNull();
  });

  test('for an address that has an account the answer looks the same and no mail is sent', async () => {
    const user = await supabase.createUser(address('known'));
    const up = await client().auth.signUp({ email: user.email, password: 'long enough' });
    expect(up.error).toBeNull();
    expect(up.data.user?.identities).toEqual([]);
    expect(up.data.user?.id).not.toBe(user.id);
    expect((await caught(user.email)).count).toBe(0);
  });

  test('a lost mail is sent again', async () => {
    const email = address('lost');
    await client().auth.signUp({ email, password: 'long enough' });
    const first = await caught(email);
    expect((await client().auth.resend({ type: 'signup', email })).error).toBeNull();
    const second = await caught(email);
    expect(second.count).toBe(2);
    expect((await open(first.link)).fragment).toMatchObject({ error: 'access_denied', error_code: 'otp_expired' });
    expect((await client().auth.verifyOtp({ email, token: second.otp, type: 'signup' })).data.user?.email).toBe(email);
    expect((await client().auth.resend({ type: 'signup', email: address('nobody') })).error).toBeNull();
  });
});

describe('signing in by mail', () => {
  test('by the six digits, once', async () => {
    const email = address('digits');
    expect((await client().auth.signInWithOtp({ email, options: { data: { name: 'Di' } } })).error).toBeNull();
    const { otp } = await caught(email);
    const wrong = otp === '123456' ? '654321' : '123456';
    expect((await client().auth.verifyOtp({ email, token: wrong, type: 'email' })).error).toMatchObject({ status: 403, code: 'otp_expired', message: 'Token has expired or is invalid' });
    expect((await client().auth.verifyOtp({ email, token: otp, type: 'email' })).data.user).toMatchObject({ email, user_metadata: { name: 'Di' } });
    expect((await client().auth.verifyOtp({ email, token: otp, type: 'email' })).error).toMatchObject({ code: 'otp_expired' });
  });

  test('digits cannot be guessed: after ten wrong ones even the right one waits', async () => {
    const user = await supabase.createUser(address('guess'));
    await client().auth.signInWithOtp({ email: user.email });
    const { otp } = await caught(user.email);
    for (let n = 0; n < 10; n += 1) await client().auth.verifyOtp({ email: user.email, token: otp === '000000' ? '000001' : '000000', type: 'email' });
    expect((await client().auth.verifyOtp({ email: user.email, token: otp, type: 'email' })).error).toMatchObject({ status: 429, code: 'over_request_rate_limit' });
  });

  test('an address without an account is refused when no account may be made', async () => {
    expect((await client().auth.signInWithOtp({ email: address('none'), options: { shouldCreateUser: false } })).error).toMatchObject({ status: 422, code: 'otp_disabled' });
  });

  test('a link is good for an hour', async () => {
    const user = await supabase.createUser(address('late'));
    await client().auth.signInWithOtp({ email: user.email });
    await supabase.database.pool.query(`update auth.one_time_tokens set expires_at = now() - interval '1 second' where user_id = $1`, [user.id]);
    expect((await open((await caught(user.email)).link)).fragment).toMatchObject({ error_code: 'otp_expired', error_description: 'Email link is invalid or has expired' });
  });

  test('a link never leads to a place that the project did not allow', async () => {
    const user = await supabase.createUser(address('lured'));
    for (const place of ['http://evil.test/steal', 'javascript:alert(1)', '//evil.test', 'http://app.test.evil.test/']) {
      await client().auth.signInWithOtp({ email: user.email, options: { emailRedirectTo: place } });
      expect((await open((await caught(user.email)).link)).url.origin).toBe(SITE);
    }
    const { link } = await (async () => { await client().auth.signInWithOtp({ email: user.email }); return caught(user.email); })();
    expect((await open(link.replace(/redirect_to=[^&]*/, `redirect_to=${encodeURIComponent('http://evil.test')}`))).url.origin).toBe(SITE);
  });
});

describe('PKCE', () => {
  test('the link leads to a code that only the browser which asked can use, once', async () => {
    const user = await supabase.createUser(address('pkce'));
    const mine = client('pkce');
    await mine.auth.signInWithOtp({ email: user.email, options: { emailRedirectTo: `${SITE}/callback?next=1` } });
    const { link } = await caught(user.email);
    expect(new URL(link).searchParams.get('token')).toMatch(/^pkce_/);
    const opened = await open(link);
    expect([opened.url.pathname, opened.query['next'], opened.fragment]).toEqual(['/callback', '1', {}]);
    const code = opened.query['code'] ?? '';
    const thief = await fetch(`${supabase.url}/auth/v1/token?grant_type=pkce`, { method: 'POST', headers: { apikey: supabase.publishableKey, 'content-type': 'application/json' }, body: JSON.stringify({ auth_code: code, code_verifier: 'x'.repeat(64) }) });
    expect([thief.status, ((await thief.json()) as { error_code: string }).error_code]).toEqual([400, 'bad_code_verifier']);
    const exchanged = await mine.auth.exchangeCodeForSession(code);
    expect(exchanged.data.user?.id).toBe(user.id);
    expect(decodeJwt(exchanged.data.session?.access_token ?? '')['amr']).toMatchObject([{ method: 'magiclink' }]);
    const again = await fetch(`${supabase.url}/auth/v1/token?grant_type=pkce`, { method: 'POST', headers: { apikey: supabase.publishableKey, 'content-type': 'application/json' }, body: JSON.stringify({ auth_code: code, code_verifier: 'x'.repeat(64) }) });
    expect([again.status, ((await again.json()) as { error_code: string }).error_code]).toEqual([404, 'flow_state_not_found']);
  });

  test('of ten requests at once with one link, one code or the same digits a single one gets a session', async () => {
    const user = await supabase.createUser(address('race'));
    const post = (path: string, body: object) => fetch(`${supabase.url}/auth/v1${path}`, { method: 'POST', headers: { apikey: supabase.publishableKey, 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const winners = async (ask: () => Promise<Response>) => (await Promise.all(Array.from({ length: 10 }, ask))).filter((response) => response.status === 200).length;
    const made = async () => (await supabase.adminClient.auth.admin.generateLink({ type: 'magiclink', email: user.email })).data.properties;
    const byLink = await made();
    expect(await winners(() => post('/verify', { type: 'magiclink', token_hash: byLink?.hashed_token }))).toBe(1);
    const byDigits = await made();
    expect(await winners(() => post('/verify', { type: 'email', email: user.email, token: byDigits?.email_otp }))).toBe(1);
    const verifier = 'v'.repeat(50);
    await post('/otp', { email: user.email, code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 's256' });
    const { query } = await open((await caught(user.email)).link);
    expect(await winners(() => post('/token?grant_type=pkce', { auth_code: query['code'], code_verifier: verifier }))).toBe(1);
  });

  test('a code is good for five minutes', async () => {
    const user = await supabase.createUser(address('slow'));
    const mine = client('pkce');
    await mine.auth.signInWithOtp({ email: user.email });
    const { query } = await open((await caught(user.email)).link);
    await supabase.database.pool.query(`update auth.flow_state set auth_code_issued_at = now() - interval '301 seconds' where user_id = $1`, [user.id]);
    expect((await mine.auth.exchangeCodeForSession(query['code'] ?? '')).error).toMatchObject({ status: 422, code: 'flow_state_expired' });
  });

  test('a challenge that RFC 7636 does not know is refused', async () => {
    const ask = async (more: object) => {
      const response = await fetch(`${supabase.url}/auth/v1/otp`, { method: 'POST', headers: { apikey: supabase.publishableKey, 'content-type': 'application/json' }, body: JSON.stringify({ email: address('odd'), ...more }) });
      return [response.status, ((await response.json()) as { error_code: string }).error_code];
    };
    const challenge = createHash('sha256').update('x').digest('base64url');
    expect(await ask({ code_challenge: challenge })).toEqual([400, 'validation_failed']);
    expect(await ask({ code_challenge: challenge, code_challenge_method: 's512' })).toEqual([400, 'validation_failed']);
    expect(await ask({ code_challenge: 'short', code_challenge_method: 's256' })).toEqual([400, 'validation_failed']);
  });
});

describe('recovery and changes', () => {
  test('a forgotten password is replaced by way of the mail; an unknown address gets the same answer', async () => {
    const user = await supabase.createUser(address('forgot'));
    expect((await client().auth.resetPasswordForEmail(address('nobody'))).error).toBeNull();
    expect((await client().auth.resetPasswordForEmail(user.email, { redirectTo: `${SITE}/new-password` })).error).toBeNull();
    const opened = await open((await caught(user.email)).link);
    expect([opened.url.pathname, opened.fragment['type']]).toEqual(['/new-password', 'recovery']);
    const one = client();
    await one.auth.setSession({ access_token: opened.fragment['access_token'] ?? '', refresh_token: opened.fragment['refresh_token'] ?? '' });
    expect((await one.auth.updateUser({ password: 'remembered now' })).error).toBeNull();
    expect((await client().auth.signInWithPassword({ email: user.email, password: 'remembered now' })).error).toBeNull();
    expect((await client().auth.signInWithPassword({ email: user.email, password: user.password })).error).toMatchObject({ code: 'invalid_credentials' });
  });

  test('an address changes when the old and the new one agree', async () => {
    const user = await supabase.createUser(address('mover'));
    const next = address('moved');
    const asked = await user.client.auth.updateUser({ email: next });
    expect(asked.data.user).toMatchObject({ email: user.email, new_email: next });
    const [atNew, atOld] = [await caught(next), await caught(user.email)];
    expect((await open(atNew.link)).fragment['message']).toContain('Please proceed to confirm link sent to the other email');
    expect((await supabase.adminClient.auth.admin.getUserById(user.id)).data.user?.email).toBe(user.email);
    expect((await client().auth.verifyOtp({ email: user.email, token: atOld.otp, type: 'email_change' })).data.user).toMatchObject({ id: user.id, email: next });
    expect((await user.client.auth.updateUser({ email: (await supabase.createUser()).email })).error).toMatchObject({ status: 422, code: 'email_exists' });
  });

  test('a reauthentication code is the user\'s own and good once', async () => {
    const user = await supabase.createUser(address('again'));
    expect((await user.client.auth.reauthenticate()).error).toBeNull();
    const { otp } = await caught(user.email);
    const other = await supabase.createUser();
    expect((await other.client.auth.updateUser({ password: 'a new one here', nonce: otp })).error).toMatchObject({ status: 422, code: 'reauthentication_not_valid' });
    expect((await user.client.auth.updateUser({ password: 'a new one here', nonce: otp })).error).toBeNull();
    expect((await user.client.auth.updateUser({ password: 'one more of them', nonce: otp })).error).toMatchObject({ code: 'reauthentication_not_valid' });
  });
});

describe('an administrator', () => {
  test('invites by mail, and an accepted invitation is a confirmed account', async () => {
    const email = address('guest');
    const invited = await supabase.adminClient.auth.admin.inviteUserByEmail(email, { data: { team: 'a' }, redirectTo: `${SITE}/join` });
    expect(invited.data.user).toMatchObject({ email, user_metadata: { team: 'a' } });
    expect((await caught(email)).subject).toBe('You have been invited');
    expect((await open((await caught(email)).link)).fragment['type']).toBe('invite');
    expect((await supabase.adminClient.auth.admin.inviteUserByEmail(email)).error).toMatchObject({ status: 422, code: 'email_exists' });
    expect((await client().auth.admin.inviteUserByEmail(address('x'))).error).toMatchObject({ code: 'not_admin' });
  });

  test('makes every kind of link without a mail', async () => {
    const { admin } = supabase.adminClient.auth;
    const email = address('linked');
    const signUp = await admin.generateLink({ type: 'signup', email, password: 'long enough', options: { redirectTo: `${SITE}/a` } });
    expect(signUp.data.properties).toMatchObject({ verification_type: 'signup', redirect_to: `${SITE}/a`, email_otp: expect.stringMatching(/^\d{6}$/) });
    expect((await open(signUp.data.properties?.action_link ?? '')).fragment['type']).toBe('signup');
    expect((await admin.generateLink({ type: 'signup', email, password: 'long enough' })).error).toMatchObject({ code: 'email_exists' });
    const recovery = await admin.generateLink({ type: 'recovery', email });
    expect((await client().auth.verifyOtp({ type: 'recovery', token_hash: recovery.data.properties?.hashed_token ?? '' })).data.user?.email).toBe(email);
    expect((await admin.generateLink({ type: 'recovery', email: address('nobody') })).error).toMatchObject({ status: 404, code: 'user_not_found' });
    expect((await admin.generateLink({ type: 'magiclink', email: address('fresh') })).data.properties?.verification_type).toBe('signup');
    const next = address('next');
    const change = await admin.generateLink({ type: 'email_change_new', email, newEmail: next });
    expect((await open(change.data.properties?.action_link ?? '')).fragment['type']).toBe('email_change');
    expect((await client().auth.signInWithPassword({ email: next, password: 'long enough' })).error).toBeNull();
    expect((await caught(email)).count).toBe(0);
  });
});

describe('the mail catcher', () => {
  test('is closed without the secret key, also to the publishable one', async () => {
    for (const key of ['', supabase.publishableKey, 'wrong']) {
      const response = await mail('/api/v1/messages', {}, key);
      expect([response.status, response.headers.get('www-authenticate')]).toEqual([401, expect.stringContaining('Basic')]);
    }
    const page = await fetch(`${supabase.url}/mail`, { headers: { authorization: `Basic ${Buffer.from(`any:${supabase.secretKey}`).toString('base64')}` } });
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(await page.text()).toContain('Caught mails');
  });

  test('shows an address as text, lists, and forgets what it is told to', async () => {
    const email = `<img/src=x>${randomUUID().slice(0, 8)}@example.test`;
    await client().auth.signInWithOtp({ email });
    expect(await (await mail('')).text()).not.toContain('<img');
    const before = await (await mail('/api/v1/messages?limit=1')).json() as { total: number; messages: Message[] };
    expect(before.messages).toHaveLength(1);
    await mail('/api/v1/messages', { method: 'DELETE', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ IDs: [before.messages[0]?.ID] }) });
    expect(((await (await mail('/api/v1/messages')).json()) as { total: number }).total).toBe(before.total - 1);
    await mail('/api/v1/messages', { method: 'DELETE' });
    expect(((await (await mail('/api/v1/messages')).json()) as { total: number }).total).toBe(0);
    expect((await mail('/api/v1/message/latest')).status).toBe(404);
  });
});
