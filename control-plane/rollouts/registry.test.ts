import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createImageRegistry, partsOf } from './registry.ts';

const DIGEST = `sha256:${'a'.repeat(64)}`;
const seen: { url: string; authorization: string | undefined }[] = [];
let answer: (request: IncomingMessage) => { status: number; headers?: Record<string, string>; body?: string };
let url: string;
const server = createServer((request, response) => {
  seen.push({ url: `${request.method} ${request.url}`, authorization: request.headers.authorization });
  const { status, headers, body } = answer(request);
  response.writeHead(status, headers).end(body);
});
beforeAll(async () => {
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
beforeEach(() => { seen.length = 0; });
afterAll(() => { server.close(); });
const has = (image = `registry.local/team/machine@${DIGEST}`, base: string | undefined = url) => createImageRegistry({ fetch, url: base, flyToken: 'fly-secret', timeoutMs: 60_000 }).has(image);
const BASIC = `Basic ${Buffer.from('x:fly-secret').toString('base64')}`;

test('an image is there when its registry shows the manifest of that digest', async () => {
  answer = () => ({ status: 200, headers: { 'docker-content-digest': DIGEST } });
  expect(await has()).toBe(true);
  expect(seen).toEqual([{ url: `HEAD /v2/team/machine/manifests/${DIGEST}`, authorization: undefined }]);
  answer = () => ({ status: 404 });
  expect(await has()).toBe(false);
  answer = () => ({ status: 200, headers: { 'docker-content-digest': `sha256:${'b'.repeat(64)}` } });
  expect(await has()).toBe(false);
});

test('a registry that asks who we are is told, by Basic or with a token of its own', async () => {
  answer = (request) => (request.headers.authorization === BASIC ? { status: 200 } : { status: 401, headers: { 'www-authenticate': 'Basic realm="registry"' } });
  expect(await has()).toBe(true);
  answer = (request) => {
    if (request.url?.startsWith('/token')) return { status: 200, body: JSON.stringify({ token: 'short-lived' }) };
    return request.headers.authorization === 'Bearer short-lived' ? { status: 200 } : { status: 401, headers: { 'www-authenticate': `Bearer realm="${url}/token",service="reg",scope="repository:team/machine:pull"` } };
  };
  expect(await has()).toBe(true);
  expect(seen.find((one) => one.url.startsWith('GET /token'))).toEqual({ url: 'GET /token?service=reg&scope=repository%3Ateam%2Fmachine%3Apull', authorization: BASIC });
});

test('our token goes to no other host, wherever a registry points', async () => {
  const elsewhere: (string | undefined)[] = [];
  const call = ((input: string, init?: RequestInit) => {
    const { host } = new URL(input);
    if (host !== 'registry.fly.io') elsewhere.push(new Headers(init?.headers).get('authorization') ?? undefined);
    return Promise.resolve(new Response(host === 'evil.example' ? '{}' : null, host === 'registry.fly.io' ? { status: 401, headers: { 'www-authenticate': 'Bearer realm="https://evil.example/token"' } } : { status: 200 }));
  }) as typeof fetch;
  await createImageRegistry({ fetch: call, url: undefined, flyToken: 'fly-secret' }).has(`registry.fly.io/machine@${DIGEST}`).catch(() => undefined);
  await createImageRegistry({ fetch: call, url: undefined, flyToken: 'fly-secret' }).has(`ghcr.io/team/machine@${DIGEST}`);
  expect(elsewhere).toEqual([undefined, undefined]);
});

test('a registry that does not say is not taken for a no', async () => {
  answer = () => ({ status: 500 });
  await expect(has()).rejects.toMatchObject({ code: 'registry_unavailable', message: 'The registry registry.local cannot say whether it has the image: it answers 500.' });
  await expect(has(undefined, 'http://127.0.0.1:1')).rejects.toMatchObject({ code: 'registry_unavailable' });
});

test('an image name is taken apart as Docker reads it', () => {
  expect(partsOf(`registry.fly.io/tm@${DIGEST}`)).toEqual({ host: 'registry.fly.io', repository: 'tm', digest: DIGEST });
  expect(partsOf(`localhost:5000/a/b:1.2@${DIGEST}`)).toEqual({ host: 'localhost:5000', repository: 'a/b', digest: DIGEST });
  expect(partsOf(`library-less@${DIGEST}`)).toEqual({ host: 'registry-1.docker.io', repository: 'library/library-less', digest: DIGEST });
});
