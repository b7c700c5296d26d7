import { createHash, randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MachineKeys, ScaleTerms, type MachineSize, type ScaleRequest } from '@trademind/core';
import type { ControlPlane } from '../../control-plane/index.ts';
import { GeminiClient } from '../../packages/runtime/analysis/gemini-client.ts';
import { ModelError } from '../../packages/runtime/analysis/model-client.ts';
import { ControlPlane as MachineSide } from '../../packages/runtime/control/control-plane.ts';
import { ControlPlaneScaling } from '../../packages/runtime/scaling/scale-port.ts';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { startTestFly, type TestFly } from '../support/fly.ts';
import { startTestGemini, type TestGemini } from '../support/gemini.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';

let supabase: TestSupabase;
let fly: TestFly;
let gemini: TestGemini;
let controlPlane: ControlPlane;

beforeAll(async () => {
  [supabase, fly, gemini] = await Promise.all([startTestSupabase(), startTestFly(), startTestGemini()]);
  controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly, { GEMINI_URL: gemini.url, GEMINI_API_KEY: gemini.key, GEMINI_CALLS_PER_MINUTE: '100000' }));
});
afterAll(async () => {
  await controlPlane.close();
  await Promise.all([fly.close(), gemini.close(), supabase.close()]);
});

const sql = async <T extends object>(text: string, values: unknown[] = []) => (await supabase.database.pool.query<T>(text, values)).rows;

interface World { user: TestUser; machine: string; secret: string }
/** A user with a machine that was observed to screen, left alone by the reconciler. */
async function addWorld(plan = 'elite'): Promise<World> {
  const user = await supabase.createUser();
  await supabase.adminClient.rpc('set_user_plan', { p_user_id: user.id, p_plan: plan });
  const secret = randomBytes(32).toString('base64url');
  const [machine] = await sql<{ id: string }>(
    `insert into public.machines (user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, phase, observed_generation, region, cpu_kind, cpus, memory_mb, next_look_at)
     values ($1, 'local', 'sin', 'shared', 1, 512, 'machine@sha256:00', 'screening', 1, 'sin', 'shared', 1, 512, 'infinity') returning id`, [user.id]);
  await sql(`insert into public.machine_secrets (machine_id, hashes) values ($1, array[$2])`, [machine!.id, createHash('sha256').update(secret).digest('hex')]);
  return { user, machine: machine!.id, secret };
}
const as = (token: string | null, method: string, path: string, body?: unknown) => callApi(controlPlane.url, token, method, path, body);

