// The public line of a machine's real process, against those who should not come through. One test a line of the list.
import { randomBytes, randomUUID } from 'node:crypto';
import { connect as connectTcp, type Socket } from 'node:net';
import { FEED_CLOSE, machineAudience } from '@trademind/core';
import { machineConfig } from '@trademind/fly';
import { SignJWT, exportSPKI } from 'jose';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from '../runtime/world.ts';
import { connectRaw, ticketKeys, type RawClient } from '../support/feed.ts';
import { startWorkingMachine, type WorkingMachine } from './working-machine.ts';

let at: WorkingMachine;
const clients: RawClient[] = [];
const sockets: Socket[] = [];
beforeAll(async () => { at = await startWorkingMachine(); });
afterAll(async () => { await at.close(); });
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.terminate();
  for (const socket of sockets.splice(0)) socket.destroy();
  // Whatever was tried: the machine lives, and its owner gets in.
  const owner = connectRaw(at, await at.ticket());
  await owner.next('snapshot');
  owner.socket.terminate();
  expect(at.child().exitCode).toBeNull();
});

function connect(jwt: string | null, query?: string): RawClient {
  const client = connectRaw(at, jwt, query);
  clients.push(client);
  return client;
}

async function rest(path: string, token: string): Promise<[number, unknown]> {
  const answer = await fetch(`${at.url}${path}`, { headers: { authorization: `Bearer ${token}` } });
  return [answer.status, ((await answer.json()) as { code?: string }).code];
}

/** Opens a TCP connection, writes, and resolves with all that comes back until it is closed. */
function raw(bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    const { port, hostname } = new URL(at.url);
    const socket = connectTcp(Number(port), hostname, () => socket.write(bytes));
    sockets.push(socket);
    let heard = '';
    socket.on('data', (chunk) => { heard += chunk.toString('latin1'); });
    socket.on('error', () => {});
    socket.on('close', () => resolve(heard));
  });
}

const claims = () => ({ iss: 'trademind-control-plane', aud: machineAudience(at.machine.id), sub: at.machine.user.id, scope: 'feed:read feed:command', jti: randomUUID() });
const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const seconds = () => Math.floor(Date.now() / 1_000);

