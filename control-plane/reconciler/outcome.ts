import { TradeMindError, codeOf } from '@trademind/core';
import { FlyError, type FlyErrorCode } from '@trademind/fly';
import { DatabaseError } from '../database/errors.ts';
import type { LastError, MachinePatch, NewEvent } from '../database/rows.ts';
import type { Trouble } from './actions.ts';
import { impossible } from './impossible.ts';

/** How one look at one machine ends. There is no fifth way. */
export type Outcome =
  | { kind: 'done' }
  | { kind: 'requeue'; afterMs: number }
  | { kind: 'retryable'; trouble: Trouble; floorMs?: number; capMs?: number }
  | { kind: 'terminal'; trouble: Trouble };

/** When a settled machine is looked at again: rarely, for a sweep over the whole organisation sees what differs long before. */
export const SETTLED_LOOK_MS = 300_000;
/** A machine that needs somebody's help is looked at rarely; a changed wish makes it due at once. */
const TERMINAL_LOOK_MS = 300_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 120_000;

export interface Settled {
  nextLookMs: number;
  patch: MachinePatch;
  events: NewEvent[];
}

/** What an outcome means for the row. The one switch over outcomes. `random` is 0 ≤ r < 1. */
export function settle(outcome: Outcome, row: { attempts: number; last_error: LastError | null; generation: number }, now: number, random: number): Settled {
  switch (outcome.kind) {
    case 'done':
      return { nextLookMs: SETTLED_LOOK_MS * (0.9 + 0.2 * random), patch: { attempts: 0, last_error: null, observed_generation: row.generation }, events: [] };
    case 'requeue':
      return { nextLookMs: outcome.afterMs, patch: {}, events: [] };
    case 'retryable': {
      const nextLookMs = Math.max(outcome.floorMs ?? 0, retryDelay(row.attempts, outcome.capMs ?? LAST_RETRY_MS, random));
      return { nextLookMs, patch: { attempts: row.attempts + 1, last_error: errorOf(outcome.trouble, now) }, events: told(outcome.trouble, row, 'trouble', nextLookMs) };
    }
    case 'terminal':
      return { nextLookMs: TERMINAL_LOOK_MS, patch: { attempts: row.attempts + 1, last_error: errorOf(outcome.trouble, now) }, events: told(outcome.trouble, row, 'failed', TERMINAL_LOOK_MS) };
    default: return impossible(outcome);
  }
}

/** Doubles from half a second up to `capMs`; half of it is chance, so that many do not come back at once. */
export function retryDelay(attempts: number, capMs: number, random: number): number {
  const full = Math.min(capMs, FIRST_RETRY_MS * 2 ** Math.min(attempts, 20));
  return Math.round(full / 2 + (full / 2) * random);
}

const errorOf = (trouble: Trouble, now: number): LastError => ({ ...trouble, at: new Date(now).toISOString() });

/** The same trouble is told once, not at every attempt. */
function told(trouble: Trouble, row: { attempts: number; last_error: LastError | null }, kind: string, nextLookMs: number): NewEvent[] {
  if (row.last_error?.code === trouble.code && row.attempts > 0) return [];
  return [{ kind, message: trouble.nextStep ? `${trouble.message} ${trouble.nextStep}` : trouble.message, data: { code: trouble.code, next_look_ms: Math.round(nextLookMs) } }];
}

