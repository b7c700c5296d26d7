import type { CallResult } from '@trademind/core';
import { nextPacificMidnight } from './pacific.ts';

/** What is known of a model's health. Times in ms of wall time, so that it can be kept over a restart. */
export interface Circuit {
  /** Failures one after the other since the last answer. */
  failures: number;
  /** How often it was opened since the last answer. */
  openings: number;
  /** Set while the model is not asked, or only to see whether it answers again. */
  open: { since: number; until: number; code: CallResult; message: string } | null;
}

export const HEALTHY: Circuit = { failures: 0, openings: 0, open: null };

export interface CircuitTimes {
  /** Failures in a row that open it. */
  failures: number;
  /** How long it stays open at first, and at most, ms; doubles each time. */
  firstMs: number;
  mostMs: number;
  /** How long it stays open when the key or the model's name is refused, ms. */
  refusedMs: number;
}

export const CIRCUIT_TIMES: CircuitTimes = { failures: 5, firstMs: 30_000, mostMs: 600_000, refusedMs: 600_000 };

/** closed: ask; trial: ask once, to see; open: do not ask. */
export function stateOf({ open }: Circuit, now: number): 'closed' | 'trial' | 'open' {
  if (!open) return 'closed';
  // A clock that was set back must not keep it open.
  return now >= open.since && now < open.until ? 'open' : 'trial';
}

export interface Failure { result: CallResult; message: string; retryAfterMs?: number | undefined }

/** The circuit after a failed call. An ended trial opens it anew, for longer. `random` in [0, 1). */
export function afterFailure(circuit: Circuit, failure: Failure, now: number, random: number, times: CircuitTimes = CIRCUIT_TIMES): Circuit {
  const { result, message, retryAfterMs } = failure;
  // Says nothing about the model.
  if (result === 'aborted' || result === 'interrupted') return circuit;
  const failures = circuit.failures + 1;
  const state = stateOf(circuit, now);
  const open = (forMs: number): Circuit => {
    const until = now + forMs;
    // A call that was under way when it opened must not shorten it.
    if (state === 'open' && circuit.open!.until >= until) return { ...circuit, failures };
    return { failures, openings: circuit.openings + 1, open: { since: now, until, code: result, message } };
  };
  const grown = Math.min(times.mostMs, times.firstMs * 2 ** Math.min(circuit.openings, 20)) * (1 + random / 4);
  switch (result) {
    // Google's day begins at midnight in California; whoever counts otherwise says when.
    case 'quota_exhausted': return open(retryAfterMs ?? nextPacificMidnight(now) - now);
    // Never before the model said; longer each time that this did not help; and not all machines at once.
    case 'rate_limited': return open(Math.max(retryAfterMs ?? grown, circuit.openings > 0 ? grown : 0) + random * 1_000);
    case 'key_refused':
    case 'unknown_model': return open(times.refusedMs);
    default:
      if (state === 'trial' || failures >= times.failures) return open(grown);
      return { ...circuit, failures };
  }
}