describe('another size', () => {
  let world: World;
  let port: ControlPlaneScaling;
  beforeEach(async () => {
    world = await addWorld();
    port = new ControlPlaneScaling(new MachineSide({ url: controlPlane.url, secret: world.secret, signal: new AbortController().signal }));
  });
  const settle = (value: unknown) => supabase.adminClient.rpc('set_user_setting', { p_user_id: world.user.id, p_part: 'scaling', p_value: value });
  const automatic = { automatic: true, policy: 'balanced', bounds: { smallest: { cpuKind: 'shared', cpus: 1, memoryMb: 256 }, largest: { cpuKind: 'shared', cpus: 4, memoryMb: 2_048 } } };
  const wish = (to: MachineSize, over: Partial<ScaleRequest> = {}): ScaleRequest => ({
    generation: 1, from: { cpuKind: 'shared', cpus: 1, memoryMb: 512 }, to, direction: 'up', reasons: [{ code: 'cpu_full', sentence: 'The CPU is full.' }], sentence: 'The CPU is full.',
    evidence: { from: 0, to: 1, samples: 5, cpuCores: 1, deniedCores: 0, givenCores: 0.06, passShare: 0.5, workerUse: 0, candleLagMs: 0, loopDelayMs: 0, tradersShed: 0, rssMb: 100, outOfMemoryMb: null },
    price: { fromUsd: 0, toUsd: 0, differenceUsd: 0, pricesReadAt: '2026-10-09' }, ...over,
  });
  const two: MachineSize = { cpuKind: 'shared', cpus: 2, memoryMb: 1_024 };
  const events = () => sql<{ kind: string; code: string | null }>(`select kind, data ->> 'code' as code from public.machine_events where machine_id = $1 and kind like 'scale.%' order by id`, [world.machine]);

  test('the terms are the user\'s settings within the plan and the budget; without settings nothing is automatic', async () => {
    expect(ScaleTerms.parse(await port.terms())).toMatchObject({ automatic: false, region: 'sin', generation: 1, budgetUsd: null, size: { cpus: 1 }, bounds: { largest: { cpuKind: 'shared', cpus: 8, memoryMb: 16_384 } } });
    await settle(automatic);
    await sql(`insert into public.budgets (user_id, monthly_usd, action) values ($1, 20, 'downsize')`, [world.user.id]);
    expect(await port.terms()).toMatchObject({ automatic: true, bounds: automatic.bounds, budgetUsd: 20 });
  });

  test('a granted one becomes a wish, is told, and is the only one for five minutes', async () => {
    await settle(automatic);
    expect(await port.ask(wish(two))).toMatchObject({ decision: 'accepted' });
    expect(await sql(`select generation::int, desired_cpus, desired_memory_mb, next_look_at < 'infinity' as due from public.machines where id = $1`, [world.machine]))
      .toEqual([{ generation: 2, desired_cpus: 2, desired_memory_mb: 1_024, due: true }]);
    await sql(`update public.machines set observed_generation = 2 where id = $1`, [world.machine]);
    expect(await port.ask(wish({ ...two, cpus: 4 }, { generation: 2, from: two }))).toMatchObject({ decision: 'deferred', code: 'cooling_down', retryAfterS: expect.any(Number) as number });
    expect(await events()).toEqual([{ kind: 'scale.accepted', code: null }, { kind: 'scale.deferred', code: 'cooling_down' }]);
  });

  test('each refusal names its reason, and is told once', async () => {
    const ask = async (to: MachineSize, over?: Partial<ScaleRequest>) => { const { decision, code } = await port.ask(wish(to, over)); return `${decision} ${code}`; };
    expect(await ask(two)).toBe('refused not_automatic');
    await settle(automatic);
    expect(await ask(two, { generation: 7 })).toBe('refused generation_changed');
    expect(await ask(two, { from: two })).toBe('refused size_changed');
    expect(await ask({ cpuKind: 'shared', cpus: 1, memoryMb: 512 })).toBe('refused same_size');
    expect(await ask({ cpuKind: 'shared', cpus: 8, memoryMb: 2_048 })).toBe('refused beyond_bounds');
    expect(await ask({ cpuKind: 'shared', cpus: 3, memoryMb: 1_024 })).toBe('refused beyond_bounds');
    await sql(`insert into public.budgets (user_id, monthly_usd, action) values ($1, 6, 'stop')`, [world.user.id]);
    expect(await ask({ cpuKind: 'shared', cpus: 4, memoryMb: 2_048 })).toBe('refused beyond_budget');
    await sql(`delete from public.budgets`);
    await sql(`update public.machines set phase = 'starting' where id = $1`, [world.machine]);
    expect(await ask(two)).toBe('deferred machine_busy');
    expect(await ask(two)).toBe('deferred machine_busy');
    await supabase.adminClient.rpc('set_user_plan', { p_user_id: world.user.id, p_plan: 'free' });
    expect(await ask(two)).toBe('refused beyond_bounds');
    const told = await events();
    expect(new Set(told.map(({ code }) => code)).size).toBe(7);
    expect(told).toHaveLength(7);
  });

  test('of many at once one is granted', async () => {
    await settle(automatic);
    const answers = await Promise.all(Array.from({ length: 20 }, () => port.ask(wish(two))));
    expect(answers.filter(({ decision }) => decision === 'accepted')).toHaveLength(1);
    expect(await sql(`select generation::int from public.machines where id = $1`, [world.machine])).toEqual([{ generation: 2 }]);
  });

  test('nobody but the machine itself asks', async () => {
    for (const token of [null, 'x'.repeat(43), world.user.accessToken, supabase.publishableKey, supabase.secretKey]) {
      expect((await as(token, 'GET', '/v1/machine/scale')).status).toBe(401);
      expect((await as(token, 'POST', '/v1/machine/scale', wish(two))).status).toBe(401);
    }
    expect((await as(world.secret, 'POST', '/v1/machine/scale', { ...wish(two), to: { cpuKind: 'gpu', cpus: 1, memoryMb: 512 } })).status).toBe(400);
    // its database token is as good as its secret, until it is revoked
    const token = await supabase.signMachineToken({ machineId: world.machine, userId: world.user.id, epoch: 1 });
    expect((await as(token, 'GET', '/v1/machine/scale')).status).toBe(200);
    await supabase.adminClient.rpc('revoke_machine_tokens', { p_machine_id: world.machine });
    expect((await as(token, 'GET', '/v1/machine/scale')).status).toBe(401);
  });
});

