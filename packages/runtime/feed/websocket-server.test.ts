import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { FEED_CLOSE, machineAudience } from '@trademind/core';
import { SignJWT, exportJWK } from 'jose';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { TEST_ORIGIN, TestSource, connectRaw, startTestFeed, testSignal, testStatus, ticketKeys, type RawClient, type TestFeed } from '../../../tests/support/feed.ts';

const running: { close(): Promise<void> }[] = [];
const clients: WebSocket[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  await Promise.all(running.splice(0).map((feed) => feed.close()));
});

async function start(over: Parameters<typeof startTestFeed>[0] = {}): Promise<TestFeed> {
  const feed = await startTestFeed(over);
  running.push(feed);
  return feed;
}

/** A bare client that keeps every frame, each checked against the contract; ended after the test. */
function connect(...on: Parameters<typeof connectRaw>): RawClient {
  const client = connectRaw(...on);
  clients.push(client.socket);
  return client;
}

async function session(feed: TestFeed): Promise<string> {
  const client = connect(feed, await feed.ticket());
  const { data } = await client.next('hello');
  client.socket.close();
  await client.closed;
  return data.session;
}

describe('who is let in', () => {
  test('a ticket opens the feed: only the protocol is echoed, then hello and a snapshot', async () => {
    const feed = await start();
    const client = connect(feed, await feed.ticket());
    const hello = await client.next('hello');
    const snapshot = await client.next('snapshot');
    expect(client.socket.protocol).toBe('trademind.v1');
    expect(hello).toMatchObject({ epoch: feed.source.bootId, data: { machineId: feed.source.machineId, userId: feed.source.userId, resumed: false, scopes: ['feed:read', 'feed:command'] } });
    expect(snapshot.data.status.phase).toBe('screening');
  });

  const refused: { name: string; reason: string; code?: number; ticket: (feed: TestFeed) => Promise<string | null> }[] = [
    { name: 'no ticket', reason: 'ticket_missing', ticket: () => Promise.resolve(null) },
    { name: 'garbage', reason: 'ticket_invalid', ticket: () => Promise.resolve('not.a.jwt') },
    { name: 'a ticket signed by another key', reason: 'ticket_invalid', ticket: async (feed) => feed.ticket({ key: (await ticketKeys()).privateKey }) },
    { name: 'an expired ticket', reason: 'ticket_expired', ticket: (feed) => feed.ticket({ issuedAt: Date.now() - 120_000 }) },
    { name: 'a ticket that lives longer than a minute', reason: 'ticket_invalid', ticket: (feed) => feed.ticket({ lifeS: 3_600 }) },
    { name: 'a ticket from the future', reason: 'ticket_invalid', ticket: (feed) => feed.ticket({ issuedAt: Date.now() + 60_000 }) },
    { name: 'a ticket of another issuer', reason: 'ticket_invalid', ticket: (feed) => feed.ticket({ iss: 'someone' }) },
    { name: 'a ticket for another machine', reason: 'wrong_machine', ticket: (feed) => feed.ticket({ aud: machineAudience(randomUUID()) }) },
    { name: 'a ticket of another user', reason: 'wrong_user', ticket: (feed) => feed.ticket({ sub: randomUUID() }) },
    { name: 'a ticket without the scope to read', reason: 'scope_missing', code: FEED_CLOSE.scope, ticket: (feed) => feed.ticket({ scope: 'feed:command' }) },
    { name: 'a session signed by another machine', reason: 'session_invalid', ticket: (feed) => forgedSession(feed) },
    { name: 'an unsigned token', reason: 'ticket_invalid', ticket: (feed) => Promise.resolve(unsigned(feed)) },
  ];
  test.each(refused)('$name is refused with a close code and its reason', async ({ ticket, reason, code = FEED_CLOSE.ticket }) => {
    const feed = await start();
    const client = connect(feed, await ticket(feed));
    expect(await client.closed).toEqual({ code, reason });
    expect(client.frames).toEqual([]);
    expect(feed.server.stats().refused).toEqual({ [reason]: 1 });
  });

  test('a ticket opens one session, also when it is shown twice at the same moment', async () => {
    const feed = await start();
    const ticket = await feed.ticket();
    const pair = [connect(feed, ticket), connect(feed, ticket)];
    const first = await Promise.race(pair.map((client) => client.closed));
    expect(first).toEqual({ code: FEED_CLOSE.ticket, reason: 'ticket_used' });
    await Promise.any(pair.map((client) => client.next('snapshot')));
    expect(feed.server.stats().connections).toBe(1);
    expect(await connect(feed, ticket).closed).toMatchObject({ reason: 'ticket_used' });
  });

  test('a session of another machine is refused on the feed and on REST, even under the same key', async () => {
    const sessionKey = randomBytes(32);
    const theirs = await start({ sessionKey });
    const mine = await start({ sessionKey });
    const foreign = await session(theirs);
    expect(await connect(mine, foreign).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'wrong_machine' });
    const answer = await fetch(`${mine.server.url}/v1/status`, { headers: { authorization: `Bearer ${foreign}` } });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([401, 'wrong_machine']);
  });

  test('a session that another user had on the same machine is refused', async () => {
    const sessionKey = randomBytes(32);
    const before = await start({ sessionKey });
    const token = await session(before);
    const after = await start({ sessionKey, source: new TestSource({ machineId: before.source.machineId }) });
    expect(await connect(after, token).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'wrong_user' });
  });

  test('a page of an origin that is not named is refused before any ticket is looked at', async () => {
    const feed = await start();
    const ticket = await feed.ticket();
    expect((await connect(feed, ticket, '', { origin: 'http://evil.test' }).closed).code).toBe(1006);
    await connect(feed, ticket, '', { origin: TEST_ORIGIN }).next('snapshot');
  });

  test('one connection more than the limit is turned away, and a freed place can be taken again', async () => {
    const feed = await start({ limits: { connections: 2 } });
    const first = connect(feed, await feed.ticket());
    await first.next('snapshot');
    await connect(feed, await feed.ticket()).next('snapshot');
    expect((await connect(feed, await feed.ticket()).closed).code).toBe(1006);
    first.socket.close();
    await expect.poll(() => feed.server.stats().connections).toBe(1);
    await connect(feed, await feed.ticket()).next('snapshot');
  });

  test('refusals do not fill the log: one line for each reason', async () => {
    const feed = await start();
    for (let i = 0; i < 5; i += 1) await connect(feed, 'x.y.z').closed;
    expect(feed.logged.map((entry) => entry.code)).toEqual(['ticket_invalid']);
    expect(feed.server.stats().refused).toEqual({ ticket_invalid: 5 });
  });

  test('newer keys of the control plane are believed without a restart, and dropped ones are not', async () => {
    const old = await ticketKeys();
    let jwks = { keys: [] as never[] };
    const feed = await start({ keys: old, ticketJwks: () => jwks });
    expect(await connect(feed, await feed.ticket()).closed).toMatchObject({ reason: 'ticket_invalid' });
    jwks = { keys: [{ ...await exportJWK(old.publicKey), kid: 'test' } as never] };
    await connect(feed, await feed.ticket()).next('snapshot');
  });
});

