// A machine's last lines, through the API: from the machine itself, from Fly, from what was kept of a failure.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { MachineLogs } from '@trademind/core';
import { decodeJwt } from 'jose';
import { WebSocketServer } from 'ws';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { ControlPlane } from '../../control-plane/index.ts';
import { callApi, controlPlaneEnv, startTestControlPlane } from '../support/control-plane.ts';
import { connectRaw, startTestFeed, TestSource, type TestFeed } from '../support/feed.ts';
import { eventually, startTestFly, type TestFly } from '../support/fly.ts';
import { startTestSupabase, type TestSupabase, type TestUser } from '../support/supabase.ts';

const ticketKey = generateKeyPairSync('ed25519');
const ticketJwks = { keys: [{ ...ticketKey.publicKey.export({ format: 'jwk' }), kid: 'tickets', alg: 'EdDSA' }] };
const FAILURE = { code: 'machine_crashed', message: 'It ended.', at: '2026-11-26T08:00:00Z', exitCode: 1, oomKilled: false, logs: ['the last but one', '{"level":"error","time":"2026-11-26T07:59:59Z","code":"no_disk","msg":"The disk is full."}'] };
const SECRET = `Authorization: Bearer ${'s3cr3t'.repeat(8)}`;

let supabase: TestSupabase;
let fly: TestFly;
let controlPlane: ControlPlane;
let user: TestUser;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  [supabase, fly] = await Promise.all([startTestSupabase(), startTestFly()]);
  controlPlane = await startTestControlPlane(controlPlaneEnv(supabase, fly, {
    TICKET_JWK: JSON.stringify({ ...ticketKey.privateKey.export({ format: 'jwk' }), kid: 'tickets' }), FLY_LOGS_URL: `${new URL(fly.url).origin}/api/v1`,
  }));
});
afterAll(async () => {
  await controlPlane.close();
  await Promise.all([fly.close(), supabase.close()]);
});
// each has a limit of their own
beforeEach(async () => { user = await supabase.createUser(); });
afterEach(async () => { for (const close of closing.splice(0)) await close(); });

/** A row that nobody looks after. */
async function addMachine(more: { url?: string; phase?: string; failure?: object } = {}): Promise<string> {
  const { rows } = await supabase.database.pool.query<{ id: string }>(
    `insert into public.machines (user_id, environment, desired_region, desired_cpu_kind, desired_cpus, desired_memory_mb, desired_image, next_look_at, url, phase, failure)
     values ($1, $2, 'sin', 'shared', 1, 512, 'machine@sha256:00', 'infinity', $3, $4, $5) returning id`, [user.id, `e${randomBytes(6).toString('hex')}`, more.url ?? null, more.phase ?? 'screening', more.failure ?? null]);
  return rows[0]!.id;
}
const read = (id: string, query = '', token = user.accessToken) => callApi(controlPlane.url, token, 'GET', `/v1/machines/${id}/logs${query}`);
const logs = async (id: string, query = '', token?: string) => MachineLogs.parse((await read(id, query, token)).body);
/** As a caller is told to who hears that the machine is silent at this moment: asked again. A busy machine may need longer than its caller waits. */
const heard = (id: string, from: MachineLogs['source'], query = '') => eventually(async () => {
  const told = await logs(id, query);
  return told.source === from ? told : undefined;
});
const messages = ({ items }: MachineLogs) => items.map(({ message }) => message);

/** A machine's real feed server, with the row that points to it. */
async function startMachine(): Promise<{ id: string; feed: TestFeed; say: (message: string, at: number) => void }> {
  const id = await addMachine();
  const source = new TestSource({ machineId: id, userId: user.id });
  const feed = await startTestFeed({ source, ticketJwks });
  closing.push(() => feed.close());
  await supabase.database.pool.query('update public.machines set url = $2 where id = $1', [id, feed.server.url]);
  return { id, feed, say: (message, at) => source.emit({ type: 'log', data: { at, level: 'warn', code: 'told', message } }) };
}