describe('the user\'s keys', () => {
  test('without any: the platform\'s analyses, as the plan has them', async () => {
    const world = await addWorld();
    expect(MachineKeys.parse((await as(world.secret, 'GET', '/v1/machine/keys')).body)).toMatchObject({
      keysVersion: 0, settingsVersion: 0, binance: null, notifications: null,
      gemini: { source: 'platform', baseUrl: `${controlPlane.url}/v1/machine/gemini`, limits: { concurrency: 4, callsPerMinute: 60, callsPerDay: 2_000, usdPerDay: 5 } },
    });
    const free = await addWorld('elite');
    await supabase.adminClient.rpc('set_user_plan', { p_user_id: free.user.id, p_plan: 'free' });
    expect((await as(free.secret, 'GET', '/v1/machine/keys')).body['gemini']).toBeNull();
  });
});

describe('the platform\'s Gemini', () => {
  let world: World;
  beforeEach(async () => { world = await addWorld(); });
  afterEach(() => gemini.setFaults([]));
  const request = { model: 'gemini-3.5-flash-lite', system: 'Judge.', prompt: 'rsi: 24, close: 101', schema: { type: 'object', properties: { decision: { type: 'string', enum: ['wait'] } } }, maxOutputTokens: 1_000 };
  const ask = (over: object = {}, secret = world.secret) => new GeminiClient().generate({ ...request, ...over }, { apiKey: secret, baseUrl: `${controlPlane.url}/v1/machine/gemini` }, new AbortController().signal);
  const failure = (promise: Promise<unknown>) => promise.then(() => 'none', (error: unknown) => (error instanceof ModelError ? error.result : String(error)));
  const calls = () => sql<{ status: number | null; tokens_in: number; nano_usd: number }>('select status, tokens_in, nano_usd::int from public.gemini_calls where user_id = $1 order by started_at', [world.user.id]);

  test('answers the same client that calls Google, and counts what each call cost', async () => {
    const answer = await ask();
    expect(JSON.parse(answer.text)).toEqual({ decision: 'wait' });
    expect(await calls()).toEqual([{ status: 200, tokens_in: answer.used?.tokensIn, nano_usd: (answer.used?.tokensIn ?? 0) * 300 + (answer.used?.tokensOut ?? 0) * 2_500 }]);
  });

  test('what the model fails at is passed on in Google\'s words; what was not answered cost nothing', async () => {
    await gemini.setFaults([{ fault: 'minute-limit', retryAfterSeconds: 12, times: 1 }]);
    await expect(ask()).rejects.toMatchObject({ result: 'rate_limited', retryAfterMs: 12_000 });
    await gemini.setFaults([{ fault: 'error', status: 503, times: 1 }]);
    expect(await failure(ask())).toBe('server_error');
    expect(await calls()).toMatchObject([{ status: 429, nano_usd: 0 }, { status: 503, nano_usd: 0 }]);
    await gemini.setFaults([{ fault: 'no-usage', times: 1 }]);
    await ask();
    // nobody said what it used: the most that it can have been stays counted
    expect((await calls())[2]?.nano_usd).toBeGreaterThan(1_000 * 2_500);
  });

  test('a model without a price, tools, and other methods are not offered', async () => {
    expect(await failure(ask({ model: 'gemini-0' }))).toBe('unknown_model');
    const post = (path: string, body: unknown) => as(world.secret, 'POST', `/v1/machine/gemini/${path}`, body);
    const contents = [{ parts: [{ text: 'x' }] }];
    const good = 'v1beta/models/gemini-3.5-flash-lite:generateContent';
    expect(await post(good, { contents, tools: [{ googleSearch: {} }] })).toMatchObject({ status: 400, body: { code: 'gemini_request_invalid', error: { status: 'INVALID_ARGUMENT' } } });
    expect(await post(good, { contents, generationConfig: { candidateCount: 8 } })).toMatchObject({ status: 400 });
    expect(await post(good, { contents, generationConfig: { maxOutputTokens: 1_000_000 } })).toMatchObject({ status: 400 });
    expect(await post(good, { contents: [{ parts: [{ fileData: { fileUri: 'https://elsewhere.example' } }] }] })).toMatchObject({ status: 400 });
    for (const path of ['v1beta/models/gemini-3.5-flash-lite:streamGenerateContent', 'v1beta/files', 'v1beta/models/../../x:generateContent', '']) expect((await post(path, { contents })).status).toBe(404);
    expect(await calls()).toEqual([]);
    expect(await failure(ask({}, 'x'.repeat(43)))).toBe('key_refused');
  });

  test('of a hundred at once exactly as many are answered as the plan has; the rest hear when to come again', async () => {
    await sql(`insert into public.plans (name, title, machines, vcpus, regions, traders, analyses_per_day, analyses_per_minute, analyses_at_once, analyses_nano_usd_per_day)
      values ('few', 'Few', 1, 8, 1, 10, 7, 100, 100, 1000000000), ('slow', 'Slow', 1, 8, 1, 10, 100, 5, 100, 1000000000), ('poor', 'Poor', 1, 8, 1, 10, 100, 100, 100, 12000000) on conflict do nothing`);
    const results = async (plan: string) => {
      world = await addWorld();
      await supabase.adminClient.rpc('set_user_plan', { p_user_id: world.user.id, p_plan: plan });
      const seen = await Promise.all(Array.from({ length: 40 }, () => failure(ask())));
      return Object.fromEntries([...Map.groupBy(seen, (one) => one)].map(([one, all]) => [one, all.length]));
    };
    expect(await results('few')).toEqual({ none: 7, quota_exhausted: 33 });
    expect(await results('slow')).toEqual({ none: 5, rate_limited: 35 });
    const poor = await results('poor');
    const [spent] = await sql<{ sum: number }>('select sum(nano_usd)::int as sum from public.gemini_calls where user_id = $1', [world.user.id]);
    expect(poor['none']).toBeGreaterThan(1);
    expect(poor['quota_exhausted']).toBeGreaterThan(1);
    expect(spent?.sum).toBeLessThanOrEqual(12_000_000);
    await supabase.adminClient.rpc('set_user_plan', { p_user_id: world.user.id, p_plan: 'pro' });
    expect(await failure(ask())).toBe('key_refused');
  });

  test('the platform\'s key stands in no answer, and a key that Google refuses is our trouble, not the machine\'s', async () => {
    const other = await startTestControlPlane(controlPlaneEnv(supabase, fly, { GEMINI_URL: gemini.url, GEMINI_API_KEY: 'a-key-that-is-not-the-right-one' }));
    try {
      const { status, body } = await callApi(other.url, world.secret, 'POST', '/v1/machine/gemini/v1beta/models/gemini-3.5-flash-lite:generateContent', { contents: [{ parts: [{ text: 'x' }] }] });
      expect({ status, body }).toMatchObject({ status: 503, body: { code: 'gemini_key_refused' } });
      expect(JSON.stringify(body)).not.toContain('a-key-that');
    } finally {
      await other.close();
    }
    expect(JSON.stringify(await ask())).not.toContain(gemini.key);
  });

  test('a replica that dies in the middle leaves the call counted with the most it can have cost', async () => {
    await gemini.setFaults([{ fault: 'hang', times: 1 }]);
    const dying = await startTestControlPlane(controlPlaneEnv(supabase, fly, { GEMINI_URL: gemini.url, GEMINI_API_KEY: gemini.key }));
    const lost = callApi(dying.url, world.secret, 'POST', '/v1/machine/gemini/v1beta/models/gemini-3.5-flash-lite:generateContent', { contents: [{ parts: [{ text: 'x' }] }], generationConfig: { maxOutputTokens: 100 } }).catch(() => null);
    await expect.poll(async () => (await calls()).length, { timeout: 60_000 }).toBe(1);
    await dying.close();
    await lost;
    expect((await calls())[0]?.nano_usd).toBeGreaterThan(100 * 2_500);
  });
});