/** What each of Fly's errors means for the machine's user. Total: the compiler refuses a missing code. */
const FLY_OUTCOME: Readonly<Record<FlyErrorCode, { kind: 'retryable'; floorMs?: number; capMs?: number } | { kind: 'terminal'; nextStep: string }>> = {
  // also seen for a moment right after an app was made
  fly_unauthorized: { kind: 'retryable', capMs: 30_000 },
  fly_forbidden: { kind: 'terminal', nextStep: 'The operator must check the quota of the Fly organisation and the token of the control plane.' },
  fly_not_found: { kind: 'retryable', capMs: 5_000 },
  fly_conflict_lease: { kind: 'retryable', floorMs: 1_000, capMs: 20_000 },
  fly_already_exists: { kind: 'retryable', capMs: 10_000 },
  fly_capacity: { kind: 'retryable', floorMs: 5_000 },
  fly_precondition: { kind: 'retryable', capMs: 10_000 },
  fly_invalid: { kind: 'terminal', nextStep: 'The operator must look at what was asked of Fly: repeating it does not help.' },
  fly_rate_limited: { kind: 'retryable', floorMs: 1_000 },
  // what was asked may have happened: the next look finds it by name
  fly_unknown_outcome: { kind: 'retryable', capMs: 5_000 },
  fly_unavailable: { kind: 'retryable', capMs: 5_000 },
  fly_wait_expired: { kind: 'retryable', capMs: 2_000 },
  fly_unexpected_answer: { kind: 'retryable' },
  fly_aborted: { kind: 'retryable', capMs: 1_000 },
};

/** What its user reads of each of Fly's errors. Fly's own words follow where they help somebody to act. */
const FLY_SENTENCE: Readonly<Record<FlyErrorCode, string>> = {
  fly_unauthorized: 'Fly does not accept the token of the control plane at this moment.',
  fly_forbidden: 'Fly refuses this to our organisation: the app belongs to another one, or a quota is used up.',
  fly_not_found: 'Fly does not show what was to be changed; it is looked for again.',
  fly_conflict_lease: 'Somebody else is changing the machine right now.',
  fly_already_exists: 'It exists already at Fly; it is found and taken over.',
  fly_capacity: 'Fly has no room for the machine.',
  fly_precondition: 'The machine is in a state in which Fly does not do this; it is looked at again.',
  fly_invalid: 'Fly refuses the request as it is.',
  fly_rate_limited: 'Fly asks for fewer requests; it goes on in a moment.',
  fly_unknown_outcome: 'Fly did not say whether it was done; that is looked up before anything is repeated.',
  fly_unavailable: 'Fly does not answer at this moment.',
  fly_wait_expired: 'The machine takes longer than Fly waits for it.',
  fly_unexpected_answer: 'Fly answered something that this version does not understand.',
  fly_aborted: 'The look was given up; another one follows.',
};

function troubleOf(error: FlyError): Trouble {
  const quoted: readonly FlyErrorCode[] = ['fly_forbidden', 'fly_invalid', 'fly_precondition', 'fly_capacity', 'fly_unexpected_answer'];
  const until = error.code === 'fly_conflict_lease' && error.leaseOwner !== undefined ? ` (${error.leaseOwner}${error.leaseExpiresAt === undefined ? '' : `, until ${error.leaseExpiresAt}`})` : '';
  // Fly's own words end as they like
  const said = quoted.includes(error.code) ? ` ${error.message.replace(/[.\s]+$/, '').slice(0, 800)}.` : '';
  return {
    code: error.code, message: `${FLY_SENTENCE[error.code].replace(/\.$/, '')}${until}.${said}`,
    ...(error.code === 'fly_capacity' ? { nextStep: 'It is tried again; another region may have room now.' } : {}),
  };
}

/** An error that was thrown while looking or acting, as an outcome. */
export function outcomeOfError(error: unknown): Outcome {
  if (error instanceof FlyError) {
    const meaning = FLY_OUTCOME[error.code];
    if (meaning.kind === 'terminal') return { kind: 'terminal', trouble: { ...troubleOf(error), nextStep: meaning.nextStep } };
    const floorMs = Math.max(meaning.floorMs ?? 0, error.retryAfterMs ?? 0);
    return {
      kind: 'retryable', trouble: troubleOf(error), floorMs, ...(meaning.capMs === undefined ? {} : { capMs: meaning.capMs }),
    };
  }
  if (error instanceof DatabaseError) return { kind: 'retryable', trouble: { code: error.code, message: error.message }, capMs: 5_000 };
  if (error instanceof TradeMindError) return { kind: 'terminal', trouble: { code: error.code, message: error.message, ...(error.nextStep ? { nextStep: error.nextStep } : {}) } };
  return { kind: 'retryable', trouble: { code: codeOf(error), message: 'Something unexpected went wrong while looking after the machine; the log of the control plane says what.' } };
}
