import { createHash } from 'node:crypto';
import type { Fault } from './faults.ts';
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

interface Response { candidates: unknown[]; usageMetadata: unknown; modelVersion: string; responseId: string }
export interface Generated { response: Response; promptTokens: number; outputTokens: number }

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

/** An answer as a fault leaves it. */
export function spoilt(response: Response, { fault, text }: Fault): unknown {
  const saying = (words: string, finishReason = 'STOP') => ({ ...response, candidates: [{ content: { parts: [{ text: words }], role: 'model' }, finishReason, index: 0 }] });
  switch (fault) {
    case 'garbage': return saying('Sure! Here is my view: the chart looks {"good');
    case 'wrong-schema': return saying('{"verdict":"buy","confidence":"very high","keyObservations":[]}');
    case 'answer': return saying(text ?? '');
    case 'blocked': return { ...response, candidates: [{ finishReason: 'SAFETY', index: 0 }] };
    case 'empty': return { ...response, candidates: [] };
    case 'no-usage': {
      const { usageMetadata: _, ...rest } = response;
      return rest;
    }
    default: return response;
  }
}