describe('tickets', () => {
  const forgeries: { name: string; make: () => Promise<string> }[] = [
    { name: 'signed by somebody else\'s key', make: async () => at.ticket({ key: (await ticketKeys()).privateKey }) },
    { name: 'not signed at all (alg none)', make: () => Promise.resolve(`${part({ alg: 'none' })}.${part({ ...claims(), iat: seconds(), exp: seconds() + 60 })}.`) },
    {
      name: 'signed symmetrically with the public key as the secret', make: async () =>
        new SignJWT(claims()).setProtectedHeader({ alg: 'HS256' }).setIssuedAt().setExpirationTime('60s').sign(Buffer.from(await exportSPKI(at.publicKey))),
    },
    {
      name: 'a valid one with other claims put in', make: async () => {
        const [header, , signature] = (await at.ticket({ scope: 'feed:read' })).split('.');
        return `${header}.${part({ ...claims(), iat: seconds(), exp: seconds() + 60 })}.${signature}`;
      },
    },
    {
      name: 'a session of nobody\'s', make: () =>
        new SignJWT({ sid: randomUUID(), scope: 'feed:read feed:command', auth_time: seconds() }).setProtectedHeader({ alg: 'HS256' })
          .setIssuer('trademind-machine').setAudience(machineAudience(at.machine.id)).setSubject(at.machine.user.id).setIssuedAt().setExpirationTime('10m').sign(randomBytes(32)),
    },
  ];
  test.each(forgeries)('forged: $name', async ({ make }) => {
    const forged = await make();
    expect(await connect(forged).closed).toMatchObject({ code: FEED_CLOSE.ticket });
    expect((await rest('/v1/status', forged))[0]).toBe(401);
  });

  test('expired', async () => {
    expect(await connect(await at.ticket({ issuedAt: Date.now() - 3_600_000 })).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'ticket_expired' });
    expect(await connect(await at.ticket({ lifeS: 86_400 })).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'ticket_invalid' });
  });

  test('replayed: at once, later, at the same moment, as a renewal, and after the machine was killed', async () => {
    const ticket = await at.ticket();
    const first = connect(ticket);
    await first.next('snapshot');
    expect(await connect(ticket).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'ticket_used' });
    first.send({ type: 'renew', ticket });
    expect((await first.next('error')).data.code).toBe('ticket_used');
    const raced = await at.ticket();
    const race = await Promise.allSettled(Array.from({ length: 5 }, () => connect(raced).next('hello')));
    expect(race.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const early = await at.ticket();
    await connect(early).next('hello');
    await at.restart();
    expect(await connect(early).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'ticket_used' });
  }, 240_000);

  test('of another machine', async () => {
    expect(await connect(await at.ticket({ aud: machineAudience(randomUUID()) })).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'wrong_machine' });
  });

  test('of another user', async () => {
    expect(await connect(await at.ticket({ sub: randomUUID() })).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'wrong_user' });
  });

  test('of another scope: without the right to read nobody gets in; with that alone nothing is changed', async () => {
    expect(await connect(await at.ticket({ scope: 'feed:command' })).closed).toEqual({ code: FEED_CLOSE.scope, reason: 'scope_missing' });
    expect(await connect(await at.ticket({ scope: 'feed:admin *' })).closed).toEqual({ code: FEED_CLOSE.scope, reason: 'scope_missing' });
    const reader = connect(await at.ticket({ scope: 'feed:read' }));
    await reader.next('snapshot');
    reader.send({ type: 'pause', id: '1' });
    expect((await reader.next('error')).data).toMatchObject({ code: 'scope_missing', id: '1' });
    const owner = connect(await at.ticket());
    expect((await owner.next('snapshot')).data.status.pausedAt).toBeUndefined();
  });

  test('a user id in the address, or a user\'s own token, is worth nothing', async () => {
    expect(await connect(null, `?userId=${at.machine.user.id}`).closed).toEqual({ code: FEED_CLOSE.ticket, reason: 'ticket_missing' });
    expect(await connect(at.machine.user.accessToken).closed).toMatchObject({ code: FEED_CLOSE.ticket });
    expect((await rest('/v1/status', at.machine.user.accessToken))[0]).toBe(401);
    expect((await fetch(`${at.url}/v1/status?userId=${at.machine.user.id}`)).status).toBe(401);
  });
});

