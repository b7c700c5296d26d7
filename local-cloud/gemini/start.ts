import type { IncomingMessage, ServerResponse } from 'node:http';
import { guardRequest, listen, readJson, sameSecret, sendJson } from '../shared/http.ts';
import { errorOf, GoogleError, invalidArgument, keyInUrl, keyInvalid, keyMissing, quotaExceeded, unknownModel } from './errors.ts';
import { Faults, type Fault } from './faults.ts';
import { generate, promptHash, spoilt } from './generate.ts';
import { Journal, type JournalEntry } from './journal.ts';
import { findModel, models } from './models.ts';
import { Quota } from './quota.ts';
import { readRequest } from './request.ts';
import { draw } from './schema-answer.ts';
import type { StandIn } from '../shared/run.ts';

export interface GeminiOptions {
  port: number;
  /** The API key that every call must carry; one of them, where a project has several. */
  token: string | readonly string[];
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
const SLOW = 5_000;
/** Longer than anybody waits. */
const FOREVER = 3_600_000;
const MODEL_PATH = /^\/(v1|v1beta)\/models\/([^/:]+)(?::(\w+))?$/;

/** What one stand-in knows. */
interface State { options: GeminiOptions; quota: Quota; usage: Usage; faults: Faults; journal: Journal; now: () => number }

/** Starts the Gemini stand-in: generateContent and the list of models, with keys, quotas, latency and errors as Google's, and faults on request. */
export async function startGemini(options: GeminiOptions): Promise<StandIn> {
  const now = options.now ?? Date.now;
  const state: State = {
    options, now, quota: new Quota(options.requestsPerMinute ?? REQUESTS_PER_MINUTE, now), faults: new Faults(options.seed ?? ''), journal: new Journal(),
    usage: { requests: 0, answered: 0, aborted: 0, limited: 0, refused: 0, promptTokens: 0, outputTokens: 0 },
  };
  const listening = await listen((request, response) => {
    const refusal = guardRequest(request, { allowedOrigins: options.allowedOrigins });
    if (refusal) return sendJson(response, refusal.status, { error: { code: refusal.status, message: refusal.message, status: refusal.code.toUpperCase() } });
    answer(request, response, state).catch((error: unknown) => refuse(response, error, state.usage));
    return undefined;
  }, options.port);
  return { name: 'gemini', url: listening.url, port: listening.port, models: models.map((model) => model.baseModelId), close: listening.close };
}

async function answer(request: IncomingMessage, response: ServerResponse, state: State): Promise<void> {
  const { options, usage } = state;
  const url = new URL(request.url ?? '/', 'http://stand-in');
  if (url.pathname === '/_stand-in/usage') return sendJson(response, 200, usage);
  if (url.pathname.startsWith('/_stand-in/')) return administer(request, response, url, state);
  usage.requests += 1;
  const entry = request.method === 'POST' ? state.journal.begin(state.now()) : undefined;
  response.once('close', () => {
    if (!entry) return;
    entry.endedAt = state.now();
    entry.status = response.headersSent ? response.statusCode : null;
    if (entry.outcome === 'running') entry.outcome = response.writableFinished ? 'refused' : 'aborted';
  });
  checkKey(request, url, options.token);
  if (request.method === 'GET' && /^\/v1(beta)?\/models$/.test(url.pathname)) return sendJson(response, 200, { models });
  const [, version = '', id = '', method] = MODEL_PATH.exec(url.pathname) ?? [];
  const model = findModel(decodeURIComponent(id));
  if (request.method === 'GET' && model && method === undefined) return sendJson(response, 200, model);
  if (id === '' || (request.method === 'POST' && method !== 'generateContent' && method !== undefined)) throw new GoogleError(404, 'NOT_FOUND', `${url.pathname} is not served here; ask models/{model}:generateContent.`);
  if (!model) throw unknownModel(id, version);
  if (!entry) throw new GoogleError(405, 'UNIMPLEMENTED', 'Send generateContent with POST.');

  const asked = readRequest(await readJson(request, LARGEST_PROMPT).catch((error: Error) => { throw invalidArgument(`Invalid JSON payload received. ${error.message}`); }));
  const hash = promptHash(options.seed ?? '', model, asked);
  Object.assign(entry, { model: model.baseModelId, promptHash: hash.slice(0, 16) });
  const fault = state.faults.next(model.baseModelId);
  entry.fault = fault?.fault ?? null;
  const limit = options.requestsPerMinute ?? REQUESTS_PER_MINUTE;
  const wait = state.quota.take(model.baseModelId);
  if (wait > 0 || fault?.fault === 'minute-limit' || fault?.fault === 'day-limit') {
    usage.limited += 1;
    throw quotaExceeded(model.baseModelId, limit, wait > 0 ? wait : fault?.retryAfterSeconds ?? 30, fault?.fault === 'day-limit' ? 'Day' : 'Minute');
  }
  if (fault?.fault === 'error') throw errorOf(fault.status ?? 500);
  const generated = generate(model, asked, hash);
  const latency = (options.latencyMs ?? SHORTEST + draw(hash, 'latency') * (LONGEST - SHORTEST)) + (fault?.fault === 'hang' ? FOREVER : fault?.fault === 'slow' ? fault.ms ?? SLOW : 0);
  if (latency > 0 && !(await stillThereAfter(response, latency))) {
    usage.aborted += 1;
    return undefined;
  }
  usage.answered += 1;
  usage.promptTokens += generated.promptTokens;
  usage.outputTokens += generated.outputTokens;
  return send(response, fault ? spoilt(generated.response, fault) : generated.response, fault, entry, latency);
}

/** Sends an answer, or what a fault leaves of it. */
function send(response: ServerResponse, body: unknown, fault: Fault | undefined, entry: JournalEntry, latency: number): void {
  const headers = { 'server-timing': `gfet4t7; dur=${Math.round(latency)}` };
  const text = JSON.stringify(body);
  if (fault?.fault === 'cut') {
    entry.outcome = 'broken';
    response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': Buffer.byteLength(text), ...headers });
    response.write(text.slice(0, text.length >> 1), () => response.destroy());
    return;
  }
  entry.outcome = 'answered';
  if (fault?.fault === 'broken-body') response.writeHead(200, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(text.slice(0, -20));
  else sendJson(response, 200, body, headers);
}

/** What requests of tests see and set: the faults in force and the journal of calls. */
async function administer(request: IncomingMessage, response: ServerResponse, url: URL, { options, faults, journal }: State): Promise<void> {
  checkKey(request, url, options.token);
  if (url.pathname === '/_stand-in/faults' && request.method === 'PUT') faults.set(await readJson(request));
  if (url.pathname === '/_stand-in/faults') return sendJson(response, 200, { faults: faults.list });
  if (url.pathname === '/_stand-in/journal') return sendJson(response, 200, { entries: journal.after(Number(url.searchParams.get('after') ?? 0)) });
  throw new GoogleError(404, 'NOT_FOUND', 'Ask /_stand-in/usage, /_stand-in/faults or /_stand-in/journal.');
}

function checkKey(request: IncomingMessage, url: URL, tokens: string | readonly string[]): void {
  const key = request.headers['x-goog-api-key'];
  if (url.searchParams.has('key')) throw keyInUrl();
  if (typeof key !== 'string' || key === '') throw keyMissing();
  if (![tokens].flat().some((token) => sameSecret(key, token))) throw keyInvalid();
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
