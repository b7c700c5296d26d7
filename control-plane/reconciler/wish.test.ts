import { expect, test } from 'vitest';
import { lastingEnv } from './hash.ts';
import { configFor, contractHash, goodVersion, RESERVED_ENV, wishOf, type MachineContract } from './wish.ts';

const contract: MachineContract = {
  supabaseUrl: 'https://db.example', supabasePublishableKey: 'sb_publishable', controlPlaneUrl: 'https://cp.example', ticketJwks: '{"keys":[{"kid":"a"}]}', allowedOrigins: [], env: { LOG_LEVEL: 'info' },
  appNameKey: 'a-key-of-sixteen', urlTemplate: 'https://{app}.fly.dev', allowUsRegions: false,
} as unknown as MachineContract;
const row = {
  id: '11111111-1111-4111-8111-111111111111', user_id: '22222222-2222-4222-8222-222222222222', environment: 'test', generation: 1, fly_app: null, placement: 0, placed: null, tried: [], good: null, failed_generation: null, failure: null,
  desired_state: 'started', desired_region: 'sin', desired_cpu_kind: 'shared', desired_cpus: 1, desired_memory_mb: 512, desired_image: `registry.fly.io/m@sha256:${'0'.repeat(64)}`, desired_env: {}, desired_regions: [], desired_sizes: [], desired_restart: 0, desired_secret: 1,
} as unknown as Parameters<typeof wishOf>[0];
const hashes = (over: Partial<MachineContract>) => { const { configHash, envHash } = wishOf(row, { ...contract, ...over }); return { configHash, envHash }; };

test('newer keys of tickets are no reason to restart a machine: it hears of them with its beat', () => {
  const rotated = { ticketJwks: '{"keys":[{"kid":"b"},{"kid":"a"}]}' };
  expect(hashes(rotated)).toEqual(hashes({}));
  expect(configFor(row, { ...contract, ...rotated }, 'vol_1').env?.['TICKET_JWKS']).toBe(rotated.ticketJwks);
  expect(lastingEnv({ TICKET_JWKS: 'x', A: '1' })).toEqual({ A: '1' });
});

test('anything else that it is given is', () => {
  for (const over of [{ controlPlaneUrl: 'https://other.example' }, { allowedOrigins: ['https://app.example'] }, { env: { LOG_LEVEL: 'debug' } }]) {
    expect(hashes(over).configHash).not.toBe(hashes({}).configHash);
    expect(hashes(over).envHash).not.toBe(hashes({}).envHash);
  }
});

test('what nobody may set for a machine is all that its contract sets', () => {
  const given = Object.keys(configFor(row, { ...contract, env: {} }, 'vol_1').env ?? {}).filter((name) => name !== 'PAPER_TRADING');
  expect([...RESERVED_ENV].toSorted()).toEqual([...given, 'MACHINE_SECRET'].toSorted());
});

test('what all are given is told apart from what is one machine\'s own: that it was ready with its own wish before is known as long as that is still its wish', () => {
  const changed = { ...contract, env: { LOG_LEVEL: 'debug' } };
  expect(contractHash(changed)).not.toBe(contractHash(contract));
  expect(contractHash({ ...contract, ticketJwks: '{"keys":[]}' })).toBe(contractHash(contract));
  const settled = { ...row, observed_generation: 1, good: goodVersion(row, contract, 0) };
  expect(wishOf(settled, contract)).toMatchObject({ proven: true, before: null });
  const { configHash, envHash } = wishOf(row, contract);
  expect(wishOf(settled, changed)).toMatchObject({ proven: false, contract: contractHash(changed), before: { configHash, envHash } });
  expect(wishOf({ ...settled, generation: 2, desired_env: { LOG_LEVEL: 'warn' } }, changed).before).toBeNull();
  // of a row that was written before contracts were remembered the environment is not known
  const { envHash: _env, contract: _contract, ...older } = settled.good;
  expect(wishOf({ ...settled, good: older }, changed).before).toEqual({ configHash, envHash: null });
});
