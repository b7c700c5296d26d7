import type { IncomingMessage, ServerResponse } from 'node:http';
import { guardRequest, listen, readJson, sameSecret, sendJson } from '../shared/http.ts';
import { GoogleError, invalidArgument, keyInUrl, keyInvalid, keyMissing, quotaExceeded, unknownModel } from './errors.ts';
import { generate, promptHash } from './generate.ts';
import { findModel, models } from './models.ts';
import { Quota } from './quota.ts';
import { readRequest } from './request.ts';
import { draw } from './schema-answer.ts';
import type { StandIn } from '../shared/run.ts';

export interface GeminiOptions {
  port: number;
  /** The API key that every call must carry. */
  token: string;
  /** How long an answer takes; left out, 300 to 1200 ms by the prompt, as upstream; 0 for none. */
  latencyMs?: number | undefined;
  seed?: string | undefined;
  requestsPerMinute?: number | undefined;
  allowedOrigins?: readonly string[] | undefined;
  /** Wall time, ms. */
  now?: (() => number) | undefined;
}

/** What was asked of the stand-in since it started: GET /_stand-in/usage. */
interface Usage { requests: number; answered: number; aborted: number; limited: number; refused: number; promptTokens: number; outputTokens: number }

const REQUESTS_PER_MINUTE = 60;
const [SHORTEST, LONGEST] = [300, 1_200];
const LARGEST_PROMPT = 4_000_000;
const MODEL_PATH = /^\/(v1|v1beta)\/models\/([^/:]+)(?::(\w+))?$/;

/** Starts the Gemini stand-in: generateContent and the list of models, with keys, quotas, latency and errors as Google's. */
export async function startGemini(options: GeminiOptions): Promise<StandIn> {
  const usage: Usage = { requests: 0, answered: 0, aborted: 0, limited: 0, refused: 0, promptTokens: 0, outputTokens: 0 };
  const quota = new Quota(options.requestsPerMinute ?? REQUESTS_PER_MINUTE, options.now ?? Date.now);
  const listening = await listen((request, response) => {
    const refusal = guardRequest(request, { allowedOrigins: options.allowedOrigins });
    if (refusal) return sendJson(response, refusal.status, { error: { code: refusal.status, message: refusal.message, status: refusal.code.toUpperCase() } });
    answer(request, response, options, quota, usage).catch((error: unknown) => refuse(response, error, usage));
    return undefined;
  }, options.port);
  return { name: 'gemini', url: listening.url, port: listening.port, models: models.map((model) => model.baseModelId), close: listening.close };
}

async function answer(request: IncomingMessage, response: ServerResponse, options: GeminiOptions, quota: Quota, usage: Usage): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://stand-in');
  if (url.pathname === '/_stand-in/usage') return sendJson(response, 200, usage);
  usage.requests += 1;
  checkKey(request, url, options.token);
  if (request.method === 'GET' && /^\/v1(beta)?\/models$/.test(url.pathname)) return sendJson(response, 200, { models });
  const [, version = '', id = '', method] = MODEL_PATH.exec(url.pathname) ?? [];
  const model = findModel(decodeURIComponent(id));
  if (request.method === 'GET' && model && method === undefined) return sendJson(response, 200, model);
  if (id === '' || (request.method === 'POST' && method !== 'generateContent' && method !== undefined)) throw new GoogleError(404, 'NOT_FOUND', `${url.pathname} is not served here; ask models/{model}:generateContent.`);
  if (!model) throw unknownModel(id, version);
  if (request.method !== 'POST') throw new GoogleError(405, 'UNIMPLEMENTED', 'Send generateContent with POST.');

  const asked = readRequest(await readJson(request, LARGEST_PROMPT).catch((error: Error) => { throw invalidArgument(`Invalid JSON payload received. ${error.message}`); }));
  const wait = quota.take(model.baseModelId);
  if (wait > 0) {
    usage.limited += 1;
    throw quotaExceeded(model.baseModelId, options.requestsPerMinute ?? REQUESTS_PER_MINUTE, wait);
  }
  const hash = promptHash(options.seed ?? '', model, asked);
  const { response: body, promptTokens, outputTokens } = generate(model, asked, hash);
  const latency = options.latencyMs ?? SHORTEST + draw(hash, 'latency') * (LONGEST - SHORTEST);
  if (latency > 0 && !(await stillThereAfter(response, latency))) {
    usage.aborted += 1;
    return undefined;
  }
  usage.answered += 1;
  usage.promptTokens += promptTokens;
  usage.outputTokens += outputTokens;
  return sendJson(response, 200, body, { 'server-timing': `gfet4t7; dur=${Math.round(latency)}` });
}

function checkKey(request: IncomingMessage, url: URL, token: string): void {
  const key = request.headers['x-goog-api-key'];
  if (url.searchParams.has('key')) throw keyInUrl();
  if (typeof key !== 'string' || key === '') throw keyMissing();
  if (!sameSecret(key, token)) throw keyInvalid();
}

/** Waits; false as soon as the client has gone, so that an aborted call costs nothing more. */
function stillThereAfter(response: ServerResponse, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const gone = () => { clearTimeout(timer); resolve(false); };
    const timer = setTimeout(() => { response.off('close', gone); resolve(true); }, ms);
    response.once('close', gone);
  });
}

function refuse(response: ServerResponse, error: unknown, usage: Usage): void {
  usage.refused += 1;
  const known = error instanceof GoogleError ? error : new GoogleError(500, 'INTERNAL', 'An internal error has occurred.');
  if (known !== error) process.stderr.write(`${JSON.stringify({ level: 'error', event: 'request_failed', message: String((error as Error).stack) })}\n`);
  if (!response.headersSent) sendJson(response, known.code, known.body());
}
