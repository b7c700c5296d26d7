import { TradeMindError } from '@trademind/core';
import { classify, CODES, NEVER_SENT, type CallKind, type FlyErrorCode } from './error-table.ts';

interface FlyErrorInit {
  code: FlyErrorCode;
  message: string;
  nextStep: string;
  retryable: boolean;
  outcome?: 'known' | 'unknown';
  status?: number | undefined;
  retryAfterMs?: number | undefined;
  overQuota?: boolean | undefined;
  machineId?: string | undefined;
  leaseOwner?: string | undefined;
  leaseExpiresAt?: string | undefined;
  cause?: unknown;
}

/**
 * A call to Fly that did not end well. `retryable`: the same call may succeed later as it is. `outcome` is `unknown` when a write may or may not
 * have happened: look before repeating it. `message` carries Fly's own words with the token removed.
 */
export class FlyError extends TradeMindError {
  declare readonly code: FlyErrorCode;
  readonly retryable: boolean;
  readonly outcome: 'known' | 'unknown';
  readonly status: number | undefined;
  /** How long Fly asked us to wait, when it said so. */
  readonly retryAfterMs: number | undefined;
  /** Whether a refusal (`fly_forbidden`) was for a quota, and not because the app is another organisation's. */
  readonly overQuota: boolean;
  /** The machine that already has the name (`fly_already_exists`). */
  readonly machineId: string | undefined;
  /** Who holds the lease, and until when (RFC 3339), as Fly said it (`fly_conflict_lease`). */
  readonly leaseOwner: string | undefined;
  readonly leaseExpiresAt: string | undefined;

  constructor(init: FlyErrorInit) {
    super({ code: init.code, message: init.message, nextStep: init.nextStep, cause: init.cause });
    this.retryable = init.retryable;
    this.outcome = init.outcome ?? 'known';
    this.status = init.status;
    this.retryAfterMs = init.retryAfterMs;
    this.overQuota = init.overQuota ?? false;
    this.machineId = init.machineId;
    this.leaseOwner = init.leaseOwner;
    this.leaseExpiresAt = init.leaseExpiresAt;
  }
}

/** Builds an error with the standing advice of its code. */
export function flyError(code: FlyErrorCode, message: string, more: Partial<Omit<FlyErrorInit, 'code' | 'message'>> = {}): FlyError {
  return new FlyError({ code, message, ...CODES[code], ...more });
}

/** Fly's answer that was not a success, as an error (`error-table.ts`). `retryAfter` is the header as it came. */
export function errorFromAnswer(answer: {
  kind: CallKind; doing: string; status: number; body: unknown; retryAfter?: string | undefined; now: number;
}): FlyError {
  const { error, message: other, status: word } = (typeof answer.body === 'object' && answer.body !== null ? answer.body : {}) as
    { error?: unknown; message?: unknown; status?: unknown };
  const said = typeof error === 'string' ? error : typeof other === 'string' ? other : typeof answer.body === 'string' ? answer.body.slice(0, 300) : '';
  const code = classify({ kind: answer.kind, status: answer.status, said, word: typeof word === 'string' ? word : undefined });
  return flyError(code, `${answer.doing}: Fly answered ${answer.status}${said ? `: ${said}` : ''}`, {
    status: answer.status,
    outcome: code === 'fly_unknown_outcome' ? 'unknown' : 'known',
    retryAfterMs: retryAfterMs(answer.retryAfter, answer.now),
    overQuota: code === 'fly_forbidden' && /quota|limit|too many|maximum/i.test(said),
    machineId: code === 'fly_already_exists' ? /machine ID ([0-9a-z]+)/i.exec(said)?.[1] : undefined,
    leaseOwner: code === 'fly_conflict_lease' ? /held by (.+?)(?:, expires|$)/i.exec(said)?.[1] : undefined,
    leaseExpiresAt: code === 'fly_conflict_lease' ? /expires at (\S+)/i.exec(said)?.[1] : undefined,
  });
}

/** `Retry-After` in seconds or as a date, in milliseconds from now; undefined when absent or unreadable. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  if (header === undefined || header.trim() === '') return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, Math.round(ms)) : undefined;
}

/** A call that got no answer, as an error. */
export function errorFromTransport(failure: { kind: CallKind; doing: string; cause: unknown; timedOut: boolean; aborted: boolean }): FlyError {
  const { kind, doing, cause } = failure;
  const reason = (cause as { code?: unknown } | null)?.code;
  const word = typeof reason === 'string' ? reason : undefined;
  const sent = word === undefined || !NEVER_SENT.has(word);
  const outcome = kind === 'write' && sent ? 'unknown' : 'known';
  if (failure.aborted) return flyError('fly_aborted', `${doing}: given up by the caller`, { outcome, cause });
  const why = failure.timedOut ? 'no answer in time' : `no answer (${word ?? 'connection failed'})`;
  return flyError(outcome === 'unknown' ? 'fly_unknown_outcome' : 'fly_unavailable', `${doing}: ${why}`, { outcome, cause });
}