describe('clients that mean harm', () => {
  test('oversized: a message of 64 KB and one byte, a frame that announces a gigabyte, a header without end', async () => {
    const client = connect(await at.ticket());
    await client.next('snapshot');
    client.send('x'.repeat(64 * 1024 + 1));
    expect((await client.closed).code).toBe(1009);
    const announcing = connect(await at.ticket());
    await announcing.next('snapshot');
    const rawSocket = (announcing.socket as unknown as { _socket: Socket })._socket;
    rawSocket.write(Buffer.from([0x81, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4]));
    expect((await announcing.closed).code).toBe(1009);
    expect(await raw(`GET /v1/feed HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(100_000)}`)).toMatch(/^HTTP\/1\.1 431/);
  });

  test('malformed: bytes that are no HTTP, no WebSocket, no JSON, no command', async () => {
    expect(await raw(randomBytes(4_096))).toMatch(/^HTTP\/1\.1 400|^$/);
    expect(await raw('GET /v1/feed HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 99\r\nSec-WebSocket-Key: no\r\n\r\n')).toMatch(/^HTTP\/1\.1 4/);
    const unmasked = connect(await at.ticket());
    await unmasked.next('snapshot');
    (unmasked.socket as unknown as { _socket: Socket })._socket.write(Buffer.from([0x81, 0x02, 0x7b, 0x7d])); // a client must mask
    expect((await unmasked.closed).code).toBe(1002);
    const client = connect(await at.ticket());
    await client.next('snapshot');
    const bad = ['{', '[]', 'null', '"x"', '{"type":"pause","type2":1}', '{"type":"__proto__"}', '{"__proto__":{"type":"pause"}}', '{"type":"subscribe","symbols":[1]}', `{"type":"explain","trader":"${'t'.repeat(5_000)}","symbol":"x"}`];
    for (const [index, text] of bad.entries()) {
      client.send(text);
      expect(['command_invalid', 'not_found']).toContain((await client.next('error', index)).data.code);
      await new Promise((resolve) => { setTimeout(resolve, 60); });
    }
  });

  test('flooding: with messages, with pings, with commands, with connections, with calls', async () => {
    for (const flood of [(client: RawClient) => client.send({ type: 'ping' }), (client: RawClient) => client.socket.ping(), (client: RawClient) => client.send({ type: 'sync' })]) {
      const client = connect(await at.ticket());
      const { data: { session } } = await client.next('hello');
      for (let i = 0; i < 500; i += 1) flood(client);
      expect(await client.closed).toEqual({ code: FEED_CLOSE.tooFast, reason: 'too_fast' });
      // where a busy machine spreads them over seconds, a second helping is as good
      await until('calls are refused', async () => (await Promise.all(Array.from({ length: 60 }, () => rest('/v1/status', session)))).some(([, code]) => code === 'too_fast'));
    }
    const [from, began] = [at.said().length, performance.now()];
    const strangers = Array.from({ length: 300 }, () => connect('x.y.z'));
    const ended = await Promise.all(strangers.map(({ closed }) => closed));
    // Each is closed with a code or, beyond what is borne at once, refused outright.
    expect(ended.every(({ code }) => code === FEED_CLOSE.ticket || code === 1006)).toBe(true);
    // a line a minute at most
    const lines = at.said().slice(from).split('\n').filter((line) => line.includes('"code":"ticket_invalid"'));
    expect(lines.length).toBeLessThanOrEqual(1 + Math.floor((performance.now() - began) / 60_000));
  }, 240_000);

  test('a slow one, that sends its header a byte at a time, keeps nobody else out', async () => {
    const { port, hostname } = new URL(at.url);
    for (let i = 0; i < 50; i += 1) {
      const socket = connectTcp(Number(port), hostname, () => socket.write('G'));
      socket.on('error', () => {});
      sockets.push(socket);
    }
    expect((await fetch(`${at.url}/health`)).status).toBe(200);
  });

  test('a page of another origin gets in neither with a ticket nor by fetch', async () => {
    const client = connectRaw(at, await at.ticket(), '', { origin: 'https://evil.example' });
    clients.push(client);
    expect((await client.closed).code).toBe(1006);
    const answer = await fetch(`${at.url}/v1/status`, { method: 'OPTIONS', headers: { origin: 'https://evil.example', 'access-control-request-headers': 'authorization' } });
    expect(answer.headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('metrics', () => {
  test('are on the private port alone, however they are asked for', async () => {
    expect(await (await fetch(`${at.privateUrl}/metrics`)).text()).toMatch(/trademind_[^]*process_resident|process_resident[^]*trademind_/);
    const client = connect(await at.ticket());
    const { data: { session } } = await client.next('hello');
    for (const path of ['/metrics', '/metrics/', '//metrics', '/v1/metrics', '/v1/../metrics', '/%6detrics', '/metrics?x', '/METRICS', '/ready/../metrics', '/debug', '/.env']) {
      const heard = await raw(`GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${session}\r\nConnection: close\r\n\r\n`);
      expect(heard, path).toMatch(/^HTTP\/1\.1 404/);
      expect(heard).not.toMatch(/trademind_|process_resident/);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) expect((await fetch(`${at.url}/metrics`, { method })).status).toBe(404);
  });

  test('are not to be had wherever the public port is: on another address of this computer that one answers, the private one does not', async () => {
    await at.restart({ HOST: '127.0.0.2' });
    const [port, privatePort] = [new URL(at.url).port, new URL(at.privateUrl).port];
    expect((await fetch(`http://127.0.0.2:${port}/health`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${privatePort}/metrics`)).status).toBe(200);
    await expect(fetch(`http://127.0.0.2:${privatePort}/metrics`)).rejects.toThrow();
    await at.restart();
  }, 240_000);

  test('have no way in from outside: what Fly is told to serve is the public port alone', () => {
    const config = machineConfig({ image: `r/m@sha256:${'0'.repeat(64)}`, env: {}, guest: { cpuKind: 'shared', cpus: 1, memoryMb: 256 }, volumeId: 'v', metadata: {} });
    expect(config.services?.map(({ internal_port: port }) => port)).toEqual([8080]);
    expect(config.metrics).toEqual({ port: 9091, path: '/metrics' });
  });
});
