import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestSupabase, type TestSupabase } from '../../../tests/support/supabase.ts';
import { DEFAULT_RATE_LIMITS } from './limits.ts';

let supabase: TestSupabase;
let wait = 0;
/** Time goes by where a test says so alone: what was used up comes back every few seconds. */
const began = Date.now();
beforeAll(async () => { supabase = await startTestSupabase({ now: () => began + wait, rateLimits: { ...DEFAULT_RATE_LIMITS, emailSent: 4 } }); });
afterAll(async () => { await supabase.close(); });

const client = () => createClient(supabase.url, supabase.publishableKey, { auth: { persistSession: false, autoRefreshToken: false } });
const MINUTE = 60_000;

test('one user gets one mail a minute, and the answer says how long to wait', async () => {
  const user = await supabase.createUser();
  expect((await client().auth.signInWithOtp({ email: user.email })).error).toBeNull();
  const refused = await client().auth.resetPasswordForEmail(user.email);
  expect(refused.error).toMatchObject({ status: 429, code: 'over_email_send_rate_limit', message: expect.stringMatching(/^For security purposes, you can only request this after \d+ seconds\.$/) });
  wait += 61_000;
  expect((await client().auth.resetPasswordForEmail(user.email)).error).toBeNull();
});

test('a project sends no more mails in an hour than it may, whoever asks', async () => {
  wait += 60 * MINUTE;
  const users = await Promise.all(Array.from({ length: 5 }, () => supabase.createUser()));
  const codes: unknown[] = [];
  for (const user of users) codes.push((await client().auth.resetPasswordForEmail(user.email)).error?.code);
  expect(codes).toEqual([undefined, undefined, undefined, undefined, 'over_email_send_rate_limit']);
  wait += 16 * MINUTE;
  expect((await client().auth.resetPasswordForEmail(users[4]?.email ?? '')).error).toBeNull();
});

test('an address has thirty sign-ins, thirty verifications and a hundred and fifty refreshes in five minutes, each by itself', async () => {
  wait += 10 * MINUTE;
  const attempts = async (count: number, attempt: () => Promise<{ error: { status?: number | undefined; code?: string | undefined } | null }>) => {
    const answers = await Promise.all(Array.from({ length: count }, attempt));
    return answers.filter(({ error }) => error?.status === 429 && error.code === 'over_request_rate_limit').length;
  };
  expect(await attempts(33, () => client().auth.signUp({ email: 'no address', password: 'x' }))).toBe(3);
  expect(await attempts(33, () => client().auth.verifyOtp({ type: 'magiclink', token_hash: 'unknown' }))).toBe(3);
  const post = (path: string, body: object) => fetch(`${supabase.url}/auth/v1${path}`, { method: 'POST', headers: { apikey: supabase.publishableKey, 'content-type': 'application/json' }, body: JSON.stringify(body) });
  // By hand: the client repeats a refresh that a busy gateway did not answer, which counts too.
  expect(await attempts(153, async () => {
    const response = await post('/token?grant_type=refresh_token', { refresh_token: 'unknown' });
    return { error: { status: response.status, code: ((await response.json()) as { error_code?: string }).error_code } };
  })).toBe(3);
  const refused = await post('/token?grant_type=password', { email: 'a@example.test', password: 'long enough' });
  expect([refused.status, Number(refused.headers.get('retry-after')) > 0]).toEqual([429, true]);
  wait += MINUTE;
  expect(await attempts(9, () => client().auth.signUp({ email: 'no address', password: 'x' }))).toBe(3);
});
