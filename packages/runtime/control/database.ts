import { BeatAnswer, parseWith, TradeMindError, type MachineStatus } from '@trademind/core';
import * as z from 'zod/mini';
import { httpFetch, type HttpAnswer } from '../http-fetch.ts';
import type { MachineToken } from './machine-token.ts';

const TIMEOUT_MS = 10_000;

/** What `write_facts` answers: what is not rejected is stored, now or before. `index` counts from 0 within the kind. */
export const WriteAnswer = z.object({
  written: z.int(), duplicates: z.int(),
  rejected: z.array(z.object({ kind: z.string(), index: z.int(), code: z.string(), message: z.string() })),
});
export type WriteAnswer = z.infer<typeof WriteAnswer>;

/** What `hold_owner_lease` answers. Times are durations (ms) on the database's clock. */
export const LeaseAnswer = z.discriminatedUnion('held', [
  z.object({ held: z.literal(true), fence: z.int(), expires_in_ms: z.int() }),
  z.object({
    held: z.literal(false),
    /** It is held by another process on the caller's own disk. */
    superseded: z.boolean(),
    expires_in_ms: z.int(), free_in_ms: z.int(),
    holder: z.object({ machine_id: z.uuid(), environment: z.string(), region: z.string(), since: z.string() }),
  }),
]);
export type LeaseAnswer = z.infer<typeof LeaseAnswer>;

/** A row of `traders` as it is stored; the document is not yet trusted. */
const TraderRow = z.object({ id: z.uuid(), name: z.string(), version: z.int(), document: z.unknown() });
export type TraderRow = z.infer<typeof TraderRow>;

/** A call of the model as `analyses_of_day` gives it back. */
const CallRow = z.object({
  id: z.uuid(), signal_id: z.uuid(), attempt: z.int(), model: z.string(), prompt_version: z.string(), prompt_hash: z.string(), started_at: z.string(), latency_ms: z.int(),
  tokens_in: z.int(), tokens_out: z.int(), nano_usd: z.int(), estimated: z.boolean(), result: z.string(),
});
export type CallRow = z.infer<typeof CallRow>;

/** What a machine asks of the database, under its own token. Every method rejects with a TradeMindError; `faultOf` says what its code means. */
export interface Database {
  beat(status: MachineStatus): Promise<BeatAnswer>;
  /** Rows by kind, each kind in the order in which they came about; at most 1000 in all. */
  writeFacts(facts: Readonly<Record<string, readonly unknown[]>>): Promise<WriteAnswer>;
  /** Takes (fence null) or renews the lease of the user's one owner. */
  holdLease(holder: string, fence: number | null, seconds: number): Promise<LeaseAnswer>;
  releaseLease(holder: string, fence: number): Promise<boolean>;
  /** Enabled traders of this machine's user. */
  traders(): Promise<TraderRow[]>;
  /** Calls of the model that the user made on a day (UTC, `2026-11-26`), wherever, newest first; those after `last`, at most `limit` (≤ 1000). */
  analysesOfDay(day: string, limit: number, last?: Pick<CallRow, 'started_at' | 'id'>): Promise<CallRow[]>;
}

export interface DatabaseOptions { url: string; publishableKey: string; token: Pick<MachineToken, 'get' | 'revoked'>; signal: AbortSignal }

const TRADERS_QUERY = new URLSearchParams({ select: 'id,name,version,document', enabled: 'eq.true', deleted_at: 'is.null', order: 'id.asc', limit: '1000' }).toString();

/**
 * The database through PostgREST, as Supabase serves it at `/rest/v1`: five functions and one list, called here without supabase-js, which brings sign-in, storage and realtime along
 * (docs/adr/0013). A token that was revoked or ended is exchanged and the call made once more.
 */
export class SupabaseDatabase implements Database {
  readonly #options: DatabaseOptions;

  constructor(options: DatabaseOptions) {
    this.#options = options;
  }

  async beat(status: MachineStatus): Promise<BeatAnswer> {
    const data = await this.#call('rpc/machine_beat', { p_status: status });
    return parseWith(BeatAnswer, data, 'database_answer_malformed', "The database's answer to a beat");
  }

  async writeFacts(facts: Readonly<Record<string, readonly unknown[]>>): Promise<WriteAnswer> {
    const data = await this.#call('rpc/write_facts', { p_facts: facts });
    return parseWith(WriteAnswer, data, 'database_answer_malformed', "The database's answer to facts");
  }

  async holdLease(holder: string, fence: number | null, seconds: number): Promise<LeaseAnswer> {
    const data = await this.#call('rpc/hold_owner_lease', { p_holder: holder, p_fence: fence, p_seconds: seconds });
    return parseWith(LeaseAnswer, data, 'database_answer_malformed', "The database's answer to a lease");
  }