describe('sessions', () => {
  test('a session token reconnects and reads REST, and a reconnect replaces the connection before it', async () => {
    const feed = await start();
    const first = connect(feed, await feed.ticket());
    const { data } = await first.next('hello');
    await connect(feed, data.session).next('snapshot');
    expect(await first.closed).toEqual({ code: FEED_CLOSE.superseded, reason: 'superseded' });
    const answer = await fetch(`${feed.server.url}/v1/status`, { headers: { authorization: `Bearer ${data.session}` } });
    expect(answer.status).toBe(200);
  });

  test('the open feed gets a new session before the old one ends; a chain ends with its hours unless a ticket renews it', async () => {
    let wall = 1_800_000_000_000;
    const feed = await start({ now: () => wall, limits: { tickMs: 5, sessionMs: 60_000, chainMs: 120_000, silenceMs: 3_600_000 } });
    const client = connect(feed, await feed.ticket());
    const first = await client.next('hello');
    expect(first.data.expiresAt).toBe(wall + 60_000);
    wall += 50_000;
    const second = await client.next('hello', 1);
    expect(second.data.expiresAt).toBe(wall + 60_000);
    wall += 50_000;
    const third = await client.next('hello', 2);
    expect(third.data.expiresAt).toBe(1_800_000_120_000);
    client.send({ type: 'renew', ticket: await feed.ticket() });
    expect((await client.next('hello', 3)).data.expiresAt).toBe(wall + 60_000);
    const late = await feed.ticket();
    wall += 66_000;
    expect(await client.closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'session_expired' });
    expect(await connect(feed, third.data.session).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'session_expired' });
    expect(await connect(feed, late).closed).toMatchObject({ reason: 'ticket_expired' });
  });

  test('a refused renewal is told and the session goes on', async () => {
    const feed = await start();
    const client = connect(feed, await feed.ticket());
    await client.next('snapshot');
    client.send({ type: 'renew', ticket: await feed.ticket({ sub: randomUUID() }) });
    expect((await client.next('error')).data.code).toBe('wrong_user');
    client.send({ type: 'ping', id: 'a' });
    expect((await client.next('pong')).data).toEqual({ id: 'a' });
  });
});