/** Something that answers where a machine should. */
async function startStranger(answer: (server: Server) => void): Promise<string> {
  const server = createServer((_, response) => { response.writeHead(500).end(); });
  answer(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(async () => { server.closeAllConnections(); server.close(); await once(server, 'close'); });
  return addMachine({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, failure: FAILURE });
}

describe('of a machine that answers', () => {
  test('its own log comes, the oldest first, without secrets; `next` goes on from there and misses nothing', async () => {
    const { id, say } = await startMachine();
    for (const [at, message] of [[1_000, 'one'], [2_000, 'two'], [2_000, `three ${SECRET}`]] as const) say(message, at);
    const first = await heard(id, 'machine');
    expect(first.notice).toBeNull();
    expect(first.items[0]).toEqual({ at: '1970-01-01T00:00:01.000Z', level: 'warn', code: 'told', message: 'one', source: 'machine' });
    expect(messages(first)).toEqual(['one', 'two', 'three Authorization: Bearer [redacted]']);
    expect(messages(await heard(id, 'machine', '?limit=1'))).toEqual(['three Authorization: Bearer [redacted]']);
    say('four', 2_000);
    say('five', 3_000);
    const since = await heard(id, 'machine', `?limit=1&after=${encodeURIComponent(first.next!)}`);
    expect(messages(since)).toEqual(['four']);
    const rest = await heard(id, 'machine', `?after=${encodeURIComponent(since.next!)}`);
    expect(messages(rest)).toEqual(['five']);
    expect(await heard(id, 'machine', `?after=${encodeURIComponent(rest.next!)}`)).toMatchObject({ items: [], next: rest.next });
  });

  test('a session that only reads is opened for it, and nobody who listens already is parted from the machine', async () => {
    const { id, feed, say } = await startMachine();
    const offered: string[] = [];
    const ticket = String((await callApi(controlPlane.url, user.accessToken, 'POST', `/v1/machines/${id}/ticket`, {})).body['ticket']);
    const listening = connectRaw(feed, ticket);
    await listening.next('snapshot');
    const stranger = await startStranger((server) => {
      new WebSocketServer({ server, handleProtocols: () => 'trademind.v1' }).on('connection', (socket, request) => {
        offered.push(String(request.headers['sec-websocket-protocol']));
        socket.send('{}');
      });
    });
    await eventually(async () => { await logs(stranger); return offered.length > 0 ? true : undefined; });
    expect(decodeJwt(offered[0]!.split('ticket.')[1]!)).toMatchObject({ aud: `machine:${stranger}`, sub: user.id, scope: 'feed:read' });
    await heard(id, 'machine');
    await eventually(() => Promise.resolve(feed.server.stats().connections === 1 ? true : undefined));
    expect(feed.server.stats().refused).toEqual({});
    say('still heard', 1_000);
    expect((await listening.next('log')).data.message).toBe('still heard');
    listening.socket.close();
  });
});

describe('of a machine that does not answer as one', () => {
  const silent = { source: 'failure', notice: { code: 'machine_silent' } };

  test.each<[string, (server: Server) => void]>([
    ['refuses', () => undefined],
    ['never says a word', (server) => { new WebSocketServer({ server }).on('connection', () => undefined); }],
    ['speaks nonsense', (server) => { new WebSocketServer({ server }).on('connection', (socket) => socket.send('hello')); }],
    ['sends more than any machine says', (server) => { new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => { socket.on('error', () => undefined); socket.send(Buffer.alloc(8_000_000, 'x')); }); }],
    ['has a log without end', (server) => {
      server.removeAllListeners('request');
      server.on('request', (_, response) => {
        response.writeHead(200);
        const more = setInterval(() => response.write(Buffer.alloc(100_000, ' ')), 1);
        response.on('close', () => clearInterval(more));
      });
      new WebSocketServer({ server }).on('connection', (socket) => socket.send('{"type":"hello","data":{"session":"a.b.c"}}'));
    }],
  ])('it %s: what was kept of its failure is shown, and why', async (_, answer) => {
    expect(await logs(await startStranger(answer))).toMatchObject(silent);
  });

  test('nobody is there, and nothing was kept: no line, and what to do', async () => {
    expect(await logs(await addMachine({ url: 'http://127.0.0.1:9' }))).toEqual({ items: [], next: null, source: null, notice: { code: 'machine_silent', message: expect.any(String) as string, nextStep: expect.stringContaining('/ticket') as string } });
  });
});

