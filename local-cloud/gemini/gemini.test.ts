import { afterEach, describe, expect, test } from 'vitest';
import { GoogleGenerativeAI, GoogleGenerativeAIFetchError, SchemaType, type Schema } from '@google/generative-ai';
import * as fc from 'fast-check';
import { answerSchema } from './schema-answer.ts';
import { readFacts } from './facts.ts';
import { startGemini, type GeminiOptions } from './start.ts';
import { viewOf } from './view.ts';
import type { StandIn } from '../shared/run.ts';

/** Patient enough for a machine under load. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 60_000, interval: 10 });

const open: StandIn[] = [];
afterEach(async () => { await Promise.all(open.splice(0).map((standIn) => standIn.close())); });

async function start(options: Partial<GeminiOptions> = {}): Promise<StandIn> {
  const standIn = await startGemini({ port: 0, token: 'the-key', latencyMs: 0, ...options });
  open.push(standIn);
  return standIn;
}

const model = (standIn: StandIn, generationConfig = {}, key = 'the-key', name = 'gemini-2.5-flash') =>
  new GoogleGenerativeAI(key).getGenerativeModel({ model: name, generationConfig }, { baseUrl: standIn.url });

const DECISION: Schema = {
  type: SchemaType.OBJECT,
  properties: {
    observations: { type: SchemaType.ARRAY, items: { type: SchemaType.STRING }, minItems: 2, maxItems: 4 },
    decision: { type: SchemaType.STRING, format: 'enum', enum: ['enter_trade', 'bad_setup', 'wait'] },
    confidence: { type: SchemaType.INTEGER },
    keyLevels: { type: SchemaType.OBJECT, properties: { entry: { type: SchemaType.NUMBER }, takeProfit: { type: SchemaType.ARRAY, items: { type: SchemaType.NUMBER } } }, required: ['entry', 'takeProfit'] },
    reasoning: { type: SchemaType.STRING },
  },
  required: ['observations', 'decision', 'confidence', 'keyLevels', 'reasoning'],
} as Schema;
const JSON_ANSWER = { responseMimeType: 'application/json', responseSchema: DECISION };
const prompt = (rsi: number, close: number) => `Judge this setup. Data: ${JSON.stringify({ symbol: 'BTCUSDT', side: 'long', indicators: { rsi14: rsi, ema50: 100 }, close, entry: close, takeProfit: [103, 105, 110] })}`;

interface Decision { observations: string[]; decision: string; confidence: number; keyLevels: { entry: number; takeProfit: number[] }; reasoning: string }

async function failure(promise: Promise<unknown>): Promise<GoogleGenerativeAIFetchError> {
  const error = await promise.then(() => null, (reason: unknown) => reason);
  expect(error).toBeInstanceOf(GoogleGenerativeAIFetchError);
  return error as GoogleGenerativeAIFetchError;
}

const call = async (standIn: StandIn, path: string, headers: Record<string, string> = { 'x-goog-api-key': 'the-key' }, body?: string) => {
  const response = await fetch(standIn.url + path, body === undefined ? { headers } : { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body });
  return { status: response.status, body: (await response.json()) as { error?: { status: string; message: string }; models?: { name: string }[] } };
};

/** Says where a value breaks its schema; written apart from what fills it. */
function misfit(value: unknown, of: Record<string, unknown>, path = '$'): string | null {
  const [low, high] = [of['minimum'] as number ?? -Infinity, of['maximum'] as number ?? Infinity];
  if (of['enum']) return (of['enum'] as unknown[]).includes(value) ? null : path;
  switch (String(of['type']).toLowerCase()) {
    case 'integer': return Number.isInteger(value) && (value as number) >= low && (value as number) <= high ? null : path;
    case 'number': return typeof value === 'number' && value >= low && value <= high ? null : path;
    case 'boolean': return typeof value === 'boolean' ? null : path;
    case 'string': return typeof value === 'string' && value.length >= (of['minLength'] as number) && value.length <= (of['maxLength'] as number) ? null : path;
    case 'array': {
      if (!Array.isArray(value) || value.length < (of['minItems'] as number) || value.length > (of['maxItems'] as number)) return path;
      return value.map((item, i) => misfit(item, of['items'] as Record<string, unknown>, `${path}[${i}]`)).find((found) => found !== null) ?? null;
    }
    default: return Object.entries(of['properties'] as Record<string, Record<string, unknown>>)
      .map(([name, inner]) => misfit((value as Record<string, unknown>)[name], inner, `${path}.${name}`)).find((found) => found !== null) ?? null;
  }
}