  async releaseLease(holder: string, fence: number): Promise<boolean> {
    const data = await this.#call('rpc/release_owner_lease', { p_holder: holder, p_fence: fence });
    return parseWith(z.boolean(), data, 'database_answer_malformed', "The database's answer to a release");
  }

  async traders(): Promise<TraderRow[]> {
    const data = await this.#call(`traders?${TRADERS_QUERY}`);
    return parseWith(z.array(TraderRow), data, 'database_answer_malformed', "The database's traders");
  }

  async analysesOfDay(day: string, limit: number, last?: Pick<CallRow, 'started_at' | 'id'>): Promise<CallRow[]> {
    const data = await this.#call('rpc/analyses_of_day', { p_day: day, p_limit: limit, ...(last && { p_before: last.started_at, p_before_id: last.id }) });
    return parseWith(z.array(CallRow), data, 'database_answer_malformed', "The database's calls of a day");
  }

  /** A body is posted to a function; without one the path is read. */
  async #call(path: string, body?: Record<string, unknown>): Promise<unknown> {
    const { url, publishableKey, signal: ending } = this.#options;
    for (let attempt = 1; ; attempt++) {
      ending.throwIfAborted();
      // Asked for first, so that a missing token is told from a database that is away.
      const token = await this.#options.token.get();
      const secrets = [publishableKey, token];
      let answer: HttpAnswer;
      try {
        answer = await httpFetch(`${url}/rest/v1/${path}`, {
          headers: { apikey: publishableKey, authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json' }, signal: AbortSignal.any([ending, AbortSignal.timeout(TIMEOUT_MS)]),
          ...(body && { method: 'POST', body: JSON.stringify(body) }),
        });
      } catch (cause) {
        throw databaseError(0, undefined, secrets, cause);
      }
      const data = jsonOf(await answer.text());
      if (answer.ok) return data;
      if (answer.status === 401) {
        this.#options.token.revoked(token);
        if (attempt === 1) continue;
      }
      throw databaseError(answer.status, data, secrets);
    }
  }
}

/** What is no JSON is malformed where it is read. */
function jsonOf(text: string): unknown {
  try {
    return text === '' ? null : (JSON.parse(text) as unknown);
  } catch {
    return undefined;
  }
}

/** PostgREST's words of a failure; a proxy before it has others. */
const Said = z.object({ code: z.optional(z.nullable(z.string())), message: z.string() });

const TOKEN = /eyJ[\w-]+\.[\w-]+\.[\w-]+/g;

/** What an answer says, without what the request carried: a careless server repeats it. */
const saidBy = (message: string, secrets: readonly string[]): string =>
  secrets.reduce((text, secret) => text.replaceAll(secret, '…'), message).replaceAll(TOKEN, '…').slice(0, 200);

/** Codes of the database's own refusals are kept; the text of a failure is not, it may hold an address or a row. */
function databaseError(status: number, body: unknown, secrets: readonly string[], cause?: unknown): TradeMindError {
  const said = Said.safeParse(body);
  const { code: sqlstate, message } = said.success ? said.data : { code: '', message: 'no reason given' };
  const answered = `HTTP ${status}${sqlstate ? `, ${sqlstate}` : ''}`;
  if (status === 0) return new TradeMindError({ code: 'database_unreachable', message: 'The database does not answer.', nextStep: 'Nothing is lost: what is found is kept on disk and sent when it answers.', cause });
  if (status === 401) return new TradeMindError({ code: 'token_revoked', message: "The database refused the machine's token.", nextStep: 'The machine asks the control plane for a new one.' });
  if (AWAY.has(status)) return new TradeMindError({ code: 'database_busy', message: `The database cannot answer now (${answered}).`, nextStep: 'It is asked again.' });
  if (status >= 500) return new TradeMindError({ code: 'database_failing', message: `The database failed (${answered}).`, nextStep: 'It is asked again.' });
  if (status === 403 || status === 404) return new TradeMindError({ code: 'database_outdated', message: `The database does not offer what this version asks for (${answered}): ${saidBy(message, secrets)}.`, nextStep: 'Apply its migrations; until then what is found is kept on disk.' });
  return new TradeMindError({ code: 'database_refused', message: `The database refused the request (${answered}): ${saidBy(message, secrets)}.`, nextStep: 'Check that its migrations are those of this version.' });
}

/** Timeout, too many requests, bad gateway, unavailable, gateway timeout: nothing was said about the request itself. */
const AWAY = new Set([408, 429, 502, 503, 504]);
