import type { AnalysisCall, AnalysisOutcome } from '@trademind/core';
import type { KnownCall } from '../analysis/analysis-queue.ts';
import type { CallRow } from '../control/database.ts';
import type { Outbox } from './outbox.ts';

/** Queues what the analysis found out and what it cost for the database, in the transaction in which it is written here. */
export function recordAnalysis(outbox: Pick<Outbox, 'add'>): { outcome(outcome: AnalysisOutcome): void; call(call: AnalysisCall): void } {
  return {
    outcome: (outcome) => outbox.add('decision', outcome.signalId, {
      at: iso(outcome.at),
      ...(outcome.kind === 'none'
        ? { outcome: 'none', reason: outcome.reason, message: outcome.message.slice(0, 2_000) }
        : { outcome: outcome.decision.decision, confidence: outcome.decision.confidence, actionable: outcome.actionable, document: outcome.decision }),
    }),
    call: ({ id, signalId, attempt, model, promptVersion, promptHash, startedAt, latencyMs, tokensIn, tokensOut, nanoUsd, estimated, result }) => outbox.add('analysis', id, {
      signal_id: signalId, attempt, model, prompt_version: promptVersion, prompt_hash: promptHash, started_at: iso(startedAt), latency_ms: Math.round(latencyMs),
      tokens_in: tokensIn, tokens_out: tokensOut, nano_usd: nanoUsd, estimated, result,
    }),
  };
}

/** A call as it was written to the database, read back. */
export const callOf = (row: CallRow): KnownCall => ({
  id: row.id, signalId: row.signal_id, attempt: row.attempt, model: row.model, promptVersion: row.prompt_version, promptHash: row.prompt_hash, startedAt: Date.parse(row.started_at), latencyMs: row.latency_ms,
  tokensIn: row.tokens_in, tokensOut: row.tokens_out, nanoUsd: row.nano_usd, estimated: row.estimated, result: row.result,
});

const iso = (at: number): string => new Date(at).toISOString();
