import { expect, test } from 'vitest';
import { appName, machineName, machineUrl } from './names.ts';
import { configFor, wishOf, type MachineContract, type Wished } from './wish.ts';

const row = {
  id: '00000000-0000-4000-8000-000000000001', user_id: '00000000-0000-4000-8000-000000000002', environment: 'local', desired_state: 'started', desired_region: 'sin',
  desired_cpu_kind: 'shared', desired_cpus: 1, desired_memory_mb: 512, desired_image: `registry.local/machine@sha256:${'a'.repeat(64)}`,
  generation: 1, observed_generation: 0, desired_env: {}, desired_restart: 0, desired_secret: 1, fly_app: null, placed: null, placement: 1, good: null, failed_generation: 0, failure: null,
} satisfies Wished;
const contract: MachineContract = {
  appNameKey: 'key', urlTemplate: 'http://127.0.0.1:4274/{app}', supabaseUrl: 'http://s', supabasePublishableKey: 'p', controlPlaneUrl: 'http://c', ticketJwks: '{"keys":[]}',
  allowedOrigins: ['http://o'], env: { BINANCE_REST_URL: 'http://b', LOG_LEVEL: 'info' }, allowUsRegions: false,
};

test('an app\'s name follows from user, environment and key, tells neither, and is one that Fly takes', () => {
  const name = appName('key', row.user_id, 'local');
  expect(name).toBe(appName('key', row.user_id, 'local'));
  expect(name).toMatch(/^tm-[0-9a-f]{16}$/);
  expect(new Set([name, appName('other', row.user_id, 'local'), appName('key', row.user_id, 'prod'), appName('key', row.id, 'local')]).size).toBe(4);
});

test('a machine\'s name says its region and which placement it is, whichever generation of the wish makes it', () => {
  expect(machineName('tm-1', 'sin')).toBe('tm-1-sin');
  expect(machineName('tm-1', 'sin', 4)).toBe('tm-1-sin-4');
});

test('a machine\'s address is the host name of its app: Fly gives none to a machine', () => {
  expect(machineUrl('https://{app}.fly.dev/', 'tm-1')).toBe('https://tm-1.fly.dev');
});

test('the machine\'s environment is its contract, and what it must not know is not in it', () => {
  const { env, metadata, mounts } = configFor(row, contract, 'vol_1');
  expect(env).toEqual({
    BINANCE_REST_URL: 'http://b', LOG_LEVEL: 'info', USER_ID: row.user_id, MACHINE_ID: row.id, MACHINE_REGION: 'sin', SUPABASE_URL: 'http://s', SUPABASE_PUBLISHABLE_KEY: 'p',
    CONTROL_PLANE_URL: 'http://c', TICKET_JWKS: '{"keys":[]}', ALLOWED_ORIGINS: 'http://o', DATA_DIR: '/data', PAPER_TRADING: 'true',
  });
  expect(mounts).toEqual([{ volume: 'vol_1', path: '/data' }]);
  expect(metadata).toEqual({ trademind_machine: row.id, trademind_config: wishOf(row, contract).configHash });
});

test('the configuration\'s hash changes with whatever a machine is given, and with nothing else', () => {
  const { configHash } = wishOf(row, contract);
  expect(wishOf({ ...row, desired_state: 'stopped' }, { ...contract, env: { LOG_LEVEL: 'info', BINANCE_REST_URL: 'http://b' } }).configHash).toBe(configHash);
  for (const other of [wishOf({ ...row, desired_memory_mb: 1_024 }, contract), wishOf({ ...row, desired_restart: 1 }, contract), wishOf({ ...row, desired_secret: 2 }, contract), wishOf({ ...row, desired_env: { LOG_LEVEL: 'debug' } }, contract), wishOf(row, { ...contract, env: {} }), wishOf(row, { ...contract, controlPlaneUrl: 'http://d' })]) {
    expect(other.configHash).not.toBe(configHash);
  }
});

test('what a user sets in the environment never takes the place of the machine\'s contract', () => {
  const { env } = configFor({ ...row, desired_env: { USER_ID: 'somebody', CONTROL_PLANE_URL: 'http://evil', LOG_LEVEL: 'debug', PAPER_TRADING: 'false' } }, contract, 'vol_1');
  expect(env).toMatchObject({ USER_ID: row.user_id, CONTROL_PLANE_URL: 'http://c', LOG_LEVEL: 'debug', PAPER_TRADING: 'false' });
});

test('a version that failed is not wished any more: the last good one is, and without one the machine rests', () => {
  const good = { region: 'fra', cpuKind: 'shared', cpus: 2, memoryMb: 1_024, image: `registry.local/machine@sha256:${'b'.repeat(64)}`, env: { LOG_LEVEL: 'warn' }, configHash: 'x', at: 'x' } as const;
  const failure = { code: 'machine_crashed', message: 'It crashed.', at: 'x', exitCode: 3, oomKilled: false, logs: [] };
  const failed = { ...row, failed_generation: 1, failure };
  expect(wishOf({ ...failed, good }, contract)).toMatchObject({ state: 'started', region: 'fra', size: { cpus: 2 }, image: good.image, failure });
  expect(configFor({ ...failed, good }, contract, 'v').env).toMatchObject({ LOG_LEVEL: 'warn', MACHINE_REGION: 'fra' });
  expect(wishOf(failed, contract)).toMatchObject({ state: 'stopped', failure });
  expect(wishOf({ ...failed, generation: 2 }, contract)).toMatchObject({ state: 'started', failure: null });
});
