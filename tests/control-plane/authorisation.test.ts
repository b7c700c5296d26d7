import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ACCESS_SCOPES } from '@trademind/core';
import type { ControlPlane } from '../../control-plane/index.ts';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { startTestFly, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';

let supabase: TestSupabase;
let fly: TestFly;
let controlPlane: ControlPlane;
let owner: TestUser;
let secret: string;
let tokens: Record<Who, string | null>;
const WHO = ['nobody', 'user', 'other', 'operator', 'token', 'narrow', 'machine', 'machineToken', 'anon', 'service'] as const;
/** user: whose things these are; other: another user; token: an access token of the user's with every scope that users have; narrow: one that may read traders; machine: the user's machine by its secret. */
type Who = (typeof WHO)[number];

const sql = async <T extends object>(text: string, values: unknown[] = []) => (await supabase.database.pool.query<T>(text, values)).rows;
const call = (who: Who, method: string, path: string, body?: unknown) => callApi(controlPlane.url, tokens[who], method, path, body);

async function addMachine(environment: string): Promise<string> {
  const [row] = await sql<{ id: string }>(
    `insert into public.machines (user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, next_look_at, url, phase) values ($1, $2, 'sin', 'shared', 1, 512, 'machine@sha256:00', 'infinity', 'http://127.0.0.1:9/app', 'screening') returning id`, [owner.id, environment]);
  return row!.id;
}
const newEnvironment = () => `e${randomBytes(6).toString('hex')}`;
const machine = async (rest = '') => `/v1/machines/${await addMachine(newEnvironment())}${rest}`;
const document = () => ({ name: randomUUID(), side: 'long', where: { cheap: 'rsi(14) < 30' } });
const trader = async () => `/v1/traders/${(await sql<{ id: string }>(`insert into public.traders (user_id, name, document) values ($1, $2, $3) returning id`, [owner.id, randomUUID(), document()]))[0]!.id}`;
const accessToken = async () => `/v1/me/tokens/${String((await call('user', 'POST', '/v1/me/tokens', { name: 'x', scopes: ['me:read'] })).body['id'])}`;
const stored = (path: string, body: unknown) => async () => { await Promise.all((['user', 'other', 'operator'] as const).map((who) => call(who, 'PUT', path, body))); return path; };

/** Each route: where it is (made anew for each call), what is sent. A new route without a line here fails the test. */
const at = (path: string) => () => Promise.resolve(path);
const SCALE = { generation: 1, from: { cpuKind: 'shared', cpus: 1, memoryMb: 512 }, to: { cpuKind: 'shared', cpus: 2, memoryMb: 512 }, direction: 'up', reasons: [{ code: 'cpu_full', sentence: 'x' }], sentence: 'x', evidence: { from: 0, to: 1, samples: 1, cpuCores: 1, deniedCores: 0, givenCores: 1, passShare: 0, workerUse: 0, candleLagMs: 0, loopDelayMs: 0, tradersShed: 0, rssMb: 1, outOfMemoryMb: null }, price: { fromUsd: null, toUsd: null, differenceUsd: null, pricesReadAt: 'x' } };
const KEYS = { apiKey: 'k'.repeat(20), secretKey: 's'.repeat(20) };

/** What becomes of a call, by caller in the order of WHO: + done, 1 401, 3 403, 4 404 (it is as if it were not there). */
const OPEN = '++++++++++';
const OWN_THING = '1+44+31111';
const OWN_SELF = '1+++331111';
const OWN_READ = '1++++31111';
const MACHINES = '111111++11';
/** What nobody serves there was asked for: the call was let through. */
const LET_THROUGH = new Set(['gemini_unreachable', 'registry_unavailable', 'fly_machine_not_found']);
const OPERATORS = '133+331111';
const NOT_THERE = '1334331111';
const rollout = (rest: string) => Promise.resolve(`/v1/rollouts/${randomUUID()}${rest}`);
const ROUTES: Record<string, readonly [outcome: string, where: () => Promise<string>, body?: () => unknown]> = {
  'GET /healthz': [OPEN, at('/healthz')],
  'GET /readyz': [OPEN, at('/readyz')],
  'GET /.well-known/jwks.json': [OPEN, at('/.well-known/jwks.json')],
  'GET /v1/machines': [OWN_READ, at('/v1/machines')],
  'POST /v1/machines': [OWN_READ, at('/v1/machines'), () => ({ environment: newEnvironment() })],
  // an operator sees what runs, and changes nothing of it here
  'GET /v1/machines/{id}': ['1+4++31111', machine],
  'GET /v1/machines/{id}/events': ['1+4++31111', () => machine('/events')],
  'GET /v1/machines/{id}/metrics': ['1+4++31111', () => machine('/metrics')],
  'GET /v1/machines/{id}/logs': ['1+4++31111', () => machine('/logs')],
  'GET /v1/machines/{id}/cost': [OWN_THING, () => machine('/cost')],
  'PATCH /v1/machines/{id}': [OWN_THING, machine, () => ({ desired: 'stopped' })],
  'DELETE /v1/machines/{id}': [OWN_THING, machine],
  'POST /v1/machines/{id}/restart': [OWN_THING, () => machine('/restart')],
  'POST /v1/machines/{id}/rotate-secret': [OWN_THING, () => machine('/rotate-secret')],
  'POST /v1/machines/{id}/ticket': [OWN_THING, () => machine('/ticket'), () => ({})],
  'GET /v1/traders': ['1+++++1111', at('/v1/traders')],
  'POST /v1/traders': [OWN_READ, at('/v1/traders'), () => ({ document: document() })],
  'GET /v1/traders/{id}': ['1+44++1111', trader],
  'PUT /v1/traders/{id}': [OWN_THING, trader, () => ({ document: document() })],
  'DELETE /v1/traders/{id}': [OWN_THING, trader],
  'GET /v1/me': [OWN_READ, at('/v1/me')],
  'GET /v1/me/cost': [OWN_READ, at('/v1/me/cost')],
  'GET /v1/plans': [OWN_READ, at('/v1/plans')],
  // secrets, tokens and money: by a signed-in user alone
  'PUT /v1/me/keys/binance': [OWN_SELF, at('/v1/me/keys/binance'), () => KEYS],
  'DELETE /v1/me/keys/binance': [OWN_SELF, stored('/v1/me/keys/binance', KEYS)],
  'PUT /v1/me/keys/gemini': [OWN_SELF, at('/v1/me/keys/gemini'), () => ({ apiKey: KEYS.apiKey })],
  'DELETE /v1/me/keys/gemini': [OWN_SELF, stored('/v1/me/keys/gemini', { apiKey: KEYS.apiKey })],
  'PUT /v1/me/notifications': [OWN_SELF, at('/v1/me/notifications'), () => ({ channels: [], rules: [] })],
  'DELETE /v1/me/notifications': [OWN_SELF, stored('/v1/me/notifications', { channels: [], rules: [] })],
  'PUT /v1/me/budget': [OWN_SELF, at('/v1/me/budget'), () => ({ monthlyUsd: 900, action: 'notify' })],
  'DELETE /v1/me/budget': [OWN_SELF, at('/v1/me/budget')],
  'PUT /v1/me/scaling': [OWN_SELF, at('/v1/me/scaling'), () => ({ automatic: false, policy: 'balanced' })],
  'DELETE /v1/me/scaling': [OWN_SELF, at('/v1/me/scaling')],
  'PUT /v1/me/analysis': [OWN_SELF, at('/v1/me/analysis'), () => ({ tokensPerDay: 1, usdPerDay: 1 })],
  'DELETE /v1/me/analysis': [OWN_SELF, at('/v1/me/analysis')],
  'GET /v1/me/tokens': [OWN_SELF, at('/v1/me/tokens')],
  'POST /v1/me/tokens': [OWN_SELF, at('/v1/me/tokens'), () => ({ name: 'x', scopes: ['me:read'] })],
  'DELETE /v1/me/tokens/{id}': ['1+44331111', accessToken],
  'GET /v1/users/{id}/plan': ['133+331111', () => Promise.resolve(`/v1/users/${owner.id}/plan`)],
  'PUT /v1/users/{id}/plan': ['133+331111', () => Promise.resolve(`/v1/users/${owner.id}/plan`), () => ({ plan: null })],
  'GET /v1/audit': ['133+331111', at('/v1/audit')],
  'GET /v1/fleet': [OPERATORS, at('/v1/fleet')],
  'GET /v1/fleet/findings': [OPERATORS, at('/v1/fleet/findings')],
  'POST /v1/fleet/sweep': [OPERATORS, at('/v1/fleet/sweep'), () => ({})],
  // an operator hears that Fly has no such machine
  'POST /v1/fleet/adopt': [OPERATORS, at('/v1/fleet/adopt'), () => ({ user: owner.id, app: 'no-such-app', machine: '0' })],
  'GET /v1/fleet/machines/{id}/env': [OPERATORS, async () => `/v1/fleet/machines/${await addMachine(newEnvironment())}/env`],
  'PUT /v1/fleet/machines/{id}/env': [OPERATORS, async () => `/v1/fleet/machines/${await addMachine(newEnvironment())}/env`, () => ({ env: { LOG_LEVEL: 'debug' } })],
  'GET /v1/releases': [OPERATORS, at('/v1/releases')],
  // nobody's registry is there: an operator hears of it
  'POST /v1/releases': [OPERATORS, at('/v1/releases'), () => ({ version: '9.9.9', image: `registry.fly.io/machine@sha256:${'0'.repeat(64)}` })],
  'DELETE /v1/releases/{id}': [NOT_THERE, () => Promise.resolve(`/v1/releases/${randomUUID()}`), () => ({ reason: 'x' })],
  'GET /v1/rollouts': [OPERATORS, at('/v1/rollouts')],
  'POST /v1/rollouts': [NOT_THERE, at('/v1/rollouts'), () => ({ release: randomUUID() })],
  'GET /v1/rollouts/{id}': [NOT_THERE, () => rollout('')],
  ...Object.fromEntries(['abort', 'pause', 'resume'].map((what) => [`POST /v1/rollouts/{id}/${what}`, [NOT_THERE, () => rollout(`/${what}`), () => ({ reason: 'x' })] as const])),
  'POST /v1/rollouts/{id}/exclude': [NOT_THERE, () => rollout('/exclude'), () => ({ machines: [randomUUID()] })],
  'POST /v1/machine/token': ['111111+111', at('/v1/machine/token')],
  'GET /v1/machine/scale': [MACHINES, at('/v1/machine/scale')],
  'POST /v1/machine/scale': [MACHINES, at('/v1/machine/scale'), () => SCALE],
  'GET /v1/machine/keys': [MACHINES, at('/v1/machine/keys')],
  'POST /v1/machine/gemini/{*}': ['111111++11', at('/v1/machine/gemini/v1beta/models/gemini-3.5-flash-lite:generateContent'), () => ({ contents: [{ parts: [{ text: 'x' }] }] })],
};

beforeAll(async () => {
  [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]);
  // nobody serves Gemini there: a call that is let through ends with 502
  controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly, { GEMINI_URL: 'http://127.0.0.1:9', IMAGE_REGISTRY_URL: 'http://127.0.0.1:9', GEMINI_API_KEY: 'a-key-of-tests', RATE_LIMIT_PER_USER: '100000', RATE_LIMIT_PER_ADDRESS: '100000' }));
  const [user, other, boss] = await Promise.all([supabase.createUser(), supabase.createUser(), supabase.createUser()]);
  owner = user;
  await supabase.adminClient.auth.admin.updateUserById(boss.id, { app_metadata: { trademind_role: 'operator' } });
  const { data } = await boss.client.auth.signInWithPassword({ email: boss.email, password: boss.password });
  secret = randomBytes(32).toString('base64url');
  const machineId = await addMachine('local');
  await sql('insert into public.machine_secrets (machine_id, hashes) values ($1, array[$2])', [machineId, createHash('sha256').update(secret).digest('hex')]);
  tokens = {
    nobody: null, user: user.accessToken, other: other.accessToken, operator: data.session!.access_token, token: null, narrow: null, machine: secret,
    machineToken: await supabase.signMachineToken({ machineId, userId: user.id, epoch: 1 }), anon: supabase.publishableKey, service: supabase.secretKey,
  };
  const make = async (scopes: readonly string[]) => String((await call('user', 'POST', '/v1/me/tokens', { name: 'all', scopes })).body['token']);
  tokens.token = await make(ACCESS_SCOPES.filter((scope) => scope !== 'operator'));
  tokens.narrow = await make(['traders:read']);
});
afterAll(async () => {
  await controlPlane.close();
  await Promise.all([fly.close(), supabase.close()]);
});

test('there is a line for every route of the API, and no other', async () => {
  const { body } = await call('nobody', 'GET', '/openapi.json');
  const routes = Object.entries(body['paths'] as Record<string, object>).flatMap(([path, verbs]) => Object.keys(verbs).map((verb) => `${verb.toUpperCase()} ${path}`));
  expect(routes.toSorted()).toEqual(Object.keys(ROUTES).toSorted());
});

test.each(Object.entries(ROUTES))('%s', async (route, [outcome, where, body]) => {
  const [method = ''] = route.split(' ');
  const seen: string[] = [];
  for (const who of WHO) {
    const { status, body: answer } = await call(who, method, await where(), body?.());
    seen.push(`${who} ${({ 401: '1', 403: '3', 404: '4' } as Record<number, string>)[status] ?? (status < 300 || LET_THROUGH.has(String(answer['code'])) ? '+' : `${status} ${String(answer['code'])}`)}`);
  }
  expect(seen).toEqual(WHO.map((who, at) => `${who} ${outcome[at]}`));
});