describe('the real SDK', () => {
  test('gets a decision that fits its schema and follows the numbers of the prompt', async () => {
    const standIn = await start();
    const ask = async (rsi: number, close: number) => {
      const { response } = await model(standIn, JSON_ANSWER).generateContent(prompt(rsi, close));
      return { response, decision: JSON.parse(response.text()) as Decision };
    };
    const good = await ask(22, 101);
    expect(good.decision.decision).toBe('enter_trade');
    expect(good.decision.keyLevels).toEqual({ entry: 101, takeProfit: [103, 105, 110] });
    expect(good.decision.reasoning).toContain('RSI 22 is oversold');
    expect(good.decision.observations.length).toBeGreaterThanOrEqual(2);
    expect((await ask(85, 97)).decision.decision).toBe('bad_setup');
    expect((await ask(50, 100)).decision.decision).toBe('wait');
    expect((await ask(22, 101)).decision).toEqual(good.decision);

    const { usageMetadata, candidates } = good.response;
    expect(usageMetadata?.candidatesTokenCount).toBe(Math.ceil(good.response.text().length / 4));
    expect(usageMetadata?.totalTokenCount).toBe((usageMetadata?.promptTokenCount ?? 0) + (usageMetadata?.candidatesTokenCount ?? 0));
    expect(candidates?.[0]?.finishReason).toBe('STOP');
  });

  test('is cut off at maxOutputTokens and is told so', async () => {
    const { response } = await model(await start(), { maxOutputTokens: 5 }).generateContent('rsi: 24, close: 100, ema: 98');
    expect(response.candidates?.[0]?.finishReason).toBe('MAX_TOKENS');
    expect(response.usageMetadata?.candidatesTokenCount).toBe(5);
  });

  test('is refused with a wrong key, an unknown model and empty contents, each in Google\'s words', async () => {
    const standIn = await start();
    const wrongKey = await failure(model(standIn, {}, 'another').generateContent('hello'));
    expect([wrongKey.status, wrongKey.errorDetails?.[0]]).toEqual([400, expect.objectContaining({ reason: 'API_KEY_INVALID' })]);
    expect(wrongKey.message).not.toContain('the-key');
    const noModel = await failure(model(standIn, {}, 'the-key', 'gemini-0').generateContent('hello'));
    expect([noModel.status, noModel.message]).toEqual([404, expect.stringContaining('models/gemini-0 is not found')]);
    const empty = await failure(model(standIn).generateContent(''));
    expect([empty.status, empty.message]).toEqual([400, expect.stringContaining('must not be empty')]);
    const schemaOnly = await failure(model(standIn, { responseSchema: DECISION }).generateContent('hello'));
    expect([schemaOnly.status, schemaOnly.message]).toEqual([400, expect.stringContaining('response_schema')]);
  });

  test('is told after 60 requests a minute when it may come back, and may then', async () => {
    let now = 1_000_000;
    const standIn = await start({ now: () => now });
    for (let i = 0; i < 60; i++) {
      await model(standIn).generateContent('hello');
      now += 500;
    }
    const limited = await failure(model(standIn).generateContent('hello'));
    expect(limited.status).toBe(429);
    expect(limited.errorDetails).toContainEqual(expect.objectContaining({ retryDelay: '30s' }));
    now += 30_000;
    await model(standIn).generateContent('hello');
    expect(await (await fetch(`${standIn.url}/_stand-in/usage`)).json()).toMatchObject({ requests: 62, answered: 61, limited: 1 });
  });

  test('can abort: the stand-in notices and does not count an answer', async () => {
    const standIn = await start({ latencyMs: 20_000 });
    const abort = new AbortController();
    const asked = model(standIn).generateContent('hello', { signal: abort.signal });
    const usage = async () => (await (await fetch(`${standIn.url}/_stand-in/usage`)).json()) as { requests: number; aborted: number; answered: number };
    await eventually(async () => (await usage()).requests).toBe(1);
    abort.abort();
    await expect(asked).rejects.toThrow();
    await eventually(async () => (await usage()).aborted).toBe(1);
    expect((await usage()).answered).toBe(0);
  });
});

