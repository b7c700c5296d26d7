import { createHash } from 'node:crypto';
import { readFacts } from './facts.ts';
import { answerSchema } from './schema-answer.ts';
import { viewOf } from './view.ts';
import type { GenerateRequest } from './request.ts';
import type { Model } from './models.ts';

/** About four characters make a token, in Gemini's own rule of thumb. */
const CHARACTERS_A_TOKEN = 4;

const tokens = (text: string) => Math.ceil(text.length / CHARACTERS_A_TOKEN);

export function promptHash(seed: string, model: Model, request: GenerateRequest): string {
  return createHash('sha256').update(JSON.stringify([seed, model.name, request.prompt, request.schema ?? null])).digest('hex');
}

export interface Generated { response: unknown; promptTokens: number; outputTokens: number }

/** The answer to one request: a function of the seed, the model, the prompt and the schema. */
export function generate(model: Model, request: GenerateRequest, hash: string): Generated {
  const facts = readFacts(request.prompt);
  const view = viewOf(facts);
  const ground = { facts, view, seed: hash };
  const prose = `${view.reasons.length > 0 ? `${view.reasons.join('; ')}. ` : ''}On balance the ${view.side} side scores ${view.score.toFixed(2)} on a scale from -1 to 1.`;
  const whole = request.json ? JSON.stringify(request.schema ? answerSchema(request.schema as Record<string, unknown>, ground) : { summary: prose, score: view.score }) : prose;
  const cut = tokens(whole) > request.maxOutputTokens;
  const text = cut ? whole.slice(0, request.maxOutputTokens * CHARACTERS_A_TOKEN) : whole;
  const promptTokens = tokens(request.prompt) + (request.schema ? tokens(JSON.stringify(request.schema)) : 0);
  const outputTokens = tokens(text);
  return {
    promptTokens, outputTokens,
    response: {
      candidates: [{ content: { parts: [{ text }], role: 'model' }, finishReason: cut ? 'MAX_TOKENS' : 'STOP', index: 0 }],
      usageMetadata: {
        promptTokenCount: promptTokens, candidatesTokenCount: outputTokens, totalTokenCount: promptTokens + outputTokens,
        promptTokensDetails: [{ modality: 'TEXT', tokenCount: promptTokens }],
      },
      modelVersion: model.baseModelId,
      responseId: hash.slice(0, 22),
    },
  };
}
