import { DEFAULT_ANALYSIS_CAPS, type AnalysisCall, type AnalysisOutcome, type ModelPrice, type TraderDocument } from '@trademind/core';
import type { Log } from '../log.ts';
import type { DatabaseFile } from '../state/database-file.ts';
import type { Wall } from '../time.ts';
import type { Share } from './call-gate.ts';
import { CIRCUIT_TIMES, type CircuitTimes } from './circuit.ts';
import type { MarketView } from './market-view.ts';
import type { ModelAccess, ModelClient } from './model-client.ts';
import type { Prompt } from './prompts/prompt.ts';

/** Whether there is a key: not yet known, known, or known that there is none. */
export type AccessState = { state: 'waiting' } | { state: 'none' } | ({ state: 'ready' } & ModelAccess);

/** What a user may use up in a day (UTC); tokens: Infinity where only money is limited. Never exceeded: each call is counted with the most that it can use until it has said what it did use. */
export interface Caps { tokensPerDay: number; usdPerDay: number }

/** How calls are made. All in ms of wall time. */
export interface CallRules {
  /** Calls for one signal at most, those that broke off included. */
  mostCalls: number;
  timeoutMs: number;
  /** Wait after a first failure, doubling up to the most. */
  retryFirstMs: number;
  retryMostMs: number;
  /** Tokens that an answer may take, thinking included. */
  maxOutputTokens: number;
  /** How often deadlines are looked at while something waits. */
  lookMs: number;
  /** How long calls under way may still run when the analyzer stops. */
  graceMs: number;
  circuit: CircuitTimes;
}

export interface AnalyzerOptions {
  /** The machine's file; its tables are part of the state's migrations. */
  file: DatabaseFile;
  wall: Wall;
  log: Log;
  market: MarketView;
  client: ModelClient;
  access: () => AccessState;
  /** The model of traders that name none. */
  model: () => string;
  caps: () => Caps;
  /** Whether it is still being asked what the user has used elsewhere today: no call begins meanwhile. */
  learning?: () => boolean;
  /** The document of a trader's version; undefined once it is not known any more. */
  trader: (id: string, version: number) => TraderDocument | undefined;
  /** Left out: 4 at once, 60 a minute. */
  share?: Partial<Share>;
  rules?: Partial<CallRules>;
  prompt?: Prompt;
  prices?: readonly ModelPrice[];
  /** Called inside the transaction that writes the fact here, so that an outbox in the same file gets it then or not at all. */
  record?: { outcome(outcome: AnalysisOutcome): void; call(call: AnalysisCall): void };
  /** Called once an outcome is on disk. */
  onOutcome?: (outcome: AnalysisOutcome) => void;
}

/** Where neither the user nor a trader names one. Ids come and go upstream: it is configuration. */
export const DEFAULT_MODEL = 'gemini-3.5-flash-lite';
export const DEFAULT_CAPS: Caps = DEFAULT_ANALYSIS_CAPS;
export const DEFAULT_SHARE: Share = { concurrency: 4, calls: 60, perMs: 60_000 };

export const DEFAULT_RULES: CallRules = {
  mostCalls: 4, timeoutMs: 45_000, retryFirstMs: 2_000, retryMostMs: 60_000, maxOutputTokens: 8_192, lookMs: 500, graceMs: 5_000, circuit: CIRCUIT_TIMES,
};
