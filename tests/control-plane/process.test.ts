import { spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { callApi, controlPlaneEnv, spawnTestControlPlane } from '../support/control-plane.ts';
import { eventually } from '../support/fly.ts';

const NOWHERE = { url: 'http://127.0.0.1:9/v1', edgeUrl: 'http://127.0.0.1:9' };
const project = (url: string) => {
  const machineSigningJwk = { ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }), kid: 'k' };
  return { url, secretKey: 'sb_secret_of_nobody', publishableKey: 'sb_publishable_of_nobody', machineSigningJwk };
};

test('an environment that cannot work is refused with all that is wrong, exit code 78, and no secret in it', async () => {
  const env = { ...controlPlaneEnv(project('http://127.0.0.1:9'), NOWHERE), MACHINE_IMAGE: 'machine:latest', TICKET_JWK: '{"d":"a-secret"}', FLY_API_TOKEN: '' };
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../control-plane/main.ts')], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => { said += chunk.toString(); });
  const [code] = await once(child, 'close') as [number];
  expect(code).toBe(78);
  expect(said).toMatch(/FLY_API_TOKEN is missing/);
  expect(said).toMatch(/MACHINE_IMAGE must be pinned by digest/);
  expect(said).toMatch(/TICKET_JWK must be/);
  expect(said).not.toContain('a-secret');
});

test('it starts while the database is still away, says so, is ready when the database answers, and ends at once on SIGTERM', async () => {
  let away = true;
  const database = createServer((request, response) => {
    if (away) { request.socket.destroy(); return; }
    response.writeHead(200, { 'content-type': 'application/json' }).end('[]');
  });
  database.listen(0, '127.0.0.1');
  await once(database, 'listening');
  const { port } = database.address() as { port: number };
  const replica = await spawnTestControlPlane(controlPlaneEnv(project(`http://127.0.0.1:${port}`), NOWHERE));
  try {
    expect(await callApi(replica.url, null, 'GET', '/healthz')).toMatchObject({ status: 200 });
    expect(await callApi(replica.url, null, 'GET', '/readyz')).toMatchObject({ status: 503, body: { ready: false, checks: { database: { ok: false }, reconciler: { ok: false } } } });
    away = false;
    await eventually(async () => ((await callApi(replica.url, null, 'GET', '/readyz')).status === 200 ? true : undefined));
    const exit = once(replica.child, 'exit');
    replica.child.kill('SIGTERM');
    expect(await exit).toEqual([0, null]);
  } finally {
    await replica.kill('SIGKILL');
    database.closeAllConnections();
    database.close();
  }
});

test('it ends when whoever started it goes away', async () => {
  const replica = await spawnTestControlPlane(controlPlaneEnv(project('http://127.0.0.1:9'), NOWHERE));
  const exit = once(replica.child, 'exit');
  replica.child.disconnect();
  expect(await exit).toEqual([0, null]);
});

test('a taken port is one clear line with a next step', async () => {
  const first = await spawnTestControlPlane(controlPlaneEnv(project('http://127.0.0.1:9'), NOWHERE));
  try {
    await expect(spawnTestControlPlane(controlPlaneEnv(project('http://127.0.0.1:9'), NOWHERE, { PORT: new URL(first.url).port }))).rejects.toThrow(/port_unavailable.*taken by another process.*Choose another with PORT/);
  } finally {
    await first.kill('SIGTERM');
  }
});
