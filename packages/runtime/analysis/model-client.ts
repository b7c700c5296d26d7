import type { CallResult } from '@trademind/core';

/** How the model is reached: with a key of the user at Google, or with a machine's token at another address that speaks the same protocol. */
export interface ModelAccess { apiKey: string; baseUrl?: string | undefined; headers?: Readonly<Record<string, string>> | undefined }

/** One question. `schema` is in Gemini's subset of OpenAPI; the answer's text is JSON by it. */
export interface ModelRequest {
  model: string;
  system: string;
  prompt: string;
  schema: Readonly<Record<string, unknown>>;
  /** Most tokens that the answer may take, thinking included. */
  maxOutputTokens: number;
}

/** `tokensOut` includes thinking. */
export interface ModelUsage { tokensIn: number; tokensOut: number }
/** `used` is undefined where the model did not say it; `finish`: why it ended (STOP, MAX_TOKENS …). */
export interface ModelAnswer { text: string; used: ModelUsage | undefined; finish: string }

/** Whoever asks a model. Rejects with a ModelError alone; ends at once when the signal aborts. */
export interface ModelClient {
  generate(request: ModelRequest, access: ModelAccess, signal: AbortSignal): Promise<ModelAnswer>;
}

export type FailedResult = Exclude<CallResult, 'answered' | 'interrupted'>;

/** A call without a usable answer. `used`: what it used; 'nothing' where the model surely did no work, 'unknown' where the call broke off. The message holds no secret. */
export class ModelError extends Error {
  readonly result: FailedResult;
  /** The model itself said when to come back. */
  readonly retryAfterMs: number | undefined;
  readonly used: 'nothing' | 'unknown' | ModelUsage;

  constructor(result: FailedResult, message: string, more: { retryAfterMs?: number | undefined; used?: ModelError['used']; cause?: unknown } = {}) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'ModelError';
    this.result = result;
    this.retryAfterMs = more.retryAfterMs;
    this.used = more.used ?? 'nothing';
  }
}
