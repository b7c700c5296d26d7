import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { eventually, startTestFly, TEST_IMAGES, testMachine, type TestFly } from '../../tests/support/fly.ts';

let cloud: TestFly;
let machineId = '';
beforeAll(async () => {
  cloud = await startTestFly({ runtime: 'process' });
  await cloud.fly.apps.create({ name: 'edge', orgSlug: 'o' });
  const volume = await cloud.fly.volumes.create('edge', { name: 'data', region: 'sin', sizeGb: 1 });
  machineId = (await cloud.fly.machines.create('edge', { name: 'main', region: 'sin', config: testMachine(volume.id) })).id;
  await eventually(async () => ((await fetch(`${cloud.edgeUrl}/edge/`)).ok ? true : undefined));
});
afterAll(() => cloud.close());

test('the prefix is taken off and told, Origin and Authorization pass through', async () => {
  const response = await fetch(`${cloud.edgeUrl}/edge/v1/status?x=1`, { headers: { origin: 'https://dashboard.example', authorization: 'Bearer session' } });
  expect(await response.json()).toMatchObject({
    path: '/v1/status?x=1', headers: { 'x-forwarded-prefix': '/edge', origin: 'https://dashboard.example', authorization: 'Bearer session' },
  });
  expect(await (await fetch(`${cloud.edgeUrl}/edge?y=2`)).json()).toMatchObject({ path: '/?y=2' });
});

test('a WebSocket reaches the machine with its subprotocols and origin untouched', async () => {
  const socket = new WebSocket(`${cloud.edgeUrl.replace('http', 'ws')}/edge/v1/feed`, ['trademind.v1', 'ticket.abc'], { origin: 'https://dashboard.example' });
  const first = once(socket, 'message');
  await once(socket, 'open');
  expect(socket.protocol).toBe('trademind.v1');
  const [hello] = await first as [Buffer];
  expect(JSON.parse(hello.toString())).toEqual({ path: '/v1/feed', origin: 'https://dashboard.example', offered: 'trademind.v1,ticket.abc' });
  const echo = once(socket, 'message');
  socket.send('ping');
  const [answer] = await echo as [Buffer];
  expect(answer.toString()).toBe('ping');
  socket.close();
  await once(socket, 'close');
});

test('clients that vanish from a WebSocket end nobody but themselves', async () => {
  const ended: unknown[] = [];
  const heard = (error: unknown) => { ended.push(error); };
  process.on('uncaughtException', heard);
  try {
    for (let at = 0; at < 5; at += 1) {
      const socket = new WebSocket(`${cloud.edgeUrl.replace('http', 'ws')}/edge/v1/feed`, ['trademind.v1', 'ticket.abc']);
      socket.on('error', () => undefined);
      await once(socket, 'message');
      const gone = once(socket, 'close');
      // as one whose computer loses its network: a reset in the middle of what is said
      (socket as unknown as { _socket: Socket })._socket.resetAndDestroy();
      await gone;
    }
    await eventually(async () => ((await fetch(`${cloud.edgeUrl}/edge/`)).ok ? true : undefined));
  } finally {
    process.off('uncaughtException', heard);
  }
  expect(ended).toEqual([]);
});

test('an unknown app is 404, an app without a started machine 503, over HTTP and WebSocket', async () => {
  const missing = await fetch(`${cloud.edgeUrl}/nobody/health`);
  expect([missing.status, await missing.json()]).toEqual([404, { error: 'no such app' }]);
  await cloud.fly.apps.create({ name: 'empty', orgSlug: 'o' });
  const empty = await fetch(`${cloud.edgeUrl}/empty/health`);
  expect([empty.status, await empty.json()]).toEqual([503, { error: 'no started machine' }]);
  const socket = new WebSocket(`${cloud.edgeUrl.replace('http', 'ws')}/empty/v1/feed`);
  const [error] = await once(socket, 'error') as [Error];
  expect(error.message).toContain('503');
});

test('a cordoned machine gets no visitors until it is uncordoned', async () => {
  await cloud.fly.machines.cordon('edge', machineId);
  expect((await fetch(`${cloud.edgeUrl}/edge/`)).status).toBe(503);
  await cloud.fly.machines.uncordon('edge', machineId);
  expect((await fetch(`${cloud.edgeUrl}/edge/`)).status).toBe(200);
});

test('a foreign host name is refused', async () => {
  const status = await new Promise((resolve) => {
    httpRequest({ host: '127.0.0.1', port: new URL(cloud.edgeUrl).port, path: '/edge/', headers: { host: 'rebound.example' } }, (response) => { response.resume(); resolve(response.statusCode); }).end();
  });
  expect(status).toBe(421);
});

test('a simulated machine answers that it is ready once it is started', async () => {
  const simulated = await startTestFly();
  await simulated.fly.apps.create({ name: 'sim', orgSlug: 'o' });
  const made = await simulated.fly.machines.create('sim', { name: 'main', region: 'sin', config: { image: TEST_IMAGES.tiny, services: [{ protocol: 'tcp', internal_port: 8080 }] } });
  await simulated.fly.machines.wait('sim', made.id, { state: 'started' });
  expect((await fetch(`${simulated.edgeUrl}/sim/ready`)).status).toBe(200);
  expect((await fetch(`${simulated.edgeUrl}/sim/v1/status`)).status).toBe(404);
  await simulated.close();
});
