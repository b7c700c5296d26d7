import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';
import { httpFetch } from './http-fetch.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  // Kept connections outlive a stall.
  const server = createServer({ keepAliveTimeout: 120_000 }, listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test('what is sent arrives, and what is answered is read: status, headers of any case, the text', async () => {
  const url = await serve((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => {
      response.writeHead(201, { 'X-Used': '7' }).end(`${request.method} ${request.url} ${request.headers.authorization} ${request.headers['content-length']} ${Buffer.concat(chunks).toString()}`);
    });
  });
  const answer = await httpFetch(`${url}/a?b=c`, { method: 'POST', headers: { authorization: 'Bearer x' }, body: '„é"' });
  expect(answer).toMatchObject({ ok: true, status: 201 });
  expect([answer.headers.get('x-used'), answer.headers.get('X-USED'), answer.headers.get('absent')]).toEqual(['7', '7', null]);
  expect(await answer.text()).toBe('POST /a?b=c Bearer x 6 „é"');
});

test('a packed answer is unpacked, an empty one is empty', async () => {
  const url = await serve((request, response) => {
    expect(request.headers['accept-encoding']).toBe('gzip');
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(request.url === '/empty' ? '' : gzipSync('much '.repeat(1_000)));
  });
  expect(await (await httpFetch(`${url}/full`)).text()).toBe('much '.repeat(1_000));
  expect(await (await httpFetch(`${url}/empty`)).text()).toBe('');
});

test('a redirect is an answer that is not ok: what was sent goes nowhere else', async () => {
  let asked = 0;
  const url = await serve((_, response) => {
    asked += 1;
    response.writeHead(302, { location: '/elsewhere' }).end();
  });
  expect(await httpFetch(url, { headers: { authorization: 'Bearer x' } })).toMatchObject({ ok: false, status: 302 });
  expect(asked).toBe(1);
});

test('an end in the middle of an answer, a bad packing and a closed port are errors of the system', async () => {
  const url = await serve((request, response) => {
    if (request.url === '/packed') response.writeHead(200, { 'content-encoding': 'gzip' }).end('not packed');
    else response.writeHead(200, { 'content-length': '100' }).write('half', () => response.destroy());
  });
  await expect(httpFetch(`${url}/half`)).rejects.toMatchObject({ code: 'ECONNRESET' });
  await expect(httpFetch(`${url}/packed`)).rejects.toMatchObject({ code: 'Z_DATA_ERROR' });
  await expect(httpFetch('http://127.0.0.1:1/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
});

test('a signal ends it before, while nothing answers, and in the middle of the answer, with its own reason', async () => {
  const url = await serve((request, response) => { if (request.url === '/slow') response.writeHead(200).write('begun'); });
  const reason = new Error('enough');
  await expect(httpFetch(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  for (const path of ['/silent', '/slow']) {
    const ending = new AbortController();
    const asked = httpFetch(url + path, { signal: ending.signal });
    setTimeout(() => ending.abort(reason), 50);
    await expect(asked).rejects.toBe(reason);
  }
});

test('a kept connection that the other side closes just now is not an error: the request is sent again, once', async () => {
  let answers = 0;
  const sockets: Socket[] = [];
  const url = await serve((request, response) => {
    answers += 1;
    sockets.push(request.socket);
    // The first is answered and its connection kept; the next on it finds it closed.
    if (answers === 2) request.socket.resetAndDestroy();
    else response.end('here');
  });
  expect(await (await httpFetch(url)).text()).toBe('here');
  expect(await (await httpFetch(url)).text()).toBe('here');
  expect(answers).toBe(3);
  expect(sockets[1]).toBe(sockets[0]);
  expect(sockets[2]).not.toBe(sockets[1]);
});
