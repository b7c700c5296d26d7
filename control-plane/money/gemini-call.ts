import { MODEL_PRICES, costOf, priceOf, type ModelPrice } from '@trademind/core';
import { z } from 'zod';

/** Tokens of an answer, thinking included, where the request names no fewer. */
const MOST_OUTPUT_TOKENS = 16_384;
const PATH = /^v1(?:beta)?\/models\/([a-z0-9][a-z0-9.-]{0,80}):generateContent$/;

/** What of generateContent may be asked with the platform's key: text in, one text out. Tools, files and caches cost beside the tokens and are not taken. */
const GenerateRequest = z.strictObject({
  contents: z.array(z.strictObject({ role: z.enum(['user', 'model']).optional(), parts: z.array(z.strictObject({ text: z.string() })).min(1).max(50) })).min(1).max(50),
  systemInstruction: z.union([z.string(), z.strictObject({ role: z.string().optional(), parts: z.array(z.strictObject({ text: z.string() })).min(1).max(50) })]).optional(),
  generationConfig: z.strictObject({
    responseMimeType: z.string().optional(), responseSchema: z.unknown(), responseJsonSchema: z.unknown(), candidateCount: z.literal(1).optional(),
    maxOutputTokens: z.number().int().min(1).max(MOST_OUTPUT_TOKENS).optional(), temperature: z.number().optional(), topP: z.number().optional(), topK: z.number().optional(),
    seed: z.number().int().optional(), stopSequences: z.array(z.string()).max(5).optional(), thinkingConfig: z.unknown(),
  }).partial().optional(),
  safetySettings: z.array(z.unknown()).max(20).optional(),
});

const Usage = z.object({ usageMetadata: z.object({ promptTokenCount: z.number().default(0), candidatesTokenCount: z.number().default(0), thoughtsTokenCount: z.number().default(0), totalTokenCount: z.number() }) });

export type PlannedCall =
  | { ok: true; model: string; price: ModelPrice; body: string; mostNanoUsd: number }
  | { ok: false; status: 400 | 404; message: string };

/** The models that can be asked on a day: those with a known price. */
export const modelsOn = (day: string): string[] => [...new Set(MODEL_PRICES.map(({ model }) => model))].filter((model) => priceOf(model, day) !== undefined);

/**
 * What a machine asks, made ready for Google: the body with a bound on its answer, and the most that the call can cost (a token has at least one byte). Pure.
 * @param path what follows `/v1/machine/gemini/`. @param day `2026-11-26`, UTC.
 */
export function planCall(path: string, input: unknown, day: string): PlannedCall {
  const model = PATH.exec(path)?.[1];
  if (model === undefined) return { ok: false, status: 404, message: 'Only models/{model}:generateContent is answered here.' };
  const price = priceOf(model, day);
  if (price === undefined) return { ok: false, status: 404, message: `models/${model} is not offered here. Offered are ${modelsOn(day).join(', ')}.` };
  const parsed = GenerateRequest.safeParse(input);
  if (!parsed.success) return { ok: false, status: 400, message: `The request is not one that is answered here: ${parsed.error.issues[0]?.path.join('.') ?? ''} ${parsed.error.issues[0]?.message ?? ''}`.trim() };
  const maxOutputTokens = parsed.data.generationConfig?.maxOutputTokens ?? MOST_OUTPUT_TOKENS;
  const body = JSON.stringify({ ...parsed.data, generationConfig: { ...parsed.data.generationConfig, maxOutputTokens } });
  return { ok: true, model, price, body, mostNanoUsd: costOf(price, Buffer.byteLength(body), maxOutputTokens) };
}

/** What a call used and cost by the model's own word; null when it did not say. */
export function costOfAnswer(answer: unknown, price: ModelPrice): { tokensIn: number; tokensOut: number; nanoUsd: number } | null {
  const said = Usage.safeParse(answer);
  if (!said.success) return null;
  const { promptTokenCount: tokensIn, candidatesTokenCount, thoughtsTokenCount, totalTokenCount } = said.data.usageMetadata;
  // whatever is not the prompt is billed as output
  const tokensOut = Math.max(totalTokenCount - tokensIn, candidatesTokenCount + thoughtsTokenCount);
  return { tokensIn, tokensOut, nanoUsd: costOf(price, tokensIn, tokensOut) };
}
