import fc from 'fast-check';
import { costOf, MODEL_PRICES } from '@trademind/core';
import { expect, test } from 'vitest';
import { costOfAnswer, modelsOn, planCall } from './gemini-call.ts';

const DAY = '2026-11-26';
const PATH = 'v1beta/models/gemini-3.5-flash-lite:generateContent';
const contents = [{ role: 'user', parts: [{ text: 'rsi: 24' }] }];

test('a call is bounded before it is made: the answer by a number of tokens, the cost by that and by the bytes of what is asked', () => {
  const plan = planCall(PATH, { contents }, DAY);
  if (!plan.ok) throw new Error(plan.message);
  expect(JSON.parse(plan.body)).toEqual({ contents, generationConfig: { maxOutputTokens: 16_384 } });
  expect(plan.mostNanoUsd).toBe(costOf(plan.price, Buffer.byteLength(plan.body), 16_384));
  const smaller = planCall(PATH, { contents, generationConfig: { maxOutputTokens: 100 } }, DAY);
  expect(smaller.ok && smaller.mostNanoUsd).toBeLessThan(plan.mostNanoUsd);
});

test('whatever a model says it used within those bounds costs no more than was set aside', () => {
  fc.assert(fc.property(fc.string({ maxLength: 3_000, unit: 'binary' }), fc.integer({ min: 1, max: 16_384 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (text, most, ofInput, ofOutput) => {
    const plan = planCall(PATH, { contents: [{ parts: [{ text }] }], generationConfig: { maxOutputTokens: most } }, DAY);
    if (!plan.ok) throw new Error(plan.message);
    // a token has at least one byte
    const promptTokenCount = Math.floor(ofInput * Buffer.byteLength(text));
    const candidatesTokenCount = Math.floor(ofOutput * most);
    const cost = costOfAnswer({ usageMetadata: { promptTokenCount, candidatesTokenCount, totalTokenCount: promptTokenCount + candidatesTokenCount } }, plan.price);
    expect(cost?.nanoUsd).toBeLessThanOrEqual(plan.mostNanoUsd);
  }));
});

test('thinking is output; who says nothing of it has said nothing', () => {
  const [price] = MODEL_PRICES;
  expect(costOfAnswer({ usageMetadata: { promptTokenCount: 10, candidatesTokenCount: 5, thoughtsTokenCount: 20, totalTokenCount: 35 } }, price!)).toMatchObject({ tokensIn: 10, tokensOut: 25 });
  expect(costOfAnswer({ usageMetadata: { promptTokenCount: 10, totalTokenCount: 35 } }, price!)).toMatchObject({ tokensOut: 25 });
  for (const answer of [{}, null, 'x', { usageMetadata: {} }]) expect(costOfAnswer(answer, price!)).toBeNull();
});

test.each<[string, string, unknown, number]>([
  ['another method', PATH.replace('generateContent', 'streamGenerateContent'), { contents }, 404],
  ['a model without a price', 'v1beta/models/gemini-0:generateContent', { contents }, 404],
  ['a model whose price has run out', 'v1beta/models/gemini-2.5-pro:generateContent', { contents }, 404],
  ['a way out of the models', 'v1beta/models/../files:generateContent', { contents }, 404],
  ['tools', PATH, { contents, tools: [{ googleSearch: {} }] }, 400],
  ['a cache', PATH, { contents, cachedContent: 'x' }, 400],
  ['a file', PATH, { contents: [{ parts: [{ fileData: { fileUri: 'x' } }] }] }, 400],
  ['several answers', PATH, { contents, generationConfig: { candidateCount: 2 } }, 400],
  ['a longer answer', PATH, { contents, generationConfig: { maxOutputTokens: 20_000 } }, 400],
  ['nothing', PATH, null, 400],
])('%s is not taken', (_what, path, input, status) => {
  expect(planCall(path, input, '2026-12-02')).toMatchObject({ ok: false, status });
});

test('only models with a price on the day are offered', () => {
  expect(modelsOn('2026-11-26')).toContain('gemini-2.5-pro');
  expect(modelsOn('2026-12-01')).not.toContain('gemini-2.5-pro');
});
