import { randomUUID } from 'node:crypto';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestSupabase } from '../../tests/support/supabase.ts';

// The contract between this project and Supabase, asked through the published client: of the gateway always, and of a real project with this repository's
// migrations when one is configured. The real one keeps nothing: what the suite makes it deletes.

interface Project { url: string; publishableKey: string; secretKey: string; close(): Promise<void> }
interface Person { id: string; email: string; password: string; client: SupabaseClient; token: string }
interface World extends Project { admin: SupabaseClient; anon: SupabaseClient; ann: Person; bob: Person }

const STATELESS = { auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false } } as const;
const { SUPABASE_CONTRACT_URL: realUrl, SUPABASE_CONTRACT_PUBLISHABLE_KEY: realPublishable, SUPABASE_CONTRACT_SECRET_KEY: realSecret } = process.env;
const real: Project | null = realUrl === undefined || realPublishable === undefined || realSecret === undefined ? null
  : { url: realUrl.replace(/\/$/, ''), publishableKey: realPublishable, secretKey: realSecret, close: () => Promise.resolve() };
const TARGETS: readonly [string, (() => Promise<Project>) | null][] = [
  ['the gateway', startTestSupabase],
  ['a real project (skipped unless SUPABASE_CONTRACT_URL, SUPABASE_CONTRACT_PUBLISHABLE_KEY and SUPABASE_CONTRACT_SECRET_KEY are set)', real === null ? null : () => Promise.resolve(real)],
];

const newAddress = () => `contract-${randomUUID()}@example.com`;
const traders = ({ ann }: World) => ann.client.from('traders');
const named = (world: World) => traders(world).select('name').order('name');
const rest = (world: World, path: string, headers: Record<string, string>, init: RequestInit = {}) => fetch(`${world.url}/rest/v1${path}`, { ...init, headers });
const auth = (world: World, path: string, body: object) => fetch(`${world.url}/auth/v1${path}`, { method: 'POST', headers: { apikey: world.publishableKey, 'content-type': 'application/json' }, body: JSON.stringify(body) });
const bodyOf = async (response: Promise<Response>) => { const one = await response; return { status: one.status, body: (await one.json()) as unknown, headers: Object.fromEntries(one.headers) }; };
const refused = (status: number, code: string, more: object = {}) => expect.objectContaining({ status, data: null, error: expect.objectContaining({ code, ...more }) as unknown }) as unknown;
const rows = (...names: string[]) => expect.objectContaining({ error: null, data: names.map((name) => ({ name })) }) as unknown;

