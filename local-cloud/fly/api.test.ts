import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestFly, TEST_IMAGES, TEST_TOKEN, tempFolder, type TestFly } from '../../tests/support/fly.ts';

let cloud: TestFly;
let count = 0;
beforeAll(async () => { cloud = await startTestFly({ allowedOrigins: ['http://127.0.0.1:5173'] }); });
afterAll(() => cloud.close());

async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}, base = cloud.url): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(new URL(base).origin + path, {
    method, body: body === undefined ? null : JSON.stringify(body),
    headers: { authorization: `Bearer ${TEST_TOKEN}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? {} : JSON.parse(text) as Record<string, unknown> };
}
async function app(): Promise<string> {
  const name = `api-${(count += 1)}`;
  await call('POST', '/v1/apps', { name, org_slug: 'api' });
  return name;
}
const create = (name: string, more: Record<string, unknown> = {}) =>
  call('POST', `/v1/apps/${name}/machines`, { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny }, ...more });

describe('who may speak to it', () => {
  test('no token, a wrong token and a right one', async () => {
    expect((await call('GET', '/v1/apps', undefined, { authorization: '' })).status).toBe(401);
    expect((await call('GET', '/v1/apps', undefined, { authorization: 'Bearer wrong' })).status).toBe(401);
    expect((await call('GET', '/v1/apps', undefined, { authorization: `FlyV1 ${TEST_TOKEN}` })).status).toBe(200);
    expect((await call('GET', '/_stand-in/journal', undefined, { authorization: '' })).status).toBe(401);
  });

  test('a foreign origin, a foreign host and a form are refused', async () => {
    expect((await call('GET', '/v1/apps', undefined, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await call('GET', '/v1/apps', undefined, { origin: 'http://127.0.0.1:5173' })).status).toBe(200);
    expect((await call('POST', '/v1/apps', { name: 'x' }, { 'content-type': 'text/plain' })).status).toBe(415);
    const { port } = new URL(cloud.url);
    const status = await new Promise((resolve) => {
      httpRequest({ host: '127.0.0.1', port, path: '/v1/apps', headers: { host: 'rebound.example' } }, (response) => { response.resume(); resolve(response.statusCode); }).end();
    });
    expect(status).toBe(421);
  });

  test('what is not JSON, not a path and not a method is said', async () => {
    const response = await fetch(`${cloud.url}/apps`, { method: 'POST', body: '{', headers: { authorization: `Bearer ${TEST_TOKEN}`, 'content-type': 'application/json' } });
    expect(response.status).toBe(400);
    expect((await call('GET', '/v1/nothing')).status).toBe(404);
    expect((await call('PUT', '/v1/apps')).status).toBe(405);
    expect((await call('GET', '/v1/apps/%E0%A4%A')).status).toBe(400);
  });
});

describe('apps', () => {
  test('a name is unique, and a request repeated with its key finds the first app', async () => {
    const first = await call('POST', '/v1/apps', { app_name: 'keyed', org_slug: 'api', idempotency_key: 'k1' });
    expect(first.status).toBe(201);
    expect((await call('POST', '/v1/apps', { name: 'keyed', org_slug: 'api', idempotency_key: 'k1' })).body).toEqual(first.body);
    expect((await call('POST', '/v1/apps', { name: 'other', org_slug: 'api', idempotency_key: 'k1' })).status).toBe(422);
    expect(await call('POST', '/v1/apps', { name: 'keyed', org_slug: 'api' })).toMatchObject({ status: 422, body: { status: 'name_taken' } });
    expect((await call('POST', '/v1/apps', { name: 'Not A Name', org_slug: 'api' })).status).toBe(422);
  });

  test('a deleted app takes its machines, volumes and secrets with it', async () => {
    const name = await app();
    const volume = await call('POST', `/v1/apps/${name}/volumes`, { name: 'data', region: 'sin', size_gb: 1 });
    await create(name, { config: { image: TEST_IMAGES.tiny, mounts: [{ volume: volume.body['id'], path: '/data' }] } });
    expect((await call('DELETE', `/v1/apps/${name}?force=true`)).status).toBe(202);
    expect((await call('GET', `/v1/apps/${name}`)).status).toBe(404);
    expect((await call('POST', '/v1/apps', { name, org_slug: 'api' })).status).toBe(201);
    expect((await call('GET', `/v1/apps/${name}/volumes`)).body).toEqual([]);
    expect((await call('GET', `/v1/apps/${name}/machines?include_deleted=true`)).body).toEqual([]);
  });
});

describe('machines', () => {
  test.each<[string, Record<string, unknown>, number]>([
    ['an image that nobody registered', { config: { image: 'registry.local/unknown@sha256:00' } }, 422],
    ['an image named like a property of every object', { config: { image: 'constructor' } }, 422],
    ['no config', { config: undefined }, 400],
    ['a guest that Fly does not have', { config: { image: TEST_IMAGES.tiny, guest: { cpu_kind: 'shared', cpus: 3, memory_mb: 512 } } }, 400],
    ['memory in the wrong step', { config: { image: TEST_IMAGES.tiny, guest: { cpu_kind: 'shared', cpus: 1, memory_mb: 300 } } }, 400],
    ['env that is not text', { config: { image: TEST_IMAGES.tiny, env: { A: 1 } } }, 422],
    ['a region that does not exist', { region: 'moon' }, 422],
    ['a volume that does not exist', { config: { image: TEST_IMAGES.tiny, mounts: [{ volume: 'vol_x', path: '/data' }] } }, 422],
    ['a restart policy that does not exist', { config: { image: TEST_IMAGES.tiny, restart: { policy: 'perhaps' } } }, 422],
    ['secrets that are not there yet', { min_secrets_version: 9 }, 412],
  ])('refused: %s', async (_what, more, status) => {
    const name = await app();
    const refused = await create(name, more);
    expect(refused.status).toBe(status);
    expect(refused.body['error']).toMatch(/\w/);
    expect((await call('GET', `/v1/apps/${name}/machines`)).body).toEqual([]);
  });

  test('a volume is bound to one machine of its region until that machine is gone', async () => {
    const name = await app();
    const volume = await call('POST', `/v1/apps/${name}/volumes`, { name: 'data', region: 'sin', size_gb: 1 });
    const config = { image: TEST_IMAGES.tiny, mounts: [{ volume: volume.body['id'], path: '/data' }] };
    expect((await create(name, { config, region: 'fra' })).status).toBe(422);
    const first = await create(name, { config });
    expect(first.status).toBe(200);
    expect(await create(name, { config, name: 'second' })).toMatchObject({ status: 412, body: { error: expect.stringContaining('currently bound') as string } });
    expect((await call('DELETE', `/v1/apps/${name}/volumes/${String(volume.body['id'])}`)).status).toBe(412);
    await call('DELETE', `/v1/apps/${name}/machines/${String(first.body['id'])}?kill=true`);
    await call('GET', `/v1/apps/${name}/machines/${String(first.body['id'])}/wait?state=destroyed`);
    expect((await create(name, { config, name: 'second' })).status).toBe(200);
  });

  test('skip_launch leaves it created, a start starts it, and the name of a destroyed one is free', async () => {
    const name = await app();
    const made = await create(name, { skip_launch: true, lease_ttl: 30 });
    const at = `/v1/apps/${name}/machines/${String(made.body['id'])}`;
    expect(made.body['state']).toBe('created');
    expect((await call('POST', `${at}/start`)).status).toBe(409);
    const nonce = { 'fly-machine-lease-nonce': String(made.body['nonce']) };
    expect((await call('POST', `${at}/start`, undefined, nonce)).body).toMatchObject({ previous_state: 'created' });
    await call('GET', `${at}/wait?state=started`);
    await call('DELETE', `${at}?force=true`, undefined, nonce);
    await call('GET', `${at}/wait?state=destroyed`);
    expect((await call('GET', at)).body['state']).toBe('destroyed');
    expect((await create(name)).status).toBe(200);
  });

  test('an update may lease the machine by the same request', async () => {
    const name = await app();
    const made = await create(name, { skip_launch: true });
    const at = `/v1/apps/${name}/machines/${String(made.body['id'])}`;
    const updated = await call('POST', at, { config: { image: TEST_IMAGES.tiny }, skip_launch: true, lease_ttl: 30 });
    expect((await call('POST', `${at}/start`)).status).toBe(409);
    expect((await call('POST', `${at}/start`, undefined, { 'fly-machine-lease-nonce': String(updated.body['nonce']) })).status).toBe(200);
  });

  test('a wait above a minute is refused, and one that runs out says where the machine is', async () => {
    const name = await app();
    const made = await create(name, { skip_launch: true });
    const at = `/v1/apps/${name}/machines/${String(made.body['id'])}/wait`;
    expect((await call('GET', `${at}?timeout=61`)).status).toBe(400);
    expect((await call('GET', `${at}?state=asleep`)).status).toBe(400);
    expect(await call('GET', `${at}?state=started&timeout=1`)).toEqual({
      status: 408, body: { error: 'deadline_exceeded: machine failed to reach desired state, started, currently created' },
    });
    expect((await call('GET', `${at}?state=settled&timeout=1`)).body['state']).toBe('created');
  });

  test('a whole map of metadata is replaced only at the version it was read at', async () => {
    const name = await app();
    const made = await create(name);
    const at = `/v1/apps/${name}/machines/${String(made.body['id'])}/metadata`;
    expect((await call('PUT', at, { machine_version: 'stale', metadata: { a: '1' } })).status).toBe(412);
    expect((await call('PUT', at, { machine_version: made.body['instance_id'], metadata: { a: '1' } })).status).toBe(204);
    expect((await call('GET', `${at}/a`)).body).toEqual({ value: '1' });
    expect((await call('GET', `${at}/b`)).status).toBe(404);
  });
});

test('a caller who goes in the middle of a request changes nothing and is no failure of the stand-in', async () => {
  const said: string[] = [];
  const quiet = await startTestFly({ report: (line) => said.push(line) });
  try {
    const { port } = new URL(quiet.url);
    await new Promise<void>((resolve) => {
      const request = httpRequest({ host: '127.0.0.1', port, path: '/v1/apps', method: 'POST', headers: { authorization: `Bearer ${TEST_TOKEN}`, 'content-type': 'application/json', 'content-length': '500' } });
      request.on('error', () => resolve());
      request.write('{"name": "half', () => { setTimeout(() => request.destroy(new Error('gone')), 50); });
    });
    await call('GET', '/v1/apps', undefined, {}, quiet.url);
    expect([said, (await quiet.admin.journal()).length]).toEqual([[], 0]);
  } finally {
    await quiet.close();
  }
});

test('a secret is never shown again', async () => {
  const name = await app();
  const set = await call('POST', `/v1/apps/${name}/secrets`, { values: { KEY: 'very-secret-value' } });
  const listed = await call('GET', `/v1/apps/${name}/secrets`);
  const journal = await call('GET', '/_stand-in/journal');
  expect(JSON.stringify([set, listed, journal])).not.toContain('very-secret-value');
  expect(listed.body['secrets']).toMatchObject([{ name: 'KEY' }]);
  expect((await call('POST', `/v1/apps/${name}/secrets`, { values: { 'not a name': 'x' } })).status).toBe(422);
});

test('every write is in the journal with its outcome, and no read is', async () => {
  const before = (await call('GET', '/_stand-in/journal')).body['entries'] as { seq: number }[];
  const name = await app();
  await create(name);
  await create(name);
  await call('GET', `/v1/apps/${name}`);
  const after = await call('GET', `/_stand-in/journal?after=${before.at(-1)?.seq ?? 0}`);
  expect(after.body['entries']).toMatchObject([
    { verb: 'app.create', name, status: 201 }, { verb: 'machine.create', app: name, name: 'main', status: 200, machine: expect.stringMatching(/^[0-9a-f]{14}$/) as string },
    { verb: 'machine.create', app: name, status: 409, error: expect.stringContaining('already_exists') as string },
  ]);
});

test("Fly's rate limits hold per action and machine unless they are turned off", async () => {
  // In one moment: none of what was used up comes back meanwhile.
  const moment = Date.now();
  const limited = await startTestFly({ rateLimits: true, now: () => moment });
  try {
    await call('POST', '/v1/apps', { name: 'limited', org_slug: 'api' }, {}, limited.url);
    const made = await call('POST', '/v1/apps/limited/machines', { name: 'a', region: 'sin', config: { image: TEST_IMAGES.tiny } }, {}, limited.url);
    const at = `/v1/apps/limited/machines/${String(made.body['id'])}`;
    const statuses = async (method: string, path: string, times: number) =>
      Promise.all(Array.from({ length: times }, async () => (await call(method, path, undefined, {}, limited.url)).status));
    expect((await statuses('POST', `${at}/cordon`, 6)).filter((status) => status === 429).length).toBe(3);
    expect((await statuses('POST', `${at}/uncordon`, 1))).toEqual([200]);
    expect((await statuses('GET', at, 14)).filter((status) => status === 429).length).toBe(4);
  } finally {
    await limited.close();
  }
});

test('what was acknowledged is there for the next stand-in', async () => {
  const dataDir = await tempFolder();
  const first = await startTestFly({ dataDir });
  await first.fly.apps.create({ name: 'kept', orgSlug: 'api' });
  const made = await first.fly.machines.create('kept', { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny } });
  const lease = await first.fly.leases.acquire('kept', made.id, { ttlSeconds: 60 });
  await first.close({ keep: true });
  const second = await startTestFly({ dataDir });
  expect(await second.fly.machines.get('kept', made.id)).toMatchObject({ name: 'main', instance_id: made.instance_id });
  await expect(second.fly.machines.stop('kept', made.id)).rejects.toMatchObject({ code: 'fly_conflict_lease' });
  await second.fly.machines.stop('kept', made.id, { leaseNonce: lease.nonce });
  await second.close();
});