describe('of a machine that does not run', () => {
  test('Fly\'s log tells what its processes wrote', async () => {
    const deployed = await eventually(async () => {
      const { body } = await callApi(controlPlane.url, user.accessToken, 'POST', '/v1/machines', {});
      return body['phase'] === 'screening' ? body : undefined;
    });
    const id = String(deployed['id']);
    await fly.admin.fault({ kind: 'exit', app: String(deployed['app']), exitCode: 1, log: `starting\n{"level":"error","code":"no_key","msg":"It needs a key. ${SECRET}"}` });
    await callApi(controlPlane.url, user.accessToken, 'PATCH', `/v1/machines/${id}`, { desired: 'stopped' });
    await eventually(async () => ((await callApi(controlPlane.url, user.accessToken, 'GET', `/v1/machines/${id}`)).body['phase'] === 'stopped' ? true : undefined));
    const told = await heard(id, 'fly');
    expect(told).toMatchObject({ notice: { code: 'machine_not_reachable', message: 'The machine is stopped: it says nothing now.' } });
    expect(told.items).toEqual(expect.arrayContaining([expect.objectContaining({ level: null, message: 'starting' }), expect.objectContaining({ level: 'error', code: 'no_key', message: 'It needs a key. Authorization: Bearer [redacted]' })]));
    expect(await logs(id, `?after=${encodeURIComponent(told.next!)}`)).toMatchObject({ items: [], next: told.next });
  });

  test('and that Fly has no log of: the lines that were kept when its version failed', async () => {
    const told = await logs(await addMachine({ phase: 'failed', failure: FAILURE }));
    expect(told).toMatchObject({ source: 'failure', notice: { code: 'machine_not_reachable' } });
    expect(told.items).toEqual([
      { at: '2026-11-26T08:00:00.000Z', level: null, code: null, message: 'the last but one', source: 'failure' }, { at: '2026-11-26T07:59:59.000Z', level: 'error', code: 'no_disk', message: 'The disk is full.', source: 'failure' },
    ]);
  });
});

describe('who may read them', () => {
  test('its user; an operator sees why a version failed and not what the machine says; to others it is not there', async () => {
    const { id, say, feed } = await startMachine();
    say('a trader of mine has matched', 1_000);
    const operator = await supabase.createUser();
    await supabase.adminClient.auth.admin.updateUserById(operator.id, { app_metadata: { trademind_role: 'operator' } });
    const { data } = await operator.client.auth.signInWithPassword({ email: operator.email, password: operator.password });
    const token = data.session!.access_token;
    expect(await logs(id, '', token)).toMatchObject({ items: [], source: null, notice: { code: 'operator_view' } });
    expect(feed.logged).toEqual([]);
    await supabase.database.pool.query('update public.machines set failure = $2 where id = $1', [id, FAILURE]);
    expect(messages(await logs(id, '', token))).toEqual(['the last but one', 'The disk is full.']);
    expect(messages(await heard(id, 'machine'))).toEqual(['a trader of mine has matched']);
    const other = await supabase.createUser();
    expect(await read(id, '', other.accessToken)).toMatchObject({ status: 404, body: { code: 'machine_not_found' } });
  });

  test('is answered sixty times a minute, then later; other requests go on', async () => {
    const id = await addMachine({ phase: 'stopped' });
    const answers = await Promise.all(Array.from({ length: 70 }, () => read(id)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(60);
    const refused = answers.find(({ status }) => status !== 200)!;
    expect(refused).toMatchObject({ status: 429, body: { code: 'too_many_requests' } });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await callApi(controlPlane.url, user.accessToken, 'GET', `/v1/machines/${id}`)).status).toBe(200);
  });

  test.each(['limit=0', 'limit=501', 'limit=x', 'after=yesterday', 'after=2026-11-26', 'after=2026-11-26T08:00:00Z~-1', 'after=9999-99-99T99:99:99Z'])('a query of %s is refused by name', async (query) => {
    expect(await read(await addMachine(), `?${query}`)).toMatchObject({ status: 400, body: { code: 'request_invalid', field: query.split('=')[0] } });
  });
});
