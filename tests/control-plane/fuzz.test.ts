import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { generate, type JsonSchema } from 'json-schema-faker';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Problem } from '@trademind/core';
import type { ControlPlane } from '../../control-plane/index.ts';
import { controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { startTestFly, type TestFly } from '../support/fly.ts';
import { startTestGemini, type TestGemini } from '../support/gemini.ts';
import { startTestSupabase, type TestSupabase } from '../support/supabase.ts';

/** Calls of each route in a run; TRADEMIND_FUZZ_RUNS sets another number, TRADEMIND_FUZZ_SEED repeats a run. */
const RUNS = Number(process.env['TRADEMIND_FUZZ_RUNS'] ?? 25);
const SEED = Number(process.env['TRADEMIND_FUZZ_SEED'] ?? Date.now() % 1_000_000);

/** Calls that are good in all ways: what the schemas say and nothing else, of what is there. */
const GOOD = [0, 1, 2, 3, 4, 5];

interface Operation { method: string; path: string; parameters: { name: string; in: string; schema: JsonSchema }[]; body: JsonSchema | null; machine: boolean }

let supabase: TestSupabase;
let fly: TestFly;
let gemini: TestGemini;
let controlPlane: ControlPlane;
let operations: Operation[];
let session: string;
let secret: string;
let userId: string;
let ids: string[];

async function addMachine(environment: string): Promise<string> {
  return (await supabase.database.pool.query<{ id: string }>(`insert into public.machines (user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, next_look_at, url)
    values ($1, $2, 'sin', 'shared', 1, 512, 'machine@sha256:00', 'infinity', 'http://127.0.0.1:9') returning id`, [userId, environment])).rows[0]!.id;
}
async function addTrader(): Promise<string> {
  return (await supabase.database.pool.query<{ id: string }>(`insert into public.traders (user_id, name, document) values ($1, gen_random_uuid()::text, '{"name":"Dip","side":"long","where":{"cheap":"rsi(14) < 30"}}') returning id`, [userId])).rows[0]!.id;
}

beforeAll(async () => {
  [supabase, fly, gemini] = await Promise.all([startTestSupabase(), startTestFly(), startTestGemini()]);
  controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly, { GEMINI_URL: gemini.url, GEMINI_API_KEY: gemini.key }));
  const user = await supabase.createUser();
  // an operator gets everywhere
  await supabase.adminClient.auth.admin.updateUserById(user.id, { app_metadata: { trademind_role: 'operator' } });
  session = (await user.client.auth.signInWithPassword({ email: user.email, password: user.password })).data.session!.access_token;
  secret = randomBytes(32).toString('base64url');
  userId = user.id;
  const machine = await addMachine('fuzzed');
  await supabase.database.pool.query('insert into public.machine_secrets (machine_id, hashes) values ($1, array[$2])', [machine, createHash('sha256').update(secret).digest('hex')]);
  const document = await (await fetch(`${controlPlane.url}/openapi.json`)).json() as { paths: Record<string, Record<string, { parameters?: Operation['parameters']; requestBody?: { content: Record<string, { schema: JsonSchema }> }; security?: object[] }>> };
  operations = Object.entries(document.paths).flatMap(([path, verbs]) => Object.entries(verbs).map(([method, one]) => ({
    method: method.toUpperCase(), path, parameters: one.parameters ?? [], body: one.requestBody?.content['application/json']?.schema ?? null, machine: one.security?.some((way) => 'machine' in way) ?? false,
  })));
  // what is destroyed is destroyed last
  operations.sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));
});
afterAll(async () => {
  await controlPlane.close();
  await Promise.all([fly.close(), gemini.close(), supabase.close()]);
});

const odd = fc.oneof(fc.string({ unit: 'binary', maxLength: 60 }), fc.constantFrom('', '0', '-1', '1e309', 'null', '%00', '%', '..', '../../etc/passwd', "'; drop table machines; --", '\u0000', '😀', '{{7*7}}', 'a'.repeat(300), '2026-13', '9007199254740993', '0000-01-01T00:00:00Z', '2026-01-01T00:00:00+23:59', Buffer.from('9999-99-99T99:99:99|6f0e7f5e-54c1-4d0c-9a55-7d1f6c2f6b8e').toString('base64url'), Buffer.from('2026-01-01T00:00:00Z|6f0e7f5e-54c1-4d0c-9a55-7d1f6c2f6b8e').toString('base64url')), fc.integer().map(String));
const anything = fc.jsonValue({ maxDepth: 4 });
/** Puts an odd value somewhere into a good one, or takes something out. */
function harm(value: unknown, where: number, put: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [put] : value.map((item, at) => (at === where % value.length ? harm(item, Math.floor(where / 7), put) : item as unknown));
  if (typeof value !== 'object' || value === null) return put;
  const entries = Object.entries(value);
  if (entries.length === 0 || where % 11 === 0) return { ...value, [(JSON.stringify(put) ?? '').slice(0, 20)]: put };
  return Object.fromEntries(entries.flatMap(([key, item], at) => (at !== where % entries.length ? [[key, item]] : where % 5 === 0 ? [] : [[key, harm(item, Math.floor(where / 7), put)]])));
}