describe('frames', () => {
  test('numbers are machine-wide and every client gets the same bytes, only of the types it asked for', async () => {
    const feed = await start();
    const all = connect(feed, await feed.ticket());
    const some = connect(feed, await feed.ticket(), '?types=signal');
    await Promise.all([all.next('snapshot'), some.next('snapshot')]);
    feed.source.emit({ type: 'status', data: testStatus() });
    feed.source.emit({ type: 'signal', data: testSignal() });
    expect((await all.next('signal')).seq).toBe(2);
    expect(await some.next('signal')).toEqual(await all.next('signal'));
    some.send({ type: 'subscribe', types: ['log'] });
    some.send({ type: 'ping' });
    await some.next('pong');
    feed.source.emit({ type: 'signal', data: testSignal() });
    feed.source.emit({ type: 'log', data: { at: 1, level: 'info', code: 'x', message: 'm' } });
    expect((await some.next('log')).seq).toBe(4);
    expect(some.frames.map((frame) => frame.type)).toEqual(['hello', 'snapshot', 'signal', 'pong', 'log']);
  });

  test('a client that comes back with {epoch, seq} gets exactly what it missed, in the query or by sync', async () => {
    const feed = await start();
    const first = connect(feed, await feed.ticket());
    const { data: { session: token } } = await first.next('hello');
    feed.source.emit({ type: 'signal', data: testSignal() });
    const seen = await first.next('signal');
    first.socket.terminate();
    const missed = Array.from({ length: 20 }, () => testSignal());
    for (const data of missed) feed.source.emit({ type: 'signal', data });
    const again = connect(feed, token, `?epoch=${seen.epoch}&seq=${seen.seq}`);
    await again.next('signal', 19);
    expect(again.frames[0]).toMatchObject({ type: 'hello', data: { resumed: true } });
    expect(again.frames.slice(1).map((frame) => frame.type === 'signal' && frame.data.id)).toEqual(missed.map(({ id }) => id));
    again.send({ type: 'sync', epoch: seen.epoch, seq: seen.seq + 15 });
    await again.next('signal', 24);
    again.send({ type: 'sync' });
    expect((await again.next('snapshot')).seq).toBe(21);
  });

  test('another epoch, a number that has left the ring, one from the future: a snapshot', async () => {
    const feed = await start({ limits: { ringFrames: 10 } });
    for (let i = 0; i < 30; i += 1) feed.source.emit({ type: 'log', data: { at: i, level: 'info', code: 'x', message: 'm' } });
    const { bootId } = feed.source;
    for (const query of ['?epoch=other&seq=29', `?epoch=${bootId}&seq=19`, `?epoch=${bootId}&seq=31`, `?epoch=${bootId}&seq=-1`, `?epoch=${bootId}&seq=x`]) {
      const client = connect(feed, await feed.ticket(), query);
      expect((await client.next('snapshot')).seq).toBe(30);
    }
    const kept = connect(feed, await feed.ticket(), `?epoch=${bootId}&seq=20`);
    await kept.next('log', 9);
    expect(kept.frames.some((frame) => frame.type === 'snapshot')).toBe(false);
  });

  test('a client that does not read costs no memory: it is told of a gap when it reads again, and a sync makes it whole', async () => {
    const feed = await start({ limits: { ringFrames: 50, bufferedBytes: 64 * 1024 } });
    const client = connect(feed, await feed.ticket());
    const reader = connect(feed, await feed.ticket());
    await Promise.all([client.next('snapshot'), reader.next('snapshot')]);
    client.socket.pause();
    const filler = 'x'.repeat(60_000);
    for (let i = 1; i <= 600; i += 1) {
      feed.source.emit({ type: 'log', data: { at: i, level: 'info', code: 'x', message: filler } });
      if (i % 10 === 0) await reader.next('log', i - 1);
    }
    expect(client.frames.length).toBeLessThan(600);
    client.socket.resume();
    const gap = await client.next('gap');
    expect(gap.data.to).toBe(600);
    const before = client.frames.filter((frame) => frame.type === 'log');
    expect(before.at(-1)?.seq).toBe(gap.data.from - 1);
    client.send({ type: 'sync', epoch: gap.epoch, seq: gap.data.from - 1 });
    expect((await client.next('snapshot', 1)).seq).toBe(600);
    feed.source.emit({ type: 'signal', data: testSignal() });
    expect((await client.next('signal')).seq).toBe(601);
    expect(reader.frames.filter((frame) => frame.type === 'log')).toHaveLength(600);
    expect(feed.server.stats().gaps).toBe(1);
  });
});

