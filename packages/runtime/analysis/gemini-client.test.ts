import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { startTestGemini, type TestGemini } from '../../../tests/support/gemini.ts';
import { ANSWER_SCHEMA, readAnswer } from './answer.ts';
import { GeminiClient } from './gemini-client.ts';
import { ModelError, type ModelAccess } from './model-client.ts';

let gemini: TestGemini;
const servers: Server[] = [];
beforeAll(async () => { gemini = await startTestGemini(); });
afterEach(() => gemini.setFaults([]));
afterAll(async () => {
  await gemini.close();
  for (const server of servers) server.close();
});

const client = new GeminiClient();
const request = { model: 'gemini-2.5-flash', system: 'Judge.', prompt: 'rsi: 24, close: 101, ema50: 100, side: long', schema: ANSWER_SCHEMA, maxOutputTokens: 2_000 };
const ask = (access: Partial<ModelAccess> = {}, signal = new AbortController().signal, over = {}) => client.generate({ ...request, ...over }, { apiKey: gemini.key, baseUrl: gemini.url, ...access }, signal);
const failure = async (asked: Promise<unknown>): Promise<ModelError> => {
  const error = await asked.then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(ModelError);
  return error as ModelError;
};

test('an answer comes in the schema that was asked for, with what it used', async () => {
  const { text, used, finish } = await ask();
  expect(readAnswer(text)).toMatchObject({ answer: { decision: 'enter_trade', trend: 'bullish' } });
  expect(used).toEqual({ tokensIn: expect.any(Number), tokensOut: Math.ceil(text.length / 4) });
  expect(finish).toBe('STOP');
});

test('an answer that was cut off, withheld, empty or says not what it used is told apart', async () => {
  expect(await ask({}, undefined, { maxOutputTokens: 5 })).toMatchObject({ finish: 'MAX_TOKENS', used: { tokensOut: 5 } });
  await gemini.setFaults([{ fault: 'blocked' }]);
  expect(await failure(ask())).toMatchObject({ result: 'blocked', message: expect.stringContaining('SAFETY'), used: { tokensIn: expect.any(Number) } });
  await gemini.setFaults([{ fault: 'empty' }]);
  expect(await ask()).toMatchObject({ text: '', finish: 'none' });
  await gemini.setFaults([{ fault: 'no-usage' }]);
  expect((await ask()).used).toBeUndefined();
});

test('limits per minute and per day, a refused key, an unknown model and a model that fails each have their own result', async () => {
  await gemini.setFaults([{ fault: 'minute-limit', retryAfterSeconds: 12 }]);
  expect(await failure(ask())).toMatchObject({ result: 'rate_limited', retryAfterMs: 12_000, used: 'nothing' });
  await gemini.setFaults([{ fault: 'day-limit' }]);
  expect(await failure(ask())).toMatchObject({ result: 'quota_exhausted', retryAfterMs: undefined });
  for (const status of [408, 500, 503, 504]) {
    await gemini.setFaults([{ fault: 'error', status }]);
    expect(await failure(ask())).toMatchObject({ result: 'server_error', message: expect.stringContaining(String(status)) });
  }
  await gemini.setFaults([]);
  expect(await failure(ask({ apiKey: 'another' }))).toMatchObject({ result: 'key_refused', message: expect.stringContaining('API key not valid') });
  expect(await failure(ask({}, undefined, { model: 'gemini-0' }))).toMatchObject({ result: 'unknown_model' });
  expect(await failure(ask({}, undefined, { maxOutputTokens: 0 }))).toMatchObject({ result: 'bad_request' });
});

test('the day of a plan is the control plane\'s own: what it says of the next one counts, what Google says beside a quota of its day does not', async () => {
  const refused = async (quotaMetric: string): Promise<ModelError> => {
    const server = createServer((_request, response) => {
      response.writeHead(429, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: { code: 429, message: 'used up', status: 'RESOURCE_EXHAUSTED', details: [
        { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaMetric, quotaId: 'AnalysesPerDayPerUser' }] },
        { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '10800s' },
      ] } }));
    });
    servers.push(server);
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    return failure(ask({ baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }));
  };
  expect(await refused('trademind/analyses')).toMatchObject({ result: 'quota_exhausted', retryAfterMs: 10_800_000 });
  expect(await refused('generativelanguage.googleapis.com/generate_content')).toMatchObject({ result: 'quota_exhausted', retryAfterMs: undefined });
});

test('a connection that breaks off may have cost something, one that was never made did not', async () => {
  for (const fault of ['cut', 'broken-body'] as const) {
    await gemini.setFaults([{ fault }]);
    expect(await failure(ask())).toMatchObject({ result: fault === 'cut' ? 'network' : 'server_error', used: 'unknown' });
  }
  const gone = await serve((_, response) => { response.end(); });
  await new Promise((resolve) => { servers.pop()!.close(resolve); });
  expect(await failure(ask({ baseUrl: gone }))).toMatchObject({ result: 'network', message: 'The model could not be reached.', used: 'nothing' });
  const dying = await serve((incoming) => { incoming.socket.destroy(); });
  expect(await failure(ask({ baseUrl: dying }))).toMatchObject({ result: 'network', message: 'The connection to the model broke off.', used: 'unknown' });
});

test('an abort ends the call at once, also while the answer is under way, and also before it began', async () => {
  await gemini.setFaults([{ fault: 'hang' }]);
  const abort = new AbortController();
  const asked = failure(ask({}, abort.signal));
  await expect.poll(async () => (await gemini.journal()).at(-1)?.outcome).toBe('running');
  abort.abort();
  expect(await asked).toMatchObject({ result: 'aborted', used: 'unknown' });
  await expect.poll(async () => (await gemini.journal()).at(-1)?.outcome).toBe('aborted');
  const calls = (await gemini.journal()).length;
  expect(await failure(ask({}, AbortSignal.abort()))).toMatchObject({ result: 'aborted', used: 'nothing' });
  expect(await gemini.journal()).toHaveLength(calls);

  const halfway = new AbortController();
  const url = await serve((_, response) => { response.writeHead(200, { 'content-type': 'application/json' }).write('{"candidates":', () => setTimeout(() => halfway.abort(), 20)); });
  expect(await failure(ask({ baseUrl: url }, halfway.signal))).toMatchObject({ result: 'aborted', used: 'unknown' });
});

test('thinking counts as output; the key and further headers go where the address says and nowhere into an error', async () => {
  let headers: Record<string, unknown> = {};
  const url = await serve((incoming, response) => {
    headers = incoming.headers;
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({
      candidates: [{ content: { parts: [{ text: '{}' }] }, finishReason: 'STOP' }], usageMetadata: { promptTokenCount: 100, candidatesTokenCount: 20, thoughtsTokenCount: 300, totalTokenCount: 420 },
    }));
  });
  expect(await ask({ baseUrl: `${url}/v1/machine/gemini`, apiKey: 'secret-1', headers: { authorization: 'Bearer machine' } })).toMatchObject({ used: { tokensIn: 100, tokensOut: 320 } });
  expect(headers).toMatchObject({ 'x-goog-api-key': 'secret-1', authorization: 'Bearer machine' });

  const echoing = await serve((_, response) => { response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error: { message: 'bad key secret-2 \u001b[31m', details: [] } })); });
  const { message } = await failure(ask({ baseUrl: echoing, apiKey: 'secret-2' }));
  expect(message).toBe('The request was refused (HTTP 400: bad key …  [31m)');
});

async function serve(answer: Parameters<typeof createServer>[1] & object): Promise<string> {
  const server = createServer(answer as never);
  servers.push(server);
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
