import { fork, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createTestDatabase } from '../../tests/support/database.ts';
import { freePorts } from '../fly/free-port.ts';
import { prepareDatabase } from '../postgres/migrate.ts';
import { removePostgres, startPostgres, type RunningPostgres } from '../postgres/start.ts';
import { generateKeys, type ProjectKeys } from './keys.ts';
import { startSupabase, type RunningSupabase } from './start.ts';

let home: string;
beforeAll(() => { home = mkdtempSync(join(tmpdir(), 'trademind-supabase-')); });
afterAll(() => { rmSync(home, { recursive: true, force: true }); });

const firstLine = (child: ChildProcess) => new Promise<Record<string, unknown>>((resolve, reject) => {
  let text = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (text.includes('\n')) resolve(JSON.parse(text.slice(0, text.indexOf('\n'))) as Record<string, unknown>);
  });
  child.once('exit', () => { reject(new Error(`ended: ${text}`)); });
});
const ended = (child: ChildProcess) => new Promise<number | null>((resolve) => { child.once('exit', (code) => { resolve(code); }); });

const run = (env: Record<string, string>) => fork(join(import.meta.dirname, 'main.ts'), [], { stdio: ['ignore', 'pipe', 'inherit', 'ipc'], execArgv: [], env: { ...process.env, ...env } });

test('while the database is away requests get 503, and when it is back the gateway is too, without help', async () => {
  const dataDir = join(home, 'away');
  const keys: ProjectKeys = await generateKeys();
  // It comes back to its port: that is none which the system gives to others meanwhile.
  const [port] = await freePorts(1) as [number];
  let postgres: RunningPostgres = await startPostgres({ dataDir, port, durable: false });
  let gateway: RunningSupabase | null = null;
  try {
    await prepareDatabase(postgres.url);
    gateway = await startSupabase({ ...keys, port: 0, postgresUrl: postgres.url, passwordCost: 8 });
    const admin = createClient(gateway.url, keys.secretKey, { db: { retry: false }, auth: { persistSession: false } });
    expect((await admin.from('machines').select('id')).data).toEqual([]);
    await postgres.close();
    const away = await admin.from('machines').select('id').retry(false);
    expect(away).toMatchObject({ status: 503, error: { code: expect.stringMatching(/^PGRST00[01]$/) } });
    expect((await admin.auth.signInWithPassword({ email: 'a@example.test', password: 'some word' })).error?.status).toBe(503);
    postgres = await startPostgres({ dataDir, port, durable: false });
    expect((await admin.from('machines').select('id').retry(false)).data).toEqual([]);
  } finally {
    await gateway?.close();
    await postgres.close();
    await removePostgres(dataDir);
  }
});

test('as a process it reads its environment, names what is missing, and ends with its parent', async () => {
  const database = await createTestDatabase();
  const { url } = database;
  const keys = await generateKeys();
  const incomplete = run({ POSTGRES_URL: url });
  expect(await firstLine(incomplete)).toMatchObject({ ready: false, code: 'env_invalid', message: 'SUPABASE_PUBLISHABLE_KEY is not set.' });
  const child = run({ POSTGRES_URL: url, SUPABASE_PUBLISHABLE_KEY: keys.publishableKey, SUPABASE_SECRET_KEY: keys.secretKey, USER_SIGNING_JWK: JSON.stringify(keys.userSigningJwk), EXTRA_JWKS: '[]', PORT: '0', MAILER_AUTOCONFIRM: 'false' });
  const said = await firstLine(child);
  expect(said).toMatchObject({ ready: true, name: 'supabase' });
  expect((await fetch(`${String(said['url'])}/auth/v1/health`)).status).toBe(200);
  expect(await (await fetch(`${String(said['url'])}/auth/v1/settings`, { headers: { apikey: keys.publishableKey } })).json()).toMatchObject({ mailer_autoconfirm: false });
  const end = ended(child);
  child.disconnect();
  expect(await end).toBe(0);
});

test('alone it brings its own database and says where the keys are, not what they are', async () => {
  const data = join(home, 'alone');
  const child = spawn(process.execPath, [join(import.meta.dirname, '..', 'main.ts'), 'supabase', '--port', '0', '--data', data], { stdio: ['ignore', 'pipe', 'inherit'] });
  const end = ended(child);
  try {
    const said = await firstLine(child);
    const keys = JSON.parse(readFileSync(String(said['keys']), 'utf8')) as ProjectKeys;
    expect(statSync(String(said['keys'])).mode & 0o077).toBe(0);
    expect(JSON.stringify(said)).not.toContain(keys.secretKey);
    const admin = createClient(String(said['url']), keys.secretKey);
    expect((await admin.from('machines').select('id')).data).toEqual([]);
    expect((await fetch(String(said['mail']), { headers: { apikey: keys.secretKey } })).status).toBe(200);
  } finally {
    child.kill('SIGTERM');
    expect(await end).toBe(0);
    await removePostgres(data);
  }
});