describe('clients that misbehave', () => {
  test('unknown and malformed commands are answered with an error and change nothing', async () => {
    const feed = await start();
    const client = connect(feed, await feed.ticket());
    await client.next('snapshot');
    for (const bad of ['{', '[]', '{"type":"fly"}', '{"type":"ping","extra":1}', 'null']) client.send(bad);
    client.socket.send(Buffer.from([1, 2, 3]));
    expect((await client.next('error', 5)).data.code).toBe('command_invalid');
    // who waits for an answer gets it: the command is named, and the field that was wrong
    client.send({ type: 'set-traders', id: '7', traders: 'all' });
    expect((await client.next('error', 6)).data).toMatchObject({ id: '7', command: 'set-traders', code: 'command_invalid', field: 'traders' });
    client.send({ type: 'fly', id: '8' });
    expect((await client.next('error', 7)).data).toMatchObject({ id: '8', command: 'fly', code: 'command_invalid', field: 'type' });
    client.send({ type: 'fly', id: 8 });
    expect((await client.next('error', 8)).data).not.toHaveProperty('id');
    feed.source.emit({ type: 'signal', data: testSignal() });
    await client.next('signal');
  });

  test('a flood of messages or of pings ends the connection with 4429', async () => {
    const feed = await start();
    const talker = connect(feed, await feed.ticket());
    const pinger = connect(feed, await feed.ticket());
    await Promise.all([talker.next('snapshot'), pinger.next('snapshot')]);
    for (let i = 0; i < 200; i += 1) {
      talker.send({ type: 'ping' });
      pinger.socket.ping();
    }
    expect(await talker.closed).toEqual({ code: FEED_CLOSE.tooFast, reason: 'too_fast' });
    expect(await pinger.closed).toEqual({ code: FEED_CLOSE.tooFast, reason: 'too_fast' });
  });

  test('a message above 64 KB ends the connection', async () => {
    const feed = await start();
    const client = connect(feed, await feed.ticket());
    await client.next('snapshot');
    client.send('x'.repeat(64 * 1024 + 1));
    expect((await client.closed).code).toBe(1009);
  });

  test('a peer that answers no ping is let go with 4408, one that answers stays', async () => {
    let wall = 1_800_000_000_000;
    const feed = await start({ now: () => wall, limits: { tickMs: 5, pingMs: 20, silenceMs: 150 } });
    const silent = connect(feed, await feed.ticket(), '', { autoPong: false });
    const lively = connect(feed, await feed.ticket());
    await Promise.all([silent.next('snapshot'), lively.next('snapshot')]);
    // Time goes on once the ping of before has come, with which its answer has gone out.
    for (let passed = 0; passed < 400; passed += 20) {
      const pinged = once(lively.socket, 'ping');
      wall += 20;
      await pinged;
    }
    expect(await silent.closed).toEqual({ code: FEED_CLOSE.silence, reason: 'silence' });
    expect(lively.socket.readyState).toBe(WebSocket.OPEN);
  });

  test('an upgrade elsewhere, or with a mad target, is refused and the server stays up', async () => {
    const feed = await start();
    for (const path of ['/v2/feed', '//', '/%', '/v1/feed/../feed']) {
      const socket = new WebSocket(feed.feed.replace('/v1/feed', path), ['trademind.v1']);
      clients.push(socket);
      const code = await new Promise<number>((resolve) => {
        socket.on('error', () => {});
        socket.on('close', resolve);
      });
      expect([1006, FEED_CLOSE.ticket]).toContain(code);
    }
    expect((await fetch(`${feed.server.url}/health`)).status).toBe(200);
  });
});

