import { exportJWK, generateKeyPair } from 'jose';
import { expect, test } from 'vitest';
import { readSettings } from './env.ts';

const jwk = async (alg: string) => JSON.stringify({ ...await exportJWK((await generateKeyPair(alg, { extractable: true })).privateKey), kid: 'k1' });
const env = {
  PORT: '4270', SUPABASE_URL: 'http://127.0.0.1:4271/', SUPABASE_SECRET_KEY: 'sb_secret_x', SUPABASE_PUBLISHABLE_KEY: 'sb_publishable_x', FLY_API_TOKEN: 'token',
  MACHINE_IMAGE: `registry.fly.io/machine@sha256:${'a'.repeat(64)}`, MACHINE_TOKEN_JWK: await jwk('ES256'), TICKET_JWK: await jwk('Ed25519'), APP_NAME_KEY: 'sixteen-characters',
};

test('what is needed is enough; the rest has a default', () => {
  const read = readSettings(env);
  expect(read).toMatchObject({ ok: true, settings: {
    port: 4270, host: '127.0.0.1', supabase: { url: 'http://127.0.0.1:4271' }, machineSupabaseUrl: 'http://127.0.0.1:4271', fly: { url: 'https://api.machines.dev/v1', org: 'personal' },
    environment: 'local', machineUrlTemplate: 'https://{app}.fly.dev', allowUsRegions: false, machineEnv: {}, allowedOrigins: [], metricsPort: 0, leaseSeconds: 10, contractShare: 0.1,
  } });
});

test('all problems are listed at once, by name, and no value is repeated', () => {
  const read = readSettings({ ...env, PORT: '99999', SUPABASE_URL: 'ftp://hunter2', MACHINE_IMAGE: 'registry.fly.io/machine:latest', TICKET_JWK: '{"d":"hunter2"}', MACHINE_ENV: 'hunter2', APP_NAME_KEY: '', ALLOWED_ORIGINS: 'http://ok.example,http://bad.example/path' });
  if (read.ok) throw new Error('it must be refused');
  expect(read.problems.map((problem) => problem.split(' ')[0]).toSorted((a = '', b = '') => (a < b ? -1 : 1))).toEqual(['ALLOWED_ORIGINS', 'APP_NAME_KEY', 'MACHINE_ENV', 'MACHINE_IMAGE', 'PORT', 'SUPABASE_URL', 'TICKET_JWK']);
  expect(read.problems).toContain('APP_NAME_KEY is missing');
  expect(read.problems.join('\n')).not.toContain('hunter2');
});

test('the older names of the two keys are taken', () => {
  const { SUPABASE_SECRET_KEY, SUPABASE_PUBLISHABLE_KEY, ...rest } = env;
  expect(readSettings({ ...rest, SUPABASE_SERVICE_KEY: SUPABASE_SECRET_KEY, SUPABASE_ANON_KEY: SUPABASE_PUBLISHABLE_KEY })).toMatchObject({ ok: true, settings: { supabase: { secretKey: 'sb_secret_x', publishableKey: 'sb_publishable_x' } } });
});

test('whoever is not local needs keys to seal with: without them nothing could be kept for repeats', () => {
  expect(readSettings({ ...env, ENVIRONMENT: 'production' })).toEqual({ ok: false, problems: ['SEALING_KEYS is missing: only ENVIRONMENT=local goes without'] });
  const keys = JSON.stringify({ current: 'a', keys: { a: Buffer.alloc(32).toString('base64') } });
  expect(readSettings({ ...env, ENVIRONMENT: 'production', SEALING_KEYS: keys }).ok).toBe(true);
});