test(`no call of any route, good, odd or malicious, ends in a fault of ours (seed ${SEED})`, { timeout: 300_000 }, async () => {
  const seen = new Map<string, number>();
  const accepted = new Set<string>();
  await fc.assert(fc.asyncProperty(
    fc.record({
      seed: fc.nat(), kind: fc.constantFrom('good', 'good', 'harmed', 'harmed', 'anything', 'text'), where: fc.nat(10_000), put: fc.oneof(anything, odd), text: odd, oddPath: fc.nat(3), id: fc.nat(), headers: fc.dictionary(fc.constantFrom('if-match', 'idempotency-key', 'last-event-id', 'x-request-id', 'accept', 'prefer'), fc.string({ maxLength: 30 }), { maxKeys: 2 }),
    }),
    async (make) => {
      // what one run destroys is there again in the next
      ids = [await addMachine(`e${randomBytes(6).toString('hex')}`), await addTrader(), userId];
      for (const operation of operations) {
        const { url, init, body } = await requestOf(operation, make);
        const response = await answered(url, init).catch((error: unknown) => { if ((error as Error).name === 'TypeError' && /header|ByteString|invalid/i.test(String((error as Error).cause ?? error))) return null; throw new Error(`${operation.method} ${url} ${JSON.stringify(body)}: no answer`, { cause: error }); });
        if (response === null) continue;
        if ((response.headers.get('content-type') ?? '').includes('text/event-stream')) { await response.body?.cancel(); continue; }
        const text = await response.text();
        const line = `${operation.method} ${operation.path} ${response.status}`;
        seen.set(line, (seen.get(line) ?? 0) + 1);
        if (response.status < 300) accepted.add(`${operation.method} ${operation.path}`);
        if (response.status >= 500) throw new Error(`${line}: ${url} ${JSON.stringify(body)} → ${text}`);
        if (response.status >= 400 && !operation.path.includes('gemini')) {
          expect(response.headers.get('content-type'), line).toContain('application/problem+json');
          expect(Problem.parse(JSON.parse(text)), line).toMatchObject({ status: response.status, code: expect.stringMatching(/^[a-z][a-z0-9_]+$/) as string });
        }
      }
    },
  ), { numRuns: RUNS + GOOD.length, seed: SEED, endOnFailure: true, examples: GOOD.map((seed): [Made] => [{ seed, kind: 'good', where: seed % 4, put: null, text: '', oddPath: 2, id: 0, headers: {} }]) });
  // the good ones do get through: the test looks behind the doors, not only at them
  const untouched = operations.map(({ method, path }) => `${method} ${path}`).filter((one) => !accepted.has(one));
  console.info(`${[...seen.values()].reduce((sum, count) => sum + count, 0)} calls of ${operations.length} routes; never accepted: ${untouched.join(', ') || 'none'}`);
  expect(untouched.length).toBeLessThan(operations.length / 3);
});

/** On a machine that is busy with other things the database may take too long: then it is asked again, and only what stays is a fault. */
async function answered(url: string, init: RequestInit): Promise<Response> {
  for (let tries = 0; ; tries++) {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(60_000) });
    if (response.status !== 503 || tries === 3) return response;
    const { code } = await response.clone().json() as { code?: string };
    if (code !== 'database_unavailable' && code !== 'timeout') return response;
    await sleep(1_000);
  }
}

/** As the property draws it. */
type Made = Make & { kind: 'good' | 'harmed' | 'anything' | 'text'; put: null };
interface Make { seed: number; kind: string; where: number; put: unknown; text: string; oddPath: number; id: number; headers: Record<string, string> }

async function requestOf(operation: Operation, make: Make): Promise<{ url: string; init: RequestInit; body: unknown }> {
  const good = (schema: JsonSchema) => generate(schema, { seed: make.seed, alwaysFakeOptionals: make.seed % 2 === 0, useDefaultValue: false } as never);
  let path = operation.path.replace('{*}', make.oddPath === 0 ? encodeURIComponent(make.text) : 'v1beta/models/gemini-3.5-flash-lite:generateContent');
  const query = new URLSearchParams();
  for (const { name, in: place, schema } of operation.parameters) {
    if (place === 'path') path = path.replace(`{${name}}`, make.oddPath === 0 ? encodeURIComponent(make.text) || '-' : make.oddPath === 1 ? ids[make.id % ids.length]! : ids[path.startsWith('/v1/machines') ? 0 : path.startsWith('/v1/traders') ? 1 : 2]!);
    if (place === 'query' && make.where % 3 !== 0) query.set(name, make.kind === 'good' ? String(await good(schema)) : make.text);
  }
  // idempotency keys are remembered: each call has its own
  const headers: Record<string, string> = { authorization: `Bearer ${operation.machine ? secret : session}`, ...make.headers };
  if (headers['idempotency-key'] !== undefined) headers['idempotency-key'] += String(make.seed);
  let body: unknown;
  if (operation.body !== null) {
    const whole = await good(operation.body);
    body = make.kind === 'good' ? whole : make.kind === 'harmed' ? harm(whole, make.where, make.put) : make.kind === 'anything' ? make.put : undefined;
    headers['content-type'] = 'application/json';
  }
  const sent = operation.body === null ? undefined : make.kind === 'text' ? make.text : JSON.stringify(body);
  return { url: `${controlPlane.url}${path}${query.size === 0 ? '' : `?${query.toString()}`}`, init: { method: operation.method, headers, ...(sent === undefined ? {} : { body: sent }) }, body: body ?? sent };
}