describe('the wire', () => {
  test('lists the models to a caller with the key only, and never takes a key from a URL', async () => {
    const standIn = await start();
    expect((await call(standIn, '/v1beta/models')).body.models?.map(({ name }) => name)).toContain('models/gemini-2.5-flash');
    expect((await call(standIn, '/v1/models/gemini-2.5-pro')).status).toBe(200);
    expect(await call(standIn, '/v1beta/models', {})).toMatchObject({ status: 403, body: { error: { status: 'PERMISSION_DENIED' } } });
    expect(await call(standIn, '/v1beta/models?key=the-key')).toMatchObject({ status: 400, body: { error: { message: expect.stringContaining('header x-goog-api-key') } } });
  });

  test('names the field that is wrong', async () => {
    const standIn = await start();
    const path = '/v1beta/models/gemini-2.5-flash:generateContent';
    const refused = async (body: string) => (await call(standIn, path, { 'x-goog-api-key': 'the-key' }, body)).body.error;
    expect(await refused('{')).toMatchObject({ status: 'INVALID_ARGUMENT' });
    expect((await refused('{"prompt":"x"}'))?.message).toContain('Unknown name "prompt"');
    expect((await refused('{"contents":[]}'))?.message).toContain('contents is not specified');
    expect((await refused('{"contents":[{"role":"system","parts":[{"text":"x"}]}]}'))?.message).toContain('valid role');
    expect((await refused('{"contents":[{"parts":[{"text":"x"}]}],"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"NO"}]}'))?.message).toContain('safety_settings[0].threshold');
    expect((await call(standIn, '/v1beta/models/gemini-2.5-flash:embedContent', { 'x-goog-api-key': 'the-key' }, '{}')).status).toBe(404);
  });

  test('refuses a foreign origin and a body that is not JSON', async () => {
    const standIn = await start();
    expect((await fetch(`${standIn.url}/v1beta/models`, { headers: { origin: 'https://evil.example' } })).status).toBe(403);
    expect((await fetch(`${standIn.url}/v1beta/models/gemini-2.5-flash:generateContent`, { method: 'POST', body: 'x' })).status).toBe(415);
  });
});

describe('faults on request', () => {
  const admin = async (standIn: StandIn, path: string, body?: unknown) => {
    const response = await fetch(`${standIn.url}/_stand-in/${path}`, { headers: { 'x-goog-api-key': 'the-key', 'content-type': 'application/json' }, ...(body === undefined ? {} : { method: 'PUT', body: JSON.stringify(body) }) });
    return { status: response.status, body: (await response.json()) as { faults?: unknown[]; entries?: { fault: string | null; status: number | null; outcome: string; endedAt: number | null }[]; error?: { message: string; details?: unknown } } };
  };

  test('strike so often, that share of the calls, or one model, and the journal says which', async () => {
    const standIn = await start({ seed: 'shares', requestsPerMinute: 1_000 });
    await admin(standIn, 'faults', [{ fault: 'error', status: 503, times: 2 }, { fault: 'garbage', share: 0.5, model: 'gemini-2.5-flash' }]);
    for (let i = 0; i < 2; i++) expect((await failure(model(standIn).generateContent('hello'))).status).toBe(503);
    const texts = [];
    for (let i = 0; i < 60; i++) texts.push((await model(standIn, JSON_ANSWER).generateContent(prompt(22, 101))).response.text());
    const garbage = texts.filter((text) => text.startsWith('Sure!')).length;
    expect(garbage).toBeGreaterThan(15);
    expect(garbage).toBeLessThan(45);
    await model(standIn, {}, 'the-key', 'gemini-2.5-pro').generateContent('hello');
    const { entries } = (await admin(standIn, 'journal')).body;
    expect(entries).toHaveLength(63);
    expect(entries!.slice(0, 2)).toEqual([expect.objectContaining({ fault: 'error', status: 503, outcome: 'refused' }), expect.objectContaining({ fault: 'error', outcome: 'refused' })]);
    expect(entries!.filter(({ fault }) => fault === 'garbage')).toHaveLength(garbage);
    expect(entries!.at(-1)).toMatchObject({ fault: null, status: 200, outcome: 'answered', endedAt: expect.any(Number) });
    expect((await admin(standIn, 'faults', [])).body).toEqual({ faults: [] });
    expect((await admin(standIn, 'journal?after=62')).body.entries).toHaveLength(1);
  });

  test('look as they do upstream', async () => {
    const standIn = await start();
    const struck = async (fault: Record<string, unknown>) => {
      await admin(standIn, 'faults', [fault]);
      return model(standIn, JSON_ANSWER).generateContent(prompt(22, 101));
    };
    const quota = (error: GoogleGenerativeAIFetchError) => JSON.stringify(error.errorDetails);
    expect(quota(await failure(struck({ fault: 'minute-limit', retryAfterSeconds: 7 })))).toMatch(/PerMinute.*"retryDelay":"7s"/);
    expect(quota(await failure(struck({ fault: 'day-limit' })))).toMatch(/PerDay/);
    expect((await struck({ fault: 'wrong-schema' })).response.text()).toContain('verdict');
    expect((await struck({ fault: 'answer', text: '{"a":1}' })).response.text()).toBe('{"a":1}');
    expect((await struck({ fault: 'empty' })).response.text()).toBe('');
    expect((await struck({ fault: 'no-usage' })).response.usageMetadata).toBeUndefined();
    const blocked = (await struck({ fault: 'blocked' })).response;
    expect(() => blocked.text()).toThrow('SAFETY');
    await expect(struck({ fault: 'broken-body' })).rejects.toThrow(SyntaxError);
    await expect(struck({ fault: 'cut' })).rejects.toThrow();
    expect((await admin(standIn, 'journal')).body.entries?.at(-1)).toMatchObject({ fault: 'cut', outcome: 'broken' });
  });

  test('are for the holder of the key, and a fault that is none is named', async () => {
    const standIn = await start();
    expect((await fetch(`${standIn.url}/_stand-in/journal`)).status).toBe(403);
    expect((await fetch(`${standIn.url}/_stand-in/faults`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '[]' })).status).toBe(403);
    for (const [wrong, field] of [[[{ fault: 'fire' }], '[0].fault'], [[{ fault: 'slow', ms: -1 }], '[0].ms'], [[{ fault: 'slow', when: 'now' }], '[0].when'], [{}, undefined]] as const) {
      const { status, body } = await admin(standIn, 'faults', wrong);
      expect([status, JSON.stringify(body.error)]).toEqual([400, field === undefined ? expect.any(String) : expect.stringContaining(field)]);
    }
    expect((await admin(standIn, 'nothing')).status).toBe(404);
  });
});

