import { createServer, type Server } from 'node:http';
import { createFlyClient, type FlyClient } from '@trademind/fly';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outcomeOfError, settle } from './outcome.ts';

/** What Fly answers next: a status with a body and headers, or nothing at all. */
type Answer = { status: number; body: unknown; headers?: Record<string, string> } | 'silence';
let answer: Answer = 'silence';
let server: Server;
let fly: FlyClient;

beforeAll(async () => {
  server = createServer((request, response) => {
    if (answer === 'silence') { request.socket.destroy(); return; }
    response.writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers }).end(JSON.stringify(answer.body));
  });
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  fly = createFlyClient({ baseUrl: `http://127.0.0.1:${(server.address() as { port: number }).port}/v1`, token: 'secret-token' });
});
afterAll(() => { server.closeAllConnections(); server.close(); });

const create = () => fly.machines.create('tm-1', { name: 'tm-1-sin', region: 'sin', config: { image: 'i' } });
const CALLS = {
  create,
  'create app': () => fly.apps.create({ name: 'tm-1', orgSlug: 'o' }),
  'create volume': () => fly.volumes.create('tm-1', { name: 'data', region: 'sin', sizeGb: 1 }),
  start: () => fly.machines.start('tm-1', 'm1'),
  read: () => fly.machines.get('tm-1', 'm1'),
  wait: () => fly.machines.wait('tm-1', 'm1', { state: 'started', timeoutSeconds: 1 }),
} as const satisfies Record<string, () => Promise<unknown>>;

/** Every row of the error table of the facts: what was asked, how Fly answers, what is done about it, what the user reads. */
const TABLE: readonly (readonly [what: string, call: keyof typeof CALLS, answer: Answer, then: 'again' | 'somebody must help' | 'another place' | 'look first' | 'adopt', says: RegExp])[] = [
  ['400: the wait is too long', 'wait', { status: 400, body: { error: 'timeout must be at most 60s' } }, 'somebody must help', /refuses the request as it is.*60s.*The operator must look/],
  ['400: no capacity on volume create', 'create volume', { status: 400, body: { error: 'insufficient_capacity', status: 'volume_placement_capacity' } }, 'another place', /no room for the machine.*another region/],
  ['400: invalid guest', 'create', { status: 400, body: { error: 'invalid guest: cpus must be 1, 2, 4' } }, 'somebody must help', /invalid guest.*The operator must look/],
  ['401: token validation error, also right after an app is made', 'create volume', { status: 401, body: { error: 'token validation error' } }, 'again', /does not accept the token of the control plane at this moment/],
  ['403: the app belongs to another organisation', 'create', { status: 403, body: { error: 'unauthorized to access app' } }, 'somebody must help', /belongs to another one, or a quota is used up.*The operator must check/],
  ['403: over the allowed quota', 'create', { status: 403, body: { error: 'organization quota exceeded' } }, 'somebody must help', /quota exceeded.*The operator must check the quota/],
  ['404: no such app or machine', 'start', { status: 404, body: { error: 'machine not found' } }, 'again', /does not show what was to be changed; it is looked for again/],
  ['408: the wait expired', 'wait', { status: 408, body: { error: 'deadline_exceeded: machine failed to reach desired state, started, currently created' } }, 'again', /takes longer than Fly waits for it/],
  ['408 on a write: the outcome is unknown', 'create', { status: 408, body: { error: 'request timed out' } }, 'look first', /did not say whether it was done; that is looked up before anything is repeated/],
  ['409: lease held', 'start', { status: 409, body: { error: 'machine ID m1 lease currently held by ops@example.com, expires at 2026-11-26T12:00:00Z' } }, 'again', /Somebody else is changing the machine right now \(ops@example\.com, until 2026-11-26T12:00:00Z\)/],
  ['409: duplicate name', 'create', { status: 409, body: { error: 'already_exists: unique machine name violation, machine ID 5683d9 already exists' } }, 'adopt', /exists already at Fly; it is found and taken over/],
  ['409: could not reserve resource', 'start', { status: 409, body: { error: 'could not reserve resource for machine: insufficient memory available to fulfill request' } }, 'another place', /no room for the machine.*insufficient memory/],
  ['412: unable to start from the current state', 'start', { status: 412, body: { error: "failed_precondition: unable to start machine from current state: 'created'" } }, 'again', /in a state in which Fly does not do this; it is looked at again.*'created'/],
  ['409: stale current_version, as some sources have it', 'start', { status: 409, body: { error: 'failed_precondition: stale current_version' } }, 'again', /in a state in which Fly does not do this/],
  ['422: app name taken', 'create app', { status: 422, body: { error: 'Validation failed: Name has already been taken', status: 'name_taken' } }, 'adopt', /exists already at Fly/],
  ['409: app name taken, as some see it', 'create app', { status: 409, body: { error: 'Name has already been taken' } }, 'adopt', /exists already at Fly/],
  ['422: invalid config', 'create', { status: 422, body: { error: 'invalid config: mounts' } }, 'somebody must help', /invalid config: mounts.*The operator must look/],
  ['422: the image does not exist', 'create', { status: 422, body: { error: 'could not resolve image "x": manifest unknown' } }, 'somebody must help', /manifest unknown.*The operator must look/],
  ['429: rate limit', 'start', { status: 429, body: { error: 'rate limit exceeded' } }, 'again', /asks for fewer requests; it goes on in a moment/],
  ['429 with Retry-After', 'start', { status: 429, body: {}, headers: { 'retry-after': '7' } }, 'again', /asks for fewer requests/],
  ['500 on a write', 'create', { status: 500, body: { error: 'internal' } }, 'look first', /did not say whether it was done/],
  ['503 on a read', 'read', { status: 503, body: { error: 'unavailable' } }, 'again', /does not answer at this moment/],
  ['no answer to a write', 'create', 'silence', 'look first', /did not say whether it was done/],
  ['no answer to a read', 'read', 'silence', 'again', /does not answer at this moment/],
];

test.each(TABLE)('%s (%s): %o → %s', async (_what, call, says, then, reads) => {
  answer = says;
  const error: unknown = await CALLS[call]().then(() => null, (thrown: unknown) => thrown);
  const outcome = outcomeOfError(error);
  if (outcome.kind !== 'retryable' && outcome.kind !== 'terminal') throw new Error(`not a failure: ${outcome.kind}`);
  expect(outcome.kind).toBe(then === 'somebody must help' ? 'terminal' : 'retryable');
  expect((error as { outcome: string }).outcome).toBe(then === 'look first' ? 'unknown' : 'known');
  if (then === 'another place') expect(outcome.trouble.code).toBe('fly_capacity');
  if (then === 'adopt') expect(outcome.trouble.code).toBe('fly_already_exists');
  const { events, nextLookMs } = settle(outcome, { attempts: 0, last_error: null, generation: 1 }, 0, 0);
  expect(events[0]?.message).toMatch(reads);
  expect(JSON.stringify(outcome)).not.toContain('secret-token');
  if (typeof says === 'object' && says.headers !== undefined) expect(nextLookMs).toBe(7_000);
});
