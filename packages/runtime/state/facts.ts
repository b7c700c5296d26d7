/**
 * What a machine writes to the database, by kind. A fact never changes; its id says what it means, so that sending it twice is harmless.
 * The number: so many wait at most while the database is away; beyond that the oldest are let go, and how many is told. null: never let go.
 * On a full disk kinds with a number are let go at once, from the last up.
 */
export const FACTS = {
  signal: null,
  decision: null,
  analysis: null,
  event: 2_000,
  notification: 2_000,
  // A day of minutes. The database takes none that is older than two days.
  metric: 1_440,
} as const satisfies Readonly<Record<string, number | null>>;

export type FactKind = keyof typeof FACTS;
export const FACT_KINDS = Object.keys(FACTS) as FactKind[];

/** The columns of each kind as the database's `write_facts` takes them, besides the id; times in ISO form. */
export interface FactRows {
  signal: Readonly<Record<string, unknown>>;
  /** The id is the signal's: each has one outcome. `document` is a Decision; `reason` and `message` say why there is none. */
  decision: {
    at: string; outcome: 'enter_trade' | 'bad_setup' | 'wait' | 'none';
    reason?: string; message?: string; confidence?: number; actionable?: boolean; document?: unknown;
  };
  /** A call of the model; money in billionths of a US dollar. */
  analysis: {
    signal_id: string; attempt: number; model: string; prompt_version: string; prompt_hash: string; started_at: string; latency_ms: number;
    tokens_in: number; tokens_out: number; nano_usd: number; estimated: boolean; result: string;
  };
  /** Shown to the user in the machine's history. */
  event: { at: string; kind: string; message: string; data?: Readonly<Record<string, unknown>> };
  /** How telling somebody something ended. */
  notification: {
    at: string; channel: string; rule: string; about?: Readonly<Record<string, unknown>>; outcome: 'sent' | 'failed' | 'dropped'; attempts: number;
    code?: string; message?: string;
  };
  /** The load of one minute: averages over `seconds`, greatest values, and how much was done. */
  metric: {
    at: string; seconds: number; cpu_percent: number; cpu_percent_max: number; rss_mb: number; rss_mb_max: number; loop_ms_max?: number; lag_ms_max?: number;
    candles: number; signals: number; screening_ms?: number; outbox_rows_max: number;
  };
}
