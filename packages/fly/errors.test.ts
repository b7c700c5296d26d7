import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createFlyClient, FlyError, type FlyClient, type FlyErrorCode } from './index.ts';
import { retryAfterMs } from './errors.ts';

/** Answers every request with what the test put here; null = never. */
let next: { status: number; body: unknown; headers?: Record<string, string> } | null = null;
const TOKEN = 'very-secret-token';
let server: Server;
let baseUrl: string;
let fly: FlyClient;

beforeAll(async () => {
  server = createServer((request, response) => {
    request.resume();
    if (next === null) return;
    response.writeHead(next.status, { 'content-type': 'application/json', ...next.headers });
    response.end(typeof next.body === 'string' ? next.body : JSON.stringify(next.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`;
  fly = createFlyClient({ baseUrl, token: TOKEN });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function failure(promise: Promise<unknown>): Promise<FlyError> {
  const error = await promise.then(() => { throw new Error('it succeeded'); }, (thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(FlyError);
  return error as FlyError;
}
const read = () => fly.machines.get('app', 'm1');
const write = () => fly.machines.start('app', 'm1');
const wait = () => fly.machines.wait('app', 'm1', { state: 'started', timeoutSeconds: 60 });

describe("every row of Fly's error table has one code", () => {
  const rows: [string, () => Promise<unknown>, number, unknown, FlyErrorCode, 'known' | 'unknown', boolean][] = [
    ['a bad token', read, 401, { error: 'token validation error' }, 'fly_unauthorized', 'known', false],
    ['the app of another organisation', read, 403, { error: 'unauthorized' }, 'fly_forbidden', 'known', false],
    ['no such machine', read, 404, { error: 'machine not found' }, 'fly_not_found', 'known', false],
    ['a wait that ran out', wait, 408, { error: 'deadline_exceeded: machine failed to reach desired state, started, currently created' }, 'fly_wait_expired', 'known', true],
    ['a write that ran out', write, 408, { error: 'deadline_exceeded' }, 'fly_unknown_outcome', 'unknown', true],
    ['a read that ran out', read, 408, { error: 'deadline_exceeded' }, 'fly_unavailable', 'known', true],
    ['memory that is not there', write, 409, { error: 'aborted: could not reserve resource for machine: insufficient memory available' }, 'fly_capacity', 'known', false],
    ['a stale version, as some see it', write, 409, { error: 'machine version mismatch' }, 'fly_precondition', 'known', true],
    ['an app name taken, as some see it', write, 409, { error: 'Name has already been taken' }, 'fly_already_exists', 'known', false],
    ['a start from the wrong state', write, 412, { error: "failed_precondition: unable to start machine from current state: 'created'" }, 'fly_precondition', 'known', true],
    ['an app name taken', write, 422, { error: 'Validation failed: Name has already been taken' }, 'fly_already_exists', 'known', false],
    ['a taken name by its word', write, 422, { error: 'no', status: 'name_taken' }, 'fly_already_exists', 'known', false],
    ['an invalid config', write, 422, { error: 'invalid_argument: config.image is required' }, 'fly_invalid', 'known', false],
    ['an invalid guest', write, 400, { error: 'invalid guest' }, 'fly_invalid', 'known', false],
    ['no capacity for a volume', write, 400, { error: 'x', status: 'volume_placement_capacity' }, 'fly_capacity', 'known', false],
    ['no capacity by its word, whatever the status', write, 500, { error: 'x', status: 'insufficient_capacity' }, 'fly_capacity', 'known', false],
    ['a rate limit', write, 429, { error: 'rate limit exceeded' }, 'fly_rate_limited', 'known', true],
    ['a broken write', write, 500, { error: 'internal' }, 'fly_unknown_outcome', 'unknown', true],
    ['a gateway without words on a write', write, 502, '<html>bad gateway</html>', 'fly_unknown_outcome', 'unknown', true],
    ['a broken read', read, 503, { error: 'unavailable' }, 'fly_unavailable', 'known', true],
  ];
  test.each(rows)('%s', async (_what, call, status, body, code, outcome, retryable) => {
    next = { status, body };
    const error = await failure(call());
    expect({ code: error.code, outcome: error.outcome, retryable: error.retryable, status: error.status }).toEqual({ code, outcome, retryable, status });
    expect(error.nextStep).toMatch(/\w/);
  });
});

test('a lease held by another says by whom and until when', async () => {
  next = { status: 409, body: { error: 'machine ID m1 lease currently held by ops@example.org, expires at 2026-10-09T10:00:00Z' } };
  expect(await failure(write())).toMatchObject({ code: 'fly_conflict_lease', leaseOwner: 'ops@example.org', leaseExpiresAt: '2026-10-09T10:00:00Z', retryable: true });
});

test('a duplicate name tells the id of the machine that has it', async () => {
  next = { status: 409, body: { error: 'already_exists: unique machine name violation, machine ID 148e272a already exists with name "m"' } };
  expect(await failure(write())).toMatchObject({ code: 'fly_already_exists', machineId: '148e272a' });
});

test('Retry-After is told in milliseconds, as seconds or as a date', async () => {
  next = { status: 429, body: {}, headers: { 'retry-after': '2' } };
  expect((await failure(read())).retryAfterMs).toBe(2000);
  expect(retryAfterMs('Fri, 09 Oct 2026 10:00:05 GMT', Date.parse('2026-10-09T10:00:00Z'))).toBe(5000);
  expect([undefined, '', 'soon'].map((header) => retryAfterMs(header, 0))).toEqual([undefined, undefined, undefined]);
});

test('no answer in time leaves the outcome of a write open, and that of a read not', async () => {
  next = null;
  const impatient = createFlyClient({ baseUrl, token: TOKEN, timeoutMs: 50 });
  expect(await failure(impatient.machines.start('app', 'm1'))).toMatchObject({ code: 'fly_unknown_outcome', outcome: 'unknown' });
  expect(await failure(impatient.machines.get('app', 'm1'))).toMatchObject({ code: 'fly_unavailable', outcome: 'known' });
});

test('a write that certainly was never sent is known not to have happened', async () => {
  const nowhere = createFlyClient({ baseUrl: 'http://127.0.0.1:1/v1', token: TOKEN });
  expect(await failure(nowhere.machines.start('app', 'm1'))).toMatchObject({ code: 'fly_unavailable', outcome: 'known', retryable: true });
});

test('a call that its caller gave up says so', async () => {
  next = null;
  const signal = AbortSignal.timeout(30);
  expect(await failure(fly.machines.start('app', 'm1', { signal }))).toMatchObject({ code: 'fly_aborted', outcome: 'unknown' });
});

test('an answer that is not understood is an error of its own, not a crash', async () => {
  next = { status: 200, body: { surprise: true } };
  expect(await failure(read())).toMatchObject({ code: 'fly_unexpected_answer', outcome: 'known' });
  expect(await failure(fly.machines.create('app', { name: 'm', region: 'sin', config: { image: 'x' } }))).toMatchObject({ code: 'fly_unexpected_answer', outcome: 'unknown' });
});

test('the token is in no error, not even when Fly repeats it', async () => {
  next = { status: 401, body: { error: `token ${TOKEN} is not valid` } };
  const error = await failure(read());
  expect(error.message).toContain('[token]');
  expect(JSON.stringify(error) + String(error) + String(error.stack)).not.toContain(TOKEN);
});

test('both forms of a disputed answer are understood', async () => {
  next = { status: 201, body: { status: 'success', data: { nonce: 'abc', expires_at: 1_700_000_000 } } };
  expect(await fly.leases.acquire('app', 'm1', { ttlSeconds: 5 })).toEqual({ nonce: 'abc', expiresAtMs: 1_700_000_000_000 });
  next = { status: 201, body: { nonce: 'abc', expires_at: 1_700_000_000 } };
  expect(await fly.leases.acquire('app', 'm1', { ttlSeconds: 5 })).toEqual({ nonce: 'abc', expiresAtMs: 1_700_000_000_000 });
  next = { status: 201, body: { data: { nonce: 'abc', expires_at: '2023-11-14T22:13:20Z' } } };
  expect(await fly.leases.acquire('app', 'm1', { ttlSeconds: 5 })).toEqual({ nonce: 'abc', expiresAtMs: 1_700_000_000_000 });
  next = { status: 200, body: { machines: null, next_cursor: '', error_regions: ['fra', { region: 'sin' }] } };
  expect(await fly.listOrgMachines({ org: 'o' })).toMatchObject({ machines: [], nextCursor: undefined, errorRegions: ['fra', 'sin'] });
  next = { status: 200, body: { metadata: { a: '1' } } };
  expect(await fly.machines.metadata.get('app', 'm1')).toEqual({ a: '1' });
  next = { status: 200, body: { id: 'vol_1', name: 'data', state: 'created', region: 'sin', size_gb: 2 } };
  expect(await fly.volumes.extend('app', 'vol_1', 2)).toMatchObject({ volume: { size_gb: 2 }, needsRestart: false });
  next = { status: 200, body: { Secrets: [], Version: 7 } };
  expect((await fly.secrets.set('app', { A: 'b' })).version).toBe(7);
  next = { status: 200, body: { apps: null, total_apps: 0 } };
  expect(await fly.apps.list({ orgSlug: 'o' })).toEqual([]);
});

test('a machine on a lost host is read although it has no config', async () => {
  next = { status: 200, body: { id: 'm1', name: 'm', state: 'started', region: 'sin', host_status: 'unreachable', incomplete_config: { image: 'x' }, brand_new_field: 1 } };
  expect(await read()).toMatchObject({ host_status: 'unreachable', brand_new_field: 1 });
});
