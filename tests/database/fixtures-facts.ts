import { randomUUID } from 'node:crypto';

/** Rows as `write_facts` takes them, one maker per kind. Every value can be replaced. */
type Change = Record<string, unknown>;
const now = () => new Date().toISOString();

export const decisionRow = (signalId: unknown, change: Change = {}): Change => ({
  id: signalId, at: now(), outcome: 'enter_trade', confidence: 71, actionable: true, document: { decision: 'enter_trade' }, ...change,
});

export const noDecisionRow = (signalId: unknown, change: Change = {}): Change => ({ id: signalId, at: now(), outcome: 'none', reason: 'stale', message: 'It was too old.', ...change });

export const analysisRow = (change: Change = {}): Change => ({
  id: randomUUID(), signal_id: randomUUID(), attempt: 1, model: 'gemini-3.5-flash-lite', prompt_version: 'signal-review/1', prompt_hash: 'a'.repeat(64), started_at: now(),
  latency_ms: 900, tokens_in: 1_200, tokens_out: 300, nano_usd: 1_110_000, estimated: false, result: 'answered', ...change,
});

export const eventRow = (change: Change = {}): Change => ({ id: randomUUID(), at: now(), kind: 'crash', message: 'It crashed.', data: { code: 'oom' }, ...change });

export const notificationRow = (change: Change = {}): Change => ({
  id: randomUUID(), at: now(), channel: 'telegram', rule: 'signals', about: { signal_id: randomUUID() }, outcome: 'sent', attempts: 1, ...change,
});

export const metricRow = (at: Date, change: Change = {}): Change => ({
  at: at.toISOString(), seconds: 60, cpu_percent: 10, cpu_percent_max: 20, rss_mb: 80, rss_mb_max: 90, candles: 5, signals: 1, outbox_rows_max: 3, ...change,
});