describe('answers', () => {
  const leaf = fc.oneof(
    fc.record({ minimum: fc.integer({ min: -50, max: 50 }), span: fc.integer({ min: 0, max: 100 }), type: fc.constantFrom('INTEGER', 'integer', 'number') })
      .map(({ minimum, span, type }) => ({ type, minimum, maximum: minimum + span })),
    fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }).map((values) => ({ type: 'STRING', enum: values })),
    fc.record({ type: fc.constant('string'), minLength: fc.nat(10), maxLength: fc.integer({ min: 10, max: 40 }) }),
    fc.constant({ type: 'BOOLEAN' }),
  );
  const { schema } = fc.letrec<{ schema: Record<string, unknown> }>((tie) => ({
    schema: fc.oneof(
      { maxDepth: 4 }, leaf,
      fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: fc.nat(2), maxItems: fc.integer({ min: 2, max: 4 }) }),
      fc.dictionary(fc.constantFrom('confidence', 'rsi', 'entry', 'trend', 'reasoning', 'x'), tie('schema')).map((properties) => ({ type: 'OBJECT', properties, required: Object.keys(properties) })),
    ),
  }));

  test('fit any schema, whatever the prompt, and are the same again', () => {
    fc.assert(fc.property(schema, fc.string(), fc.string(), (asked, text, seed) => {
      const facts = readFacts(`{"rsi": 200.5, "confidence": -7, "trend": "up"} ${text}`);
      const ground = { facts, view: viewOf(facts), seed };
      const answer = answerSchema(asked, ground);
      expect(misfit(answer, asked)).toBeNull();
      expect(answerSchema(asked, ground)).toEqual(answer);
    }), { numRuns: 300 });
  });

  test('resolve references and leave out null alternatives', () => {
    const facts = readFacts('');
    const asked = { type: 'object', properties: { a: { $ref: '#/$defs/n' }, b: { anyOf: [{ type: 'null' }, { const: 7 }] }, c: { type: ['null', 'boolean'] } }, $defs: { n: { type: 'integer', minimum: 3, maximum: 3 } } };
    expect(answerSchema(asked, { facts, view: viewOf(facts), seed: '' })).toEqual({ a: 3, b: 7, c: expect.any(Boolean) });
    expect(() => answerSchema({ type: 'array', items: { $ref: '#' }, minItems: 1 }, { facts, view: viewOf(facts), seed: '' })).toThrow('nested deeper');
  });

  test('read numbers from JSON and from words, and judge a short the other way round', () => {
    const facts = readFacts('Side: see data. RSI(14): 81.5, volume ratio = 2 and {"side":"short","close":"99","trend":"down"}');
    expect(Object.fromEntries(facts.numbers)).toEqual({ close: 99, rsi: 81.5, volumeratio: 2 });
    expect(viewOf(facts)).toMatchObject({ side: 'short', trend: 'bearish' });
    expect(viewOf(facts).score).toBeGreaterThan(0.25);
  });
});
