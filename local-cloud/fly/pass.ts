import type { IncomingMessage } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { readJson } from '../shared/http.ts';
import { ApiError } from './api-error.ts';
import { spoil, statusError } from './faults/answers.ts';
import type { Asked } from './faults/faults.ts';
import type { OrderOf, RequestOrder } from './faults/kinds.ts';
import { leaseNonce } from './ids.ts';
import { note, type JournalEntry } from './journal.ts';
import type { Platform } from './platform.ts';
import type { RateLimits } from './rate-limit.ts';
import type { ApiAnswer, ApiRequest, Match } from './route.ts';

/** What becomes of a request: an answer, a text of another kind (`length`: more is promised than comes), a connection that ends, nothing at all. */
export type Fate =
  | { kind: 'answer'; status: number; body?: unknown; headers?: Record<string, string> | undefined }
  | { kind: 'text'; status: number; text: string; type: string; headers?: Record<string, string> | undefined; length?: number }
  | { kind: 'cut-off' } | { kind: 'silence' };

export interface Passing { request: IncomingMessage; query: URLSearchParams; who: string; signal: AbortSignal; platform: Platform; limits: RateLimits | null; /** Instead of the request's own body. */ body?: unknown }

const SAFE = new Set(['GET', 'HEAD']);

/**
 * One request to one verb, in this order: what faults do to it on its way, Fly's rate limit, the verb, the journal, what faults do to its answer.
 * A request that is lost on its way was never counted; an answer that is lost changes nothing about what was done.
 */
export async function pass(match: Match, passing: Passing, whose: 'fly' | 'own'): Promise<Fate> {
  const { request, query, who, signal, platform } = passing;
  const read = async (): Promise<ApiRequest> => {
    const given = 'body' in passing ? passing.body : await readJson(request);
    const nonce = request.headers['fly-machine-lease-nonce'];
    return {
      params: match.params, query, body: typeof given === 'object' && given !== null ? (given as Record<string, unknown>) : {},
      nonce: typeof nonce === 'string' && nonce !== '' ? nonce : undefined, who, signal,
    };
  };
  if (whose === 'own') return { kind: 'answer', ...await match.route.handle(await read()) };

  const asked: Asked = { verb: match.route.verb, write: !SAFE.has(match.route.method), app: match.params['app'] ?? null, machine: match.params['machine'] ?? null };
  const struck = platform.faults.request(asked);
  platform.counts.count(asked.verb, struck.length > 0);
  const call = await read();
  const book = new Book(passing, asked, call, struck);
  if (struck.some(({ kind }) => kind === 'lost-request')) return book.end(0, null, { kind: 'cut-off' });
  await wait(struck.filter((order) => order.kind === 'slow' && order.before), signal);
  await platform.runtime.think(asked.verb);
  if (struck.some((order) => order.kind === 'hang' && !order.done)) return book.end(0, null, { kind: 'silence' });

  let answer: ApiAnswer;
  let refusal: string | null = null;
  try {
    answer = await decide(match, asked, call, passing, struck);
  } catch (error) {
    if (!(error instanceof ApiError)) {
      book.end(500, String(error), null);
      throw error;
    }
    refusal = error.message;
    answer = error.answer();
  }
  book.end(answer.status, refusal, null, answer);
  await wait(struck.filter((order) => order.kind === 'slow' && !order.before), signal);
  return spoil(answer, struck, platform.now());
}

/** What Fly itself decides: too young, too fast, refused by a fault, or what the verb says. */
async function decide(match: Match, asked: Asked, call: ApiRequest, { platform, limits }: Passing, struck: readonly RequestOrder[]): Promise<ApiAnswer> {
  const { route, params } = match;
  if (limits && route.limit !== 'none' && !limits.take(route.limit, route.limit === 'app-delete' ? 'all' : `${route.verb}:${params['machine'] ?? params['app'] ?? ''}`)) {
    platform.counts.limited(route.verb);
    throw new ApiError(429, 'rate limit exceeded');
  }
  refuseYoung(platform, asked);
  const refused = struck.find((order): order is OrderOf<'status'> => order.kind === 'status' && !order.done);
  if (refused) throw statusError(refused, platform.now());
  const thief = struck.find((order) => order.kind === 'steal-lease');
  if (thief && call.nonce !== undefined && asked.machine !== null && platform.store.machine(asked.machine)) {
    const { store, now } = platform;
    store.saveLease({ machineId: asked.machine, nonce: leaseNonce(), owner: thief.owner, description: 'stolen', expiresAt: now() + thief.ttl * 1000, version: store.machine(asked.machine)?.instanceId ?? '' });
  }
  return route.handle(call);
}

function refuseYoung({ faults, store, now }: Platform, asked: Asked): void {
  if (asked.app === null || !faults.touchYoung) return;
  const app = store.app(asked.app);
  if (app && faults.young('young-app', asked, now() - app.createdAt)) throw new ApiError(401, 'token validation error: no verified tokens; tokens: permission denied');
  const machine = asked.machine === null ? undefined : store.machine(asked.machine);
  if (machine && faults.young('young-machine', asked, now() - machine.createdAt)) throw new ApiError(404, 'machine not found');
}

async function wait(orders: readonly RequestOrder[], signal: AbortSignal): Promise<void> {
  const ms = orders.reduce((sum, order) => sum + (order.kind === 'slow' ? order.ms : 0), 0);
  // a caller who has gone changes nothing: what was asked for is done all the same
  if (ms > 0) await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Notes one request in the journal, once. */
class Book {
  readonly #platform: Platform;
  readonly #write: boolean;
  readonly #entry: Omit<JournalEntry, 'seq' | 'time' | 'status' | 'error'>;

  constructor({ request, who, platform }: Passing, asked: Asked, call: ApiRequest, struck: readonly RequestOrder[]) {
    const { name, app_name: appName } = call.body;
    const lease = asked.machine === null ? null : platform.store.lease(asked.machine);
    this.#platform = platform;
    this.#write = asked.write;
    this.#entry = {
      who, agent: request.headers['user-agent'] ?? null, verb: asked.verb, app: asked.app, machine: asked.machine,
      name: typeof name === 'string' ? name : typeof appName === 'string' ? appName : null, nonce: call.nonce ?? null,
      lease: lease === null ? null : lease === undefined ? 'none' : lease.nonce === call.nonce ? 'own' : 'other', fault: struck.length === 0 ? null : struck.map(({ kind }) => kind).join(' '),
    };
  }

  end<F extends Fate | null>(status: number, error: string | null, fate: F, answer?: ApiAnswer): F {
    if (!this.#write && status !== 429) return fate;
    const body = (answer?.body ?? {}) as { id?: string; data?: { nonce?: string }; nonce?: string };
    const made = this.#entry.verb === 'machine.create' ? body.id : undefined;
    note(this.#platform.store, { ...this.#entry, machine: made ?? this.#entry.machine, nonce: this.#entry.nonce ?? body.data?.nonce ?? body.nonce ?? null, status, error });
    return fate;
  }
}
