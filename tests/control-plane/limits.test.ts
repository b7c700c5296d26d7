import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { startTestFly, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase } from '../support/supabase.ts';

let supabase: TestSupabase;
let fly: TestFly;
beforeAll(async () => { [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]); });
afterAll(async () => { await Promise.all([fly.close(), supabase.close()]); });

describe('requests in a minute', () => {
  test('of a user are limited wherever they come from, and of an address whoever it says it is; health is always told', async () => {
    const controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly, { RATE_LIMIT_PER_USER: '5', RATE_LIMIT_PER_ADDRESS: '25', TRUSTED_PROXIES: '127.0.0.1' }));
    try {
      const [busy, calm] = [await supabase.createUser(), await supabase.createUser()];
      const from = (address: string, token: string | null, path = '/v1/plans') => callApi(controlPlane.url, token, 'GET', path, undefined, { 'x-forwarded-for': address });
      const answers = await Promise.all(Array.from({ length: 12 }, (_, at) => from(`203.0.113.${at}`, busy.accessToken)));
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(5);
      const refused = answers.find(({ status }) => status !== 200)!;
      expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_requests', nextStep: expect.stringContaining('seconds') as string } });
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect((await from('203.0.113.1', calm.accessToken)).status).toBe(200);
      const guesses = await Promise.all(Array.from({ length: 40 }, () => from('198.51.100.7', `tm_${randomUUID()}`, '/v1/me')));
      expect(guesses.filter(({ status }) => status === 401)).toHaveLength(25);
      expect(guesses.filter(({ status }) => status === 429)).toHaveLength(15);
      expect((await from('198.51.100.7', null, '/healthz')).status).toBe(200);
      expect((await from('198.51.100.8', calm.accessToken)).status).toBe(200);
    } finally {
      await controlPlane.close();
    }
  });

  test('are counted by the connection\'s own address where no proxy is trusted', async () => {
    const controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly, { RATE_LIMIT_PER_ADDRESS: '5' }));
    try {
      const answers = await Promise.all(Array.from({ length: 9 }, (_, at) => callApi(controlPlane.url, null, 'GET', '/v1/plans', undefined, { 'x-forwarded-for': `203.0.113.${at}` })));
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(4);
    } finally {
      await controlPlane.close();
    }
  });
});

test('what is no HTTP at all is refused, and the next caller is served', async () => {
  const controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly));
  try {
    for (const nonsense of ['\r\n\r\nGET\r\n', 'GET / HTTP/9\r\n\r\n', `GET /${'x'.repeat(70_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 'POST /v1/machines HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello']) {
      const socket = connect(Number(new URL(controlPlane.url).port), '127.0.0.1');
      let said = '';
      socket.on('data', (chunk: Buffer) => { said += chunk.toString(); });
      socket.on('error', () => undefined);
      socket.write(nonsense);
      await new Promise((resolve) => { socket.once('close', resolve); });
      expect(said).toMatch(/^HTTP\/1\.1 4\d\d [\s\S]*content-type: application\/problem\+json/);
    }
    expect((await callApi(controlPlane.url, null, 'GET', '/healthz')).status).toBe(200);
  } finally {
    await controlPlane.close();
  }
});

for (const level of ['trace', undefined]) test(`the log of a replica names each request that may change something by its id and user, in JSON lines, and holds no secret (${level ?? 'at the default level'})`, async () => {
  const user = await supabase.createUser();
  const env = controlPlaneEnv(supabase, fly, { LOG_LEVEL: level ?? '', GEMINI_API_KEY: 'the-platforms-own-gemini-key', GEMINI_URL: 'http://127.0.0.1:9' });
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../control-plane/main.ts')], { env, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  let log = '';
  child.stderr?.on('data', (chunk: Buffer) => { log += chunk.toString(); });
  const [line] = await once(createInterface({ input: child.stdout! }), 'line') as [string];
  const { url } = JSON.parse(line) as { url: string };
  const keys = { apiKey: 'a-binance-key-of-a-user-1', secretKey: 'a-binance-secret-of-a-user-1' };
  const call = (token: string | null, method: string, path: string, body?: unknown) => callApi(url, token, method, path, body, { 'x-request-id': 'the-id-of-a-request', 'idempotency-key': randomUUID() });
  await call(user.accessToken, 'PUT', '/v1/me/keys/binance', keys);
  await call(user.accessToken, 'PUT', '/v1/me/keys/binance', { ...keys, secretKey: 'short but secret' });
  const made = await call(user.accessToken, 'POST', '/v1/me/tokens', { name: 'x', scopes: ['machines:read'] });
  const deployed = await call(user.accessToken, 'POST', '/v1/machines', {});
  const ticket = await call(user.accessToken, 'POST', `/v1/machines/${String(deployed.body['id'])}/ticket`, {});
  await call(String(made.body['token']), 'GET', '/v1/machines');
  await call('a-machine-secret-that-was-guessed', 'GET', '/v1/machine/keys');
  await call('a-machine-secret-that-was-guessed', 'POST', '/v1/machine/gemini/v1beta/models/gemini-3.5-flash-lite:generateContent?key=a-key-in-the-address', { contents: [] });
  child.kill('SIGTERM');
  await once(child, 'close');
  const lines = log.trim().split('\n').map((text) => JSON.parse(text) as { reqId?: string; user?: string; route?: string; status?: number });
  expect(lines).toContainEqual(expect.objectContaining({ reqId: 'the-id-of-a-request', user: user.id, route: '/v1/machines', status: 202 }));
  const secrets = [
    keys.apiKey, keys.secretKey, 'short but secret', made.body['token'], ticket.body['ticket'], user.accessToken, 'a-machine-secret-that-was-guessed', 'a-key-in-the-address', 'the-platforms-own-gemini-key',
    env['SUPABASE_SECRET_KEY'], env['FLY_API_TOKEN'], env['APP_NAME_KEY'], JSON.parse(env['TICKET_JWK']!).d, JSON.parse(env['MACHINE_TOKEN_JWK']!).d, ...Object.values((JSON.parse(env['SEALING_KEYS']!) as { keys: Record<string, string> }).keys),
  ] as (string | undefined)[];
  for (const secret of secrets) if (secret !== undefined) expect(log).not.toContain(secret);
});