/** A sentence, what the client asks, what it is answered. Ann has the traders alfa, bravo, charlie (their documents say n = 1, 2, 3; charlie is off), Bob has none. */
const REST: readonly [string, (world: World) => PromiseLike<unknown>, unknown][] = [
  ['eq', (w) => named(w).eq('name', 'alfa'), rows('alfa')],
  ['neq', (w) => named(w).neq('name', 'alfa'), rows('bravo', 'charlie')],
  ['in', (w) => named(w).in('name', ['alfa', 'charlie', 'no, "such"']), rows('alfa', 'charlie')],
  ['is', (w) => named(w).is('deleted_at', null).is('enabled', false), rows('charlie')],
  ['not', (w) => named(w).not('name', 'in', '(alfa,bravo)'), rows('charlie')],
  ['like and ilike', (w) => named(w).like('name', '%a%').ilike('name', '%RAV%'), rows('bravo')],
  ['like any of', (w) => named(w).likeAnyOf('name', ['al%', 'ch%']), rows('alfa', 'charlie')],
  ['or, with and inside', (w) => named(w).or('name.eq.alfa,and(enabled.is.false,name.like.ch*)'), rows('alfa', 'charlie')],
  ['a value inside JSON as text', (w) => named(w).eq('document->>n', '2'), rows('bravo')],
  ['a value inside JSON as JSON', (w) => named(w).gte('document->n', 2), rows('bravo', 'charlie')],
  ['contains', (w) => named(w).contains('document', { n: 3 }), rows('charlie')],
  ['a renamed, a cast and a nested column', (w) => traders(w).select('title:name, version::text, n:document->n').eq('name', 'bravo'), expect.objectContaining({ data: [{ title: 'bravo', version: '1', n: 2 }] })],
  ['a page with a count', (w) => traders(w).select('name', { count: 'exact' }).order('name').range(1, 1), expect.objectContaining({ status: 206, count: 3, data: [{ name: 'bravo' }] })],
  ['a count alone', (w) => traders(w).select('*', { count: 'exact', head: true }), expect.objectContaining({ count: 3, data: null, error: null })],
  ['one row', (w) => named(w).eq('name', 'alfa').single(), expect.objectContaining({ data: { name: 'alfa' } })],
  ['one row that is not there', (w) => named(w).eq('name', 'zulu').single(), refused(406, 'PGRST116', { details: 'The result contains 0 rows' })],
  ['perhaps one row', (w) => named(w).eq('name', 'zulu').maybeSingle(), expect.objectContaining({ data: null, error: null })],
  ['a page behind the end', (w) => traders(w).select('name', { count: 'exact' }).range(50, 60), refused(416, 'PGRST103')],
  ['an unknown table', (w) => w.ann.client.from('traderz').select(), refused(404, 'PGRST205', { hint: `Perhaps you meant the table 'public.traders'` })],
  ['an unknown column', (w) => traders(w).select('naem'), refused(400, '42703')],
  ['an unknown column to write', (w) => traders(w).insert({ naem: 'x' }), refused(400, 'PGRST204')],
  ['an unknown relation', (w) => traders(w).select('name, no_such_table(id)'), refused(400, 'PGRST200')],
  ['an aggregate', (w) => traders(w).select('version.sum()'), refused(400, 'PGRST123')],
  ['an unknown operator', (w) => traders(w).select().filter('name', 'near', 'alfa'), refused(400, 'PGRST100')],
  ['a value of another type', (w) => traders(w).select().eq('id', 'no uuid'), refused(400, '22P02')],
  ['an unknown schema', (w) => w.ann.client.schema('private').from('traders').select(), refused(406, 'PGRST106')],
  ['an unknown function', (w) => w.ann.client.rpc('no_such_function', { a: 1 }), refused(404, 'PGRST202')],
  ['a function of somebody else', (w) => w.ann.client.rpc('claim_machines', { p_owner: 'me', p_limit: 1, p_lease_seconds: 9 }), refused(403, '42501')],
  ['a row twice', (w) => traders(w).insert({ name: 'alfa', document: {} }), refused(409, '23505')],
  ['a row that breaks a rule', (w) => traders(w).insert({ name: '', document: {} }), refused(400, '23514')],
  ['a row without what it must have', (w) => traders(w).insert({ name: 'delta' }), refused(400, '23502')],
  ['a row in another name', (w) => traders(w).insert({ name: 'delta', document: {}, user_id: w.bob.id }), refused(403, '42501')],
  ['a change that gives the row back', (w) => traders(w).update({ document: { n: 2 } }).eq('name', 'bravo').select('name').single(), expect.objectContaining({ status: 200, data: { name: 'bravo' } })],
  ['a change that counts', (w) => traders(w).update({ enabled: false }, { count: 'exact' }).eq('name', 'charlie'), expect.objectContaining({ status: 204, count: 1, data: null })],
  ['a change of what is not there', (w) => traders(w).update({ enabled: false }).eq('name', 'zulu').select(), expect.objectContaining({ status: 200, data: [] })],
  ['a change of everything', (w) => bodyOf(rest(w, '/traders', { apikey: w.publishableKey, 'authorization': `Bearer ${w.ann.token}`, 'content-type': 'application/json' }, { method: 'PATCH', body: '{"enabled":true}' })), expect.objectContaining({ status: 400, body: expect.objectContaining({ code: '21000' }) as unknown })],
  ['a deletion without the right', (w) => traders(w).delete().eq('name', 'alfa'), refused(403, '42501')],
  ['another user\'s rows', (w) => w.bob.client.from('traders').select('name'), rows()],
  ['another user\'s rows, to change', (w) => w.bob.client.from('traders').update({ enabled: false }).eq('name', 'alfa').select('name'), rows()],
  ['nobody', (w) => w.anon.from('traders').select('name'), refused(401, '42501')],
  ['an upsert that merges', (w) => w.admin.from('traders').upsert({ id: w.ann.id, user_id: w.ann.id, name: 'echo', document: {}, deleted_at: '2026-01-01Z' }).select('id').single(), expect.objectContaining({ data: { id: anyId() } })],
  ['no key', (w) => bodyOf(rest(w, '/traders', {})), expect.objectContaining({ status: 401, body: expect.objectContaining({ message: 'No API key found in request' }) as unknown })],
  ['a wrong key', (w) => bodyOf(rest(w, '/traders', { apikey: 'sb_publishable_wrong' })), expect.objectContaining({ status: 401 })],
  ['a forged token', (w) => bodyOf(rest(w, '/traders', { apikey: w.publishableKey, authorization: `Bearer ${w.ann.token.slice(0, -6)}AAAAAA` })), expect.objectContaining({ status: 401, body: expect.objectContaining({ code: 'PGRST301' }) as unknown })],
  ['an unknown preference, strictly', (w) => bodyOf(rest(w, '/traders', { apikey: w.publishableKey, authorization: `Bearer ${w.ann.token}`, prefer: 'handling=strict, foo=bar' })), expect.objectContaining({ status: 400, body: expect.objectContaining({ code: 'PGRST122' }) as unknown })],
];

