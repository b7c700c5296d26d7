import { createClient, type PostgrestError, type SupabaseClient } from '@supabase/supabase-js';
import { BeatAnswer, parseWith, TradeMindError, type MachineStatus } from '@trademind/core';
import * as z from 'zod/mini';
import type { MachineToken } from './machine-token.ts';

const TIMEOUT_MS = 10_000;

/** What `write_signals` answers. Duplicates are signals that were there already: harmless. */
export const WriteAnswer = z.object({
  inserted: z.int(), duplicates: z.int(),
  rejected: z.array(z.object({ id: z.nullable(z.string()), code: z.string(), message: z.string() })),
});
export type WriteAnswer = z.infer<typeof WriteAnswer>;

/** A row of `traders` as it is stored; the document is not yet trusted. */
const TraderRow = z.object({ id: z.uuid(), name: z.string(), version: z.int(), document: z.unknown() });
export type TraderRow = z.infer<typeof TraderRow>;

/** The three things that a machine asks of the database, under its own token. Every method rejects with a TradeMindError. */
export interface Database {
  beat(status: MachineStatus): Promise<BeatAnswer>;
  writeSignals(rows: readonly unknown[]): Promise<WriteAnswer>;
  /** Enabled traders of this machine's user. */
  traders(): Promise<TraderRow[]>;
}

export interface DatabaseOptions { url: string; publishableKey: string; token: Pick<MachineToken, 'get' | 'revoked'>; signal: AbortSignal }

/** The database through supabase-js. A token that was revoked or ended is exchanged and the call made once more. */
export class SupabaseDatabase implements Database {
  readonly #options: DatabaseOptions;
  readonly #client: SupabaseClient;

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.#client = createClient(options.url, options.publishableKey, { accessToken: () => options.token.get() });
  }

  async beat(status: MachineStatus): Promise<BeatAnswer> {
    const data = await this.#call((signal) => this.#client.rpc('machine_beat', { p_status: status }).abortSignal(signal));
    return parseWith(BeatAnswer, data, 'database_answer_malformed', "The database's answer to a beat");
  }

  async writeSignals(rows: readonly unknown[]): Promise<WriteAnswer> {
    const data = await this.#call((signal) => this.#client.rpc('write_signals', { p_rows: rows }).abortSignal(signal));
    return parseWith(WriteAnswer, data, 'database_answer_malformed', "The database's answer to signals");
  }

  async traders(): Promise<TraderRow[]> {
    const data = await this.#call((signal) => this.#client.from('traders').select('id, name, version, document')
      .eq('enabled', true).is('deleted_at', null).order('id').limit(1_000).abortSignal(signal));
    return parseWith(z.array(TraderRow), data, 'database_answer_malformed', "The database's traders");
  }

  async #call(ask: (signal: AbortSignal) => PromiseLike<{ data: unknown; error: PostgrestError | null; status: number }>): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      this.#options.signal.throwIfAborted();
      // Asked for first, so that a missing token is told from a database that is away.
      const token = await this.#options.token.get();
      const signal = AbortSignal.any([this.#options.signal, AbortSignal.timeout(TIMEOUT_MS)]);
      const { data, error, status } = await Promise.resolve(ask(signal)).catch((cause: unknown) => ({ data: null, error: cause as Error, status: 0 }));
      if (error === null) return data;
      if (status === 401) {
        this.#options.token.revoked(token);
        if (attempt === 1) continue;
      }
      throw databaseError(status, error);
    }
  }
}

/** Codes of the database's own refusals are kept; the text of a failure is not, it may hold an address or a row. */
function databaseError(status: number, error: PostgrestError | Error): TradeMindError {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (status === 0) return new TradeMindError({ code: 'database_unreachable', message: 'The database does not answer.', nextStep: 'Nothing is lost: what is found is kept on disk and sent when it answers.', cause: error });
  if (status === 401) return new TradeMindError({ code: 'token_revoked', message: "The database refused the machine's token.", nextStep: 'The machine asks the control plane for a new one.' });
  if (status >= 500) return new TradeMindError({ code: 'database_failing', message: `The database answered HTTP ${status}${code ? ` (${code})` : ''}.`, nextStep: 'It is asked again.' });
  return new TradeMindError({ code: 'database_refused', message: `The database refused the request (HTTP ${status}${code ? `, ${code}` : ''}): ${error.message.slice(0, 200)}.`, nextStep: 'Check that its migrations are those of this version.' });
}
