import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createLog, readSettings, startControlPlane, type ControlPlane } from '../../control-plane/index.ts';
import { TEST_IMAGES, TEST_TOKEN, type TestFly } from './fly.ts';
import type { TestSupabase } from './supabase.ts';

const root = join(import.meta.dirname, '../..');

/** The environment of a control plane over this project and this stand-in. */
export function controlPlaneEnv(supabase: Pick<TestSupabase, 'url' | 'secretKey' | 'publishableKey' | 'machineSigningJwk'>, fly: Pick<TestFly, 'url' | 'edgeUrl'>, more: Record<string, string> = {}): Record<string, string> {
  const { privateKey } = generateKeyPairSync('ed25519');
  return {
    PORT: '0',
    SUPABASE_URL: supabase.url,
    SUPABASE_SECRET_KEY: supabase.secretKey,
    SUPABASE_PUBLISHABLE_KEY: supabase.publishableKey,
    FLY_API_URL: fly.url,
    FLY_API_TOKEN: TEST_TOKEN,
    MACHINE_IMAGE: TEST_IMAGES.tiny,
    MACHINE_URL_TEMPLATE: `${fly.edgeUrl}/{app}`,
    MACHINE_TOKEN_JWK: JSON.stringify(supabase.machineSigningJwk),
    TICKET_JWK: JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid: 'ticket-1' }),
    APP_NAME_KEY: 'a-key-for-tests-only',
    SEALING_KEYS: JSON.stringify({ current: 'test-1', keys: { 'test-1': randomBytes(32).toString('base64') } }),
    ALLOWED_ORIGINS: 'http://127.0.0.1:4173',
    // all tests and benchmarks come from one address
    RATE_LIMIT_PER_ADDRESS: '10000000',
    RATE_LIMIT_PER_USER: '10000000',
    LOG_LEVEL: 'silent',
    NODE_COMPILE_CACHE: join(root, 'node_modules', '.cache', 'node'),
    ...more,
  };
}

/** A control plane inside the test's own process. */
export function startTestControlPlane(env: Record<string, string>): Promise<ControlPlane> {
  const read = readSettings(env);
  if (!read.ok) throw new Error(read.problems.join('; '));
  return startControlPlane(read.settings, createLog(read.settings));
}

export interface SpawnedControlPlane { child: ChildProcess; url: string; metrics: string; kill(signal: NodeJS.Signals): Promise<void> }

/** A replica as a process of its own. */
export async function spawnTestControlPlane(env: Record<string, string>): Promise<SpawnedControlPlane> {
  const child = spawn(process.execPath, [join(root, 'control-plane/main.ts')], { env, stdio: ['ignore', 'pipe', 'inherit', 'ipc'] });
  if (child.stdout === null) throw new Error('the replica has no stdout');
  const lines = createInterface({ input: child.stdout });
  const [line] = await once(lines, 'line') as [string];
  const said = JSON.parse(line) as { ready: boolean; url: string; metrics: string };
  if (!said.ready) throw new Error(line);
  return {
    child, url: said.url, metrics: said.metrics,
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill(signal);
      await exit;
    },
  };
}

/** Calls the API as this token; parses what comes back. */
export async function callApi(url: string, token: string | null, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<{ status: number; headers: Headers; body: Record<string, unknown> }> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { ...(token === null ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> };
}