const failed = (status: number, code: string) => expect.objectContaining({ error: expect.objectContaining({ status, code }) as unknown }) as unknown;
const stranger = (world: World) => createClient(world.url, world.publishableKey, STATELESS);
const link = async (world: World, type: 'magiclink' | 'recovery') => {
  const { data, error } = await world.admin.auth.admin.generateLink({ type, email: world.bob.email });
  if (error) throw error;
  return data.properties;
};

const AUTH: readonly [string, (world: World) => PromiseLike<unknown>, unknown][] = [
  ['a wrong password', (w) => stranger(w).auth.signInWithPassword({ email: w.ann.email, password: 'not this one' }), failed(400, 'invalid_credentials')],
  ['an unknown address', (w) => stranger(w).auth.signInWithPassword({ email: newAddress(), password: 'not this one' }), failed(400, 'invalid_credentials')],
  ['a weak password', (w) => w.ann.client.auth.updateUser({ password: 'abc' }), failed(422, 'weak_password')],
  ['the same password again', (w) => w.ann.client.auth.updateUser({ password: w.ann.password }), failed(422, 'same_password')],
  ['own metadata', (w) => w.ann.client.auth.updateUser({ data: { name: 'Ann' } }), expect.objectContaining({ error: null, data: { user: expect.objectContaining({ user_metadata: expect.objectContaining({ name: 'Ann' }) as unknown }) as unknown } })],
  ['who am I', (w) => w.ann.client.auth.getUser(w.ann.token), expect.objectContaining({ error: null, data: { user: expect.objectContaining({ id: anyId(), role: 'authenticated', identities: [expect.objectContaining({ provider: 'email' })] }) as unknown } })],
  ['the claims, verified by the published keys', (w) => w.ann.client.auth.getClaims(w.ann.token), expect.objectContaining({ error: null })],
  ['a sign-in by mail for nobody, without an account', (w) => stranger(w).auth.signInWithOtp({ email: newAddress(), options: { shouldCreateUser: false } }), failed(422, 'otp_disabled')],
  ['an unknown refresh token', (w) => stranger(w).auth.refreshSession({ refresh_token: 'unknown-token' }), failed(400, 'refresh_token_not_found')],
  ['the digits of a magic link', async (w) => stranger(w).auth.verifyOtp({ type: 'email', email: w.bob.email, token: (await link(w, 'magiclink')).email_otp }), expect.objectContaining({ error: null })],
  ['an unknown link', (w) => stranger(w).auth.verifyOtp({ type: 'magiclink', token_hash: 'f'.repeat(56) }), failed(403, 'otp_expired')],
  ['an unknown code of a PKCE link', (w) => bodyOf(auth(w, '/token?grant_type=pkce', { auth_code: randomUUID(), code_verifier: 'x'.repeat(64) })), expect.objectContaining({ status: 404, body: expect.objectContaining({ error_code: 'flow_state_not_found' }) as unknown })],
  ['a PKCE challenge cut short', (w) => bodyOf(auth(w, '/recover', { email: newAddress(), code_challenge: 'short', code_challenge_method: 's256' })), expect.objectContaining({ status: 400, body: expect.objectContaining({ error_code: 'validation_failed' }) as unknown })],
  ['an address that is taken', (w) => w.admin.auth.admin.createUser({ email: w.ann.email, password: 'long enough' }), failed(422, 'email_exists')],
  ['a user who is not there', (w) => w.admin.auth.admin.getUserById(randomUUID()), failed(404, 'user_not_found')],
  ['a link for who is not there', (w) => w.admin.auth.admin.generateLink({ type: 'recovery', email: newAddress() }), failed(404, 'user_not_found')],
  ['the administrator\'s list', (w) => w.admin.auth.admin.listUsers({ page: 1, perPage: 1 }), expect.objectContaining({ error: null, data: expect.objectContaining({ users: [expect.anything()], aud: 'authenticated' }) as unknown })],
  ['the administrator\'s list, for a user', (w) => w.ann.client.auth.admin.listUsers(), expect.objectContaining({ error: expect.objectContaining({ status: expect.toSatisfy((status: number) => status === 401 || status === 403) as unknown }) as unknown })],
];

/** Any id. */
function anyId(): unknown { return expect.stringMatching(/^[0-9a-f-]{36}$/); }

