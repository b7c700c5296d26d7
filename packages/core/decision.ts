import * as z from 'zod/mini';
import { Interval } from './market.ts';

const Price = z.number().check(z.gt(0));
const Confidence = z.number().check(z.gte(0), z.lte(100));

/** Prices in the quote asset, all computed by code: a model never sets them. Targets, supports and resistances with the nearest first. */
export const KeyLevels = z.object({
  entry: Price,
  stopLoss: Price,
  takeProfit: z.array(Price),
  support: z.array(Price),
  resistance: z.array(Price),
});
export type KeyLevels = z.infer<typeof KeyLevels>;

/** What the analysis of a signal says. It can veto a signal and rank it against others; size, stops and limits are the code's. */
export const Decision = z.object({
  decision: z.enum(['enter_trade', 'bad_setup', 'wait']),
  /** How sure the model is of the decision, 0 to 100. */
  confidence: Confidence,
  reasoning: z.string(),
  keyLevels: KeyLevels,
  /** `riskReward`: gain at the middle target over the loss at the stop, by the key levels. */
  tradePlan: z.object({ setup: z.string(), execution: z.string(), invalidation: z.string(), riskReward: z.number() }),
  technicalContext: z.object({
    trend: z.enum(['bullish', 'bearish', 'neutral']),
    momentum: z.enum(['strong', 'moderate', 'weak']),
    volatility: z.enum(['high', 'normal', 'low']),
    keyObservations: z.array(z.string()),
  }),
  metadata: z.object({
    /** Of the call that answered. */
    latencyMs: z.int(),
    /** In and out together, thinking included. */
    tokens: z.int(),
    model: z.string(),
    /** Version of the prompt, e.g. `signal-review/1`. */
    prompt: z.string(),
    /** True where an equal question had been answered before: no call was made. */
    cached: z.boolean(),
  }),
});
export type Decision = z.infer<typeof Decision>;

/** Why a signal got no decision, in words for people. */
export const NO_DECISION = {
  history: 'It was found in history, before the trader went live.',
  suppressed: "The trader's own cool-down or limits hold it back.",
  withdrawn: 'The candle closed without it.',
  analysis_off: 'Analysis is switched off for this trader.',
  no_key: 'There is no key for the model.',
  no_price: 'The price of the model is not known, so that the daily cap on money could not be kept.',
  stale: "It became older than the trader's expiry before it could be analysed.",
  trader_gone: 'Its trader was deleted or disabled before it could be analysed.',
  no_history: 'There are too few candles to compute levels from.',
  no_levels: 'No sound stop and targets follow from its candles.',
  cap: 'The daily cap on tokens or money is reached.',
  circuit: 'The model is not asked for the time being.',
  rate_limited: 'The model refused for its rate limit too often.',
  failed: 'The model could not be reached often enough.',
  refused: 'The model refused this request.',
  invalid_answer: 'The model did not answer in the agreed form.',
  interrupted: 'The program ended twice while it was being analysed.',
} as const;
export type NoDecisionReason = keyof typeof NO_DECISION;

const outcomeOf = { signalId: z.uuid(), traderId: z.uuid(), traderVersion: z.int(), symbol: z.string(), interval: Interval, closeTime: z.int(), /** Wall time, ms. */ at: z.int() };

/** What became of a signal: each has exactly one outcome, a decision or a named reason why there is none. */
export const AnalysisOutcome = z.discriminatedUnion('kind', [
  z.object({
    ...outcomeOf, kind: z.literal('decision'), decision: Decision,
    /** Says enter_trade, with the confidence that the trader asks for, and came before the trader's expiry. */
    actionable: z.boolean(),
  }),
  z.object({
    ...outcomeOf, kind: z.literal('none'), reason: z.enum(Object.keys(NO_DECISION) as [NoDecisionReason, ...NoDecisionReason[]]),
    /** The reason in words, with what led to it here. */
    message: z.string(),
  }),
]);
export type AnalysisOutcome = z.infer<typeof AnalysisOutcome>;

/** How a call of the model ended. */
export const CALL_RESULTS = [
  'answered', 'invalid', 'blocked', 'rate_limited', 'quota_exhausted', 'server_error', 'bad_request', 'key_refused', 'unknown_model', 'timeout', 'network', 'aborted', 'interrupted',
] as const;
export type CallResult = (typeof CALL_RESULTS)[number];

/** One call of the model as a fact: what it was asked with, what it cost, how it ended. Its id is the UUIDv5 of {signal, attempt}. */
export const AnalysisCall = z.object({
  id: z.uuid(),
  signalId: z.uuid(),
  /** 1 for the first call for this signal. */
  attempt: z.int(),
  model: z.string(),
  promptVersion: z.string(),
  /** SHA-256 of all that was sent, hex. */
  promptHash: z.string(),
  /** Wall time, ms. */
  startedAt: z.int(),
  latencyMs: z.int(),
  tokensIn: z.int(),
  /** Thinking included. */
  tokensOut: z.int(),
  /** Billionths of a US dollar. */
  nanoUsd: z.int(),
  /** True where the model did not say what it used (the call broke off): tokens and money are then the most that it can have been. */
  estimated: z.boolean(),
  result: z.enum(CALL_RESULTS),
});
export type AnalysisCall = z.infer<typeof AnalysisCall>;
