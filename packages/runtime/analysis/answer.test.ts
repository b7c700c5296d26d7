import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Decision } from '@trademind/core';
import { answerSchema } from '../../../tests/support/gemini.ts';
import { ANSWER_SCHEMA, decisionOf, plain, readAnswer } from './answer.ts';
import { levelsOf } from './levels.ts';

const LEVELS = levelsOf('long', 100, 2, [])!;
const METADATA = { latencyMs: 1, tokens: 2, model: 'm', prompt: 'p/1', cached: false };
const GOOD = {
  keyObservations: ['RSI 24'], trend: 'bullish', momentum: 'weak', volatility: 'high', setup: 's', execution: 'e', invalidation: 'i', reasoning: 'r', decision: 'wait', confidence: 55,
};

test('whatever fits the schema that the model gets is an answer, and a decision of the contract', () => {
  fc.assert(fc.property(fc.string(), fc.string(), (text, seed) => {
    const read = readAnswer(JSON.stringify(answerSchema(ANSWER_SCHEMA, text, seed)));
    if (!('answer' in read)) throw new Error(read.wrong);
    expect(Decision.safeParse(decisionOf(read.answer, LEVELS, METADATA)).success).toBe(true);
  }));
});

test('evidence comes before the verdict, in every place that says in which order the model writes', () => {
  const order = Object.keys(ANSWER_SCHEMA['properties'] as object);
  expect(order[0]).toBe('keyObservations');
  expect(order.slice(-3)).toEqual(['reasoning', 'decision', 'confidence']);
  expect(ANSWER_SCHEMA['required']).toEqual(order);
  expect(ANSWER_SCHEMA['propertyOrdering']).toEqual(order);
});

test('what is not in the agreed form is refused, with the field', () => {
  const wrong = (value: unknown) => { const read = readAnswer(typeof value === 'string' ? value : JSON.stringify(value)); return 'wrong' in read ? read.wrong : null; };
  expect(wrong('')).toBe('the answer is empty');
  expect(wrong('Sure! {"decision":"enter_trade"}')).toBe('the answer is not JSON');
  expect(wrong('[]')).toContain('the answer');
  expect(wrong({ ...GOOD, confidence: 101 })).toContain('confidence');
  expect(wrong({ ...GOOD, confidence: '90' })).toContain('confidence');
  expect(wrong({ ...GOOD, decision: 'buy' })).toContain('decision');
  expect(wrong({ ...GOOD, keyObservations: [] })).toContain('keyObservations');
  expect(wrong({ ...GOOD, reasoning: undefined })).toContain('reasoning');
  expect(wrong(`"${'x'.repeat(70_000)}"`)).toContain('longer');
  expect(wrong(GOOD)).toBeNull();
});

test('its words are one line each that a terminal can show, and are cut where they run on', () => {
  const hostile = '\u001b[31mred\u001b[0m\nnext\r\n\u202eback\u202c \u200bhidden\u{e0041}';
  const { reasoning, technicalContext } = decisionOf({ ...GOOD, reasoning: hostile, keyObservations: Array.from({ length: 20 }, () => 'y'.repeat(900)) } as never, LEVELS, METADATA);
  expect(reasoning).toBe('[31mred [0m next back hidden');
  expect(technicalContext.keyObservations).toHaveLength(8);
  expect(technicalContext.keyObservations[0]).toHaveLength(500);
  const anything = fc.array(fc.integer({ min: 0, max: 0x10ffff }), { maxLength: 80 }).map((codes) => String.fromCodePoint(...codes));
  fc.assert(fc.property(anything, fc.integer({ min: 1, max: 50 }), (text, longest) => {
    const line = plain(text, longest);
    expect(line.length).toBeLessThanOrEqual(longest);
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u);
  }));
});