describe.each(TARGETS)('%s', (_name, start) => {
  let world: World;
  const made: string[] = [];

  const person = async (): Promise<Person> => {
    const [email, password] = [newAddress(), `pw-${randomUUID()}`];
    const created = await world.admin.auth.admin.createUser({ email, password, email_confirm: true });
    if (created.error) throw created.error;
    made.push(created.data.user.id);
    const client = createClient(world.url, world.publishableKey, STATELESS);
    const { data, error } = await client.auth.signInWithPassword({ email, password });
    if (error) throw error;
    return { id: data.user.id, email, password, client, token: data.session.access_token };
  };

  beforeAll(async () => {
    if (start === null) return;
    const project = await start();
    const admin = createClient(project.url, project.secretKey, STATELESS);
    world = { ...project, admin, anon: createClient(project.url, project.publishableKey, STATELESS) } as World;
    world.ann = await person();
    world.bob = await person();
    const { error } = await world.ann.client.from('traders').insert(['alfa', 'bravo', 'charlie'].map((name, at) => ({ name, document: { n: at + 1 }, enabled: name !== 'charlie' })));
    if (error) throw new Error(error.message);
  });
  afterAll(async () => {
    if (start === null) return;
    for (const id of made) await world.admin.auth.admin.deleteUser(id);
    await world.close();
  });

  test.skipIf(start === null).each(REST)('rest: %s', async (_sentence, ask, answer) => { expect(await ask(world)).toEqual(answer); });

  test.skipIf(start === null).each(AUTH)('auth: %s', async (_sentence, ask, answer) => { expect(await ask(world)).toEqual(answer); });

  test.skipIf(start === null)('rest: no answer has more than a thousand rows, and the range says how many there are', async () => {
    const many = Array.from({ length: 1_001 }, (_, n) => ({ user_id: world.bob.id, name: `many ${n}`, document: {}, deleted_at: '2026-01-01T00:00:00Z' }));
    const written = await world.admin.from('traders').insert(many);
    expect(written.error).toBeNull();
    const read = await bodyOf(rest(world, '/traders?select=name&order=id', { apikey: world.publishableKey, authorization: `Bearer ${world.bob.token}`, prefer: 'count=exact' }));
    expect([read.status, (read.body as unknown[]).length, read.headers['content-range']]).toEqual([206, 1_000, '0-999/1001']);
    expect((await world.admin.from('traders').delete().eq('user_id', world.bob.id)).error).toBeNull();
  });

  test.skipIf(start === null)('auth: a token says who, in which session, proved how', async () => {
    expect(decodeJwt(world.ann.token)).toMatchObject({
      iss: expect.stringMatching(/\/auth\/v1$/), aud: 'authenticated', role: 'authenticated', sub: world.ann.id, email: world.ann.email, aal: 'aal1', is_anonymous: false,
      amr: [{ method: 'password', timestamp: expect.any(Number) }], session_id: anyId(),
    });
  });

  test.skipIf(start === null)('auth: the parent of the active refresh token gets the active one again', async () => {
    const one = await person();
    const first = (await one.client.auth.getSession()).data.session?.refresh_token ?? '';
    const second = (await one.client.auth.refreshSession()).data.session?.refresh_token;
    expect(second).not.toBe(first);
    expect((await stranger(world).auth.refreshSession({ refresh_token: first })).data.session?.refresh_token).toBe(second);
  });

  test.skipIf(start === null)('auth: a link signs in once; a recovered account takes a new password and ends its other sessions', async () => {
    const one = await person();
    const { data } = await world.admin.auth.admin.generateLink({ type: 'recovery', email: one.email });
    expect(data.properties).toMatchObject({ verification_type: 'recovery', action_link: expect.stringContaining('/auth/v1/verify?'), email_otp: expect.stringMatching(/^\d{6,10}$/) });
    const token = { type: 'recovery', token_hash: data.properties?.hashed_token ?? '' } as const;
    const recovered = stranger(world);
    expect((await recovered.auth.verifyOtp(token)).error).toBeNull();
    expect(await stranger(world).auth.verifyOtp(token)).toEqual(failed(403, 'otp_expired'));
    expect((await recovered.auth.updateUser({ password: `new-${randomUUID()}` })).error).toBeNull();
    expect((await one.client.auth.refreshSession()).error).toMatchObject({ status: 400 });
    expect((await recovered.auth.getUser()).error).toBeNull();
  });

  test.skipIf(start === null)('auth: a banned user neither signs in nor refreshes; signed out, a session is gone', async () => {
    const one = await person();
    await world.admin.auth.admin.updateUserById(one.id, { ban_duration: '1h' });
    expect(await stranger(world).auth.signInWithPassword({ email: one.email, password: one.password })).toEqual(failed(400, 'user_banned'));
    expect(await one.client.auth.refreshSession()).toEqual(failed(400, 'user_banned'));
    await world.admin.auth.admin.updateUserById(one.id, { ban_duration: 'none' });
    const other = stranger(world);
    await other.auth.signInWithPassword({ email: one.email, password: one.password });
    await one.client.auth.signOut({ scope: 'local' });
    expect((await other.auth.getUser()).error).toBeNull();
    expect((await other.auth.getUser(one.token)).error).not.toBeNull();
  });
});
