// The one file that knows Google's SDK: docs/adr/0006-one-file-speaks-to-gemini.md says why and how to swap it.
import { ModelError, type FailedResult, type ModelAccess, type ModelAnswer, type ModelClient, type ModelRequest } from './model-client.ts';
import { watchWire } from './wire-watch.ts';

/** Ends for which a model's own rules stand between us and an answer. */
const BLOCKED = new Set(['SAFETY', 'RECITATION', 'LANGUAGE', 'BLOCKLIST', 'PROHIBITED_CONTENT', 'SPII']);
const LONGEST_WORDS = 200;

interface Usage { promptTokenCount?: number; candidatesTokenCount?: number; thoughtsTokenCount?: number; totalTokenCount?: number }
interface Detail { '@type'?: string; reason?: string; retryDelay?: string; violations?: { quotaMetric?: string; quotaId?: string }[] }

/** Gemini by `generateContent`, at Google's address or any other that speaks the same. The SDK is loaded with the first call. */
export class GeminiClient implements ModelClient {
  async generate(request: ModelRequest, access: ModelAccess, signal: AbortSignal): Promise<ModelAnswer> {
    const { GoogleGenerativeAI } = await import('@google/generative-ai');
    // The SDK does not look whether a signal has aborted before.
    if (signal.aborted) throw new ModelError('aborted', 'The call was given up before it began.');
    const model = new GoogleGenerativeAI(access.apiKey).getGenerativeModel(
      {
        model: request.model, systemInstruction: request.system,
        // Its types know an older form of the schema; it is sent as it is. The temperature stays the model's own.
        generationConfig: { responseMimeType: 'application/json', responseSchema: request.schema as never, maxOutputTokens: request.maxOutputTokens },
      },
      { ...(access.baseUrl !== undefined && { baseUrl: access.baseUrl }), ...(access.headers && { customHeaders: { ...access.headers } }) },
    );
    const { result, surelyNotSent } = watchWire(() => model.generateContent(request.prompt, { signal }));
    const { response } = await result.catch((error: unknown) => { throw failureOf(error, access.apiKey, signal, surelyNotSent() ? 'nothing' : 'unknown'); });
    return answerOf(response);
  }
}

function answerOf(response: { candidates?: { finishReason?: string; content?: { parts?: { text?: string }[] } }[]; promptFeedback?: { blockReason?: string }; usageMetadata?: Usage }): ModelAnswer {
  const { candidates, promptFeedback, usageMetadata = {} } = response;
  const tokensIn = usageMetadata.promptTokenCount ?? 0;
  // Whatever is not the prompt is billed as output: thinking is not among the candidates' tokens.
  const tokensOut = Math.max((usageMetadata.totalTokenCount ?? 0) - tokensIn, (usageMetadata.candidatesTokenCount ?? 0) + (usageMetadata.thoughtsTokenCount ?? 0));
  const used = usageMetadata.totalTokenCount === undefined ? undefined : { tokensIn, tokensOut };
  const [first] = candidates ?? [];
  const finish = first?.finishReason ?? promptFeedback?.blockReason ?? 'none';
  if (BLOCKED.has(finish) || (first === undefined && promptFeedback?.blockReason !== undefined)) throw new ModelError('blocked', `The model does not answer this (${word(finish)}).`, { used: used ?? 'unknown' });
  return { text: (first?.content?.parts ?? []).map((part) => part.text ?? '').join(''), used, finish };
}

/** What an error of the SDK or of the connection means. Its own text may hold the address, so only what Google says of the failure is taken over. */
function failureOf(error: unknown, apiKey: string, signal: AbortSignal, used: 'nothing' | 'unknown'): ModelError {
  if (signal.aborted) return new ModelError('aborted', 'The call was given up.', { used, cause: error });
  const { status, errorDetails, message = '' } = error as { status?: number; errorDetails?: Detail[]; message?: string };
  if (status !== undefined) {
    const details = Array.isArray(errorDetails) ? errorDetails : [];
    const result = resultOf(status, details);
    const said = word(/\] (.*)$/s.exec(message)?.[1]?.replaceAll(apiKey, '…').replace(/ ?\[(?:\{.*\})?\]$/s, '') ?? '');
    return new ModelError(result, `${WORDS[result]} (HTTP ${status}${said ? `: ${said}` : ''})`, { retryAfterMs: result === 'rate_limited' || isOwnQuota(details) ? retryAfter(details) : undefined });
  }
  if (error instanceof SyntaxError) return new ModelError('server_error', 'The answer was not what the protocol says.', { used });
  return new ModelError('network', used === 'nothing' ? 'The model could not be reached.' : 'The connection to the model broke off.', { used, cause: error });
}

const WORDS: Record<FailedResult, string> = {
  rate_limited: 'The limit per minute is reached', quota_exhausted: 'The quota of the day is used up', server_error: 'The model failed', bad_request: 'The request was refused',
  key_refused: 'The key was refused', unknown_model: 'The model is not known', timeout: 'The model took too long', network: 'The model could not be reached', aborted: 'The call was given up',
  blocked: 'The model does not answer this', invalid: 'The answer was not in the agreed form',
};

function resultOf(status: number, details: readonly Detail[]): FailedResult {
  if (status === 429) return details.some(({ violations }) => violations?.some(({ quotaId }) => quotaId?.includes('PerDay'))) ? 'quota_exhausted' : 'rate_limited';
  if (status === 401 || status === 403 || details.some(({ reason }) => reason === 'API_KEY_INVALID')) return 'key_refused';
  if (status === 404) return 'unknown_model';
  return status === 408 || status >= 500 ? 'server_error' : 'bad_request';
}

/** Whether it is our own control plane that says no: its day is not Google's, so its word counts on when the next one begins. */
const isOwnQuota = (details: readonly Detail[]): boolean => details.some(({ violations }) => violations?.some(({ quotaMetric }) => quotaMetric?.startsWith('trademind/')));

/** `retryDelay: "26.5s"` in ms. */
function retryAfter(details: readonly Detail[]): number | undefined {
  const seconds = Number(/^(\d+(?:\.\d+)?)s$/.exec(details.find(({ retryDelay }) => retryDelay !== undefined)?.retryDelay ?? '')?.[1]);
  return Number.isFinite(seconds) ? Math.ceil(seconds * 1_000) : undefined;
}

const word = (text: string): string => text.replace(/[^\x20-\x7e…]+/g, ' ').trim().slice(0, LONGEST_WORDS);
