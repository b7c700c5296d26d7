import { createServer, type Server, type ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { watchEvents, type StreamEvent } from './event-stream.ts';
import { call } from './http.ts';
import { OFFERED_SIZES, parseSize, sizeText } from './size.ts';

let server: Server | undefined;
afterEach(() => { server?.closeAllConnections(); server?.close(); });

/** A server of the test's own; answers its URL. */
async function serve(handler: (path: string, headers: NodeJS.Dict<string | string[]>, response: ServerResponse) => void): Promise<string> {
  server = createServer((request, response) => { handler(request.url ?? '', request.headers, response); });
  await new Promise<void>((resolve) => { server!.listen(0, '127.0.0.1', resolve); });
  const address = server.address() as { port: number };
  return `http://127.0.0.1:${address.port}`;
}
const answer = (status: number, body: unknown) => (_: string, __: unknown, response: ServerResponse) => { response.writeHead(status).end(JSON.stringify(body)); };

describe('a call', () => {
  test.each([
    ['a problem of the control plane', 412, { type: 'about:blank', title: 'T', status: 412, detail: 'It changed.', code: 'generation_mismatch', field: 'if-match', nextStep: 'Read it again.' }, { code: 'generation_mismatch', message: 'It changed.', field: 'if-match', nextStep: 'Read it again.' }],
    ['a refusal of the sign-in', 400, { code: 400, error_code: 'invalid_credentials', msg: 'Invalid login credentials' }, { code: 'invalid_credentials', message: 'Invalid login credentials' }],
    ['a refusal of one of our SQL functions', 404, { code: 'PT404', message: 'machine_not_found', details: 'No machine.', hint: 'Deploy one.' }, { code: 'machine_not_found', message: 'No machine.', nextStep: 'Deploy one.' }],
    ['a body that says nothing', 502, '', { code: 'http_502' }],
  ])('tells %s by its stable code', async (_, status, body, expected) => {
    await expect(call(fetch, await serve(answer(status, body)))).rejects.toMatchObject({ status, ...expected });
  });

  test('that nobody answers, or not in time, or that is cancelled, says which', async () => {
    await expect(call(fetch, 'http://127.0.0.1:1/')).rejects.toMatchObject({ code: 'unreachable', nextStep: expect.stringContaining('npx trademind status') });
    const url = await serve(() => undefined);
    await expect(call(fetch, url, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'timeout' });
    await expect(call(fetch, url, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('a watch of events', () => {
  test('goes on after the last event seen when the line breaks', async () => {
    const asked: (string | undefined)[] = [];
    const url = await serve((_, headers, response) => {
      asked.push(headers['last-event-id'] as string | undefined);
      const id = asked.length;
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.end(`: hello\n\nid: ${id}\nevent: event\ndata: {"n":${id}}\n\nid: ${id}\ndata: not json\n\n`);
    });
    const end = new AbortController();
    const events: StreamEvent[] = [];
    await watchEvents({ fetch, url, token: () => Promise.resolve('t'), signal: end.signal, onEvent: (event) => { events.push(event); if (events.length === 3) end.abort(); } });
    expect(events.map(({ data }) => data)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    expect(asked.slice(0, 3)).toEqual([undefined, '1', '2']);
  });

  test('that is refused ends with the reason', async () => {
    const url = await serve(answer(404, { type: 'about:blank', title: 'T', status: 404, detail: 'No machine.', code: 'machine_not_found' }));
    await expect(watchEvents({ fetch, url, token: () => Promise.resolve('t'), signal: new AbortController().signal, onEvent: () => {} })).rejects.toMatchObject({ code: 'machine_not_found' });
  });
});

test('every offered size is read back from its own name; a wrong one is refused with an example', () => {
  for (const size of OFFERED_SIZES) expect(parseSize(sizeText(size))).toEqual(size);
  for (const wrong of ['big', 'shared-3x-768', 'shared-1x-100000', 'gpu-1x-512']) expect(() => parseSize(wrong)).toThrow(expect.objectContaining({ code: 'usage', nextStep: expect.stringContaining('shared-1x-512') }));
});
