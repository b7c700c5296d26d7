import * as z from 'zod/mini';
import { Decision, firstIssue } from '@trademind/core';
import type { Levels } from './levels.ts';

/** Longest texts that are kept of an answer; what is longer is cut, for a model that talks too much is not wrong. */
const LONG = 1_500;
const SHORT = 500;
const OBSERVATIONS = 8;
const LARGEST_ANSWER = 64_000;

const context = Decision.shape.technicalContext.shape;
const Text = z.string().check(z.minLength(1));

/** What the model says, in the order in which it says it: evidence before the verdict. It has no place for a level or a size. */
const Answer = z.object({
  keyObservations: z.array(Text).check(z.minLength(1)),
  trend: context.trend,
  momentum: context.momentum,
  volatility: context.volatility,
  setup: Text,
  execution: Text,
  invalidation: Text,
  reasoning: Text,
  decision: Decision.shape.decision,
  confidence: Decision.shape.confidence,
});
type Answer = z.infer<typeof Answer>;

const choice = (values: readonly string[]) => ({ type: 'STRING', format: 'enum', enum: values });
const PROPERTIES: Record<keyof Answer, unknown> = {
  keyObservations: { type: 'ARRAY', items: { type: 'STRING' }, minItems: 2, maxItems: 6 },
  trend: choice(context.trend.options),
  momentum: choice(context.momentum.options),
  volatility: choice(context.volatility.options),
  setup: { type: 'STRING' },
  execution: { type: 'STRING' },
  invalidation: { type: 'STRING' },
  reasoning: { type: 'STRING' },
  decision: choice(Decision.shape.decision.options),
  confidence: { type: 'INTEGER', minimum: 0, maximum: 100 },
};

/** The same as Gemini's schema. Gemini writes required fields in the order of `required`. */
export const ANSWER_SCHEMA: Readonly<Record<string, unknown>> = { type: 'OBJECT', properties: PROPERTIES, required: Object.keys(PROPERTIES), propertyOrdering: Object.keys(PROPERTIES) };

/** What a text of a model may say of a signal: a decision without the levels and the metadata, or what is wrong with it. */
export function readAnswer(text: string): { answer: Answer } | { wrong: string } {
  if (text.length > LARGEST_ANSWER) return { wrong: `the answer is longer than ${LARGEST_ANSWER} characters` };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { wrong: text.trim() === '' ? 'the answer is empty' : 'the answer is not JSON' };
  }
  const parsed = Answer.safeParse(value);
  if (parsed.success) return { answer: parsed.data };
  const { path, detail } = firstIssue(parsed.error);
  return { wrong: `${path.map(String).join('.') || 'the answer'}: ${detail}` };
}

/** The decision: the model's verdict with the code's levels. */
export function decisionOf(answer: Answer, levels: Levels, metadata: Decision['metadata']): Decision {
  const { riskReward, ...keyLevels } = levels;
  return {
    decision: answer.decision, confidence: Math.round(answer.confidence), reasoning: plain(answer.reasoning, LONG), keyLevels,
    tradePlan: { setup: plain(answer.setup, SHORT), execution: plain(answer.execution, SHORT), invalidation: plain(answer.invalidation, SHORT), riskReward },
    technicalContext: {
      trend: answer.trend, momentum: answer.momentum, volatility: answer.volatility,
      keyObservations: answer.keyObservations.slice(0, OBSERVATIONS).map((text) => plain(text, SHORT)),
    },
    metadata,
  };
}

/** Text of a model as one line that a terminal or a page can show: without control characters, invisible ones and changes of writing direction. */
export function plain(text: string, longest: number): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ').replace(/\s+/g, ' ').trim();
  return line.length <= longest ? line : `${line.slice(0, longest - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