describe('HTTP', () => {
  test('health is for anyone; ready says in which phase the machine is and nothing more; the rest wants a session', async () => {
    const feed = await start({ ready: () => ({ ready: false, missing: ['Loading history: 3 of 5 symbols.'], phase: 'backfilling' }) });
    const get = async (path: string, headers: Record<string, string> = {}) => {
      const answer = await fetch(`${feed.server.url}${path}`, { headers });
      return [answer.status, await answer.json()] as [number, Record<string, unknown>];
    };
    expect(await get('/health')).toEqual([200, { ok: true, uptimeS: expect.any(Number) as number }]);
    expect(await get('/ready')).toEqual([503, { ready: false, missing: ['the history of its markets'] }]);
    expect(await (await fetch(`http://127.0.0.1:${feed.server.metricsPort}/ready`)).json()).toMatchObject({ ready: false, missing: ['Loading history: 3 of 5 symbols.'] });
    expect((await get('/v1/status'))[1]).toMatchObject({ status: 401, code: 'ticket_missing' });
    expect((await get('/v1/status', { authorization: `Bearer ${await feed.ticket()}` }))[1]).toMatchObject({ status: 401, code: 'session_invalid' });
    expect((await get('/metrics'))[0]).toBe(404);
    const headers = { authorization: `Bearer ${await session(feed)}` };
    expect((await get('/v1/status', headers))[1]).toMatchObject({ phase: 'screening' });
    expect((await get('/v1/markets', headers))[1]).toEqual({ items: [] });
    expect((await get('/v1/traders', headers))[1]).toEqual({ items: [] });
    expect((await get('/v1/signals?limit=0', headers))[1]).toMatchObject({ status: 400, code: 'query_invalid', field: 'limit' });
    expect((await get('/v1/candles?symbol=BTCUSDT&interval=7m', headers))[1]).toMatchObject({ status: 400, field: 'interval' });
    expect((await get('/v1/candles?symbol=BTCUSDT&interval=5m', headers))[1]).toEqual({ items: [], marks: [] });
    expect((await get('/v1/explain?trader=known', headers))[1]).toMatchObject({ status: 400, field: 'symbol' });
    expect((await get('/v1/explain?trader=nobody&symbol=BTCUSDT', headers))[1]).toMatchObject({ status: 404, code: 'not_found' });
    expect(await get('/v1/explain?trader=known&symbol=BTCUSDT', headers)).toEqual([200, { conditions: [] }]);
    expect((await get('/__proto__', headers))[0]).toBe(404);
    expect((await fetch(`${feed.server.url}/health`, { method: 'POST' })).status).toBe(405);
  });

  test('a browser of a named origin may read, another gets no permission', async () => {
    const feed = await start();
    const allowed = await fetch(`${feed.server.url}/v1/status`, { method: 'OPTIONS', headers: { origin: TEST_ORIGIN, 'access-control-request-headers': 'authorization' } });
    expect([allowed.status, allowed.headers.get('access-control-allow-origin'), allowed.headers.get('access-control-allow-headers')]).toEqual([204, TEST_ORIGIN, 'authorization']);
    const other = await fetch(`${feed.server.url}/ready`, { headers: { origin: 'http://evil.test' } });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('the private port gives metrics and readiness in detail', async () => {
    const feed = await start();
    const base = `http://127.0.0.1:${feed.server.metricsPort}`;
    expect(await (await fetch(`${base}/metrics`)).text()).toBe('up 1\n');
    expect(await (await fetch(`${base}/ready`)).json()).toMatchObject({ ready: true, feed: { connections: 0 }, status: { phase: 'screening' } });
    expect((await fetch(`${base}/v1/status`)).status).toBe(404);
  });

  test('an error of the machine is told without its text, and logged', async () => {
    const source = new TestSource();
    source.status = () => { throw new Error('secret detail'); };
    const feed = await start({ source, metrics: () => Promise.reject(new Error('secret detail')) });
    const answer = await fetch(`http://127.0.0.1:${feed.server.metricsPort}/metrics`);
    expect([answer.status, await answer.text()]).toEqual([500, expect.not.stringContaining('secret') as string]);
    expect(feed.logged).toMatchObject([{ level: 'error', code: 'feed_failed' }]);
  });
});

describe('the end', () => {
  test('close tells every client 1012 and frees both ports', async () => {
    const feed = await start();
    const client = connect(feed, await feed.ticket());
    await client.next('snapshot');
    await feed.server.close();
    running.pop();
    expect(await client.closed).toEqual({ code: FEED_CLOSE.restart, reason: 'restart' });
    await expect(fetch(`${feed.server.url}/health`)).rejects.toThrow();
  });

  test('a port that is taken is the caller\'s to know', async () => {
    const feed = await start();
    await expect(startTestFeed({ port: feed.server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    await expect(startTestFeed({ metricsPort: feed.server.metricsPort })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('a session key that is too short is refused', async () => {
    await expect(startTestFeed({ sessionKey: randomBytes(8) })).rejects.toThrow(RangeError);
  });
});

function forgedSession(feed: TestFeed): Promise<string> {
  const audience = machineAudience(feed.source.machineId);
  return new SignJWT({ sid: randomUUID(), scope: 'feed:read', auth_time: Math.floor(Date.now() / 1_000) }).setProtectedHeader({ alg: 'HS256' })
    .setIssuer('trademind-machine').setAudience(audience).setSubject(feed.source.userId).setIssuedAt().setExpirationTime('10m').sign(randomBytes(32));
}

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

function unsigned(feed: TestFeed): string {
  return `${part({ alg: 'none' })}.${part({ aud: machineAudience(feed.source.machineId), sub: feed.source.userId, exp: 9_999_999_999 })}.x`;
}
