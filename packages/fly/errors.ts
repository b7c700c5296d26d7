import { TradeMindError } from '@trademind/core';

/** Every way in which a call to Fly can end other than well. */
export const FLY_ERROR_CODES = [
  'fly_unauthorized', 'fly_forbidden', 'fly_not_found', 'fly_conflict_lease', 'fly_already_exists', 'fly_capacity', 'fly_precondition', 'fly_invalid',
  'fly_rate_limited', 'fly_unknown_outcome', 'fly_unavailable', 'fly_wait_expired', 'fly_unexpected_answer', 'fly_aborted',
] as const;
export type FlyErrorCode = (typeof FLY_ERROR_CODES)[number];

/** What kind of call it was: whether a lost answer leaves a question behind depends on it. */
export type CallKind = 'read' | 'write' | 'wait';

interface FlyErrorInit {
  code: FlyErrorCode;
  message: string;
  nextStep: string;
  retryable: boolean;
  outcome?: 'known' | 'unknown';
  status?: number | undefined;
  retryAfterMs?: number | undefined;
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
    this.machineId = init.machineId;
    this.leaseOwner = init.leaseOwner;
    this.leaseExpiresAt = init.leaseExpiresAt;
  }
}

const NEXT_STEP: Record<FlyErrorCode, string> = {
  fly_unauthorized: 'Check FLY_API_TOKEN; just after an app was created this may pass within seconds.',
  fly_forbidden: 'The app belongs to another organisation or a quota is reached: choose another name, or ask Fly to raise the quota.',
  fly_not_found: 'Read the list by name before you create anything in its place.',
  fly_conflict_lease: 'Wait for the lease to end, or let its holder finish.',
  fly_already_exists: 'Adopt the one that exists.',
  fly_capacity: 'Try the next allowed region or another size.',
  fly_precondition: 'Read the machine again and plan from what it shows.',
  fly_invalid: 'Correct the request; repeating it will not help.',
  fly_rate_limited: 'Wait and repeat more slowly.',
  fly_unknown_outcome: 'Look whether it happened before repeating it.',
  fly_unavailable: 'Repeat with back-off.',
  fly_wait_expired: 'Read the machine; wait again if it is still on its way.',
  fly_unexpected_answer: 'The API differs from what this client knows: look at packages/fly/shapes.ts.',
  fly_aborted: 'The caller gave up; look before repeating a write.',
};

const RETRYABLE: ReadonlySet<FlyErrorCode> = new Set([
  'fly_conflict_lease', 'fly_precondition', 'fly_rate_limited', 'fly_unknown_outcome', 'fly_unavailable', 'fly_wait_expired',
]);

const CAPACITY = /insufficient (?:capacity|memory|cpu|resources)|could not reserve resource|no capacity|not enough capacity/i;
const CAPACITY_STATUS: ReadonlySet<string> = new Set(['insufficient_capacity', 'volume_placement_capacity']);

/** Builds an error with the standing advice of its code. */
export function flyError(code: FlyErrorCode, message: string, more: Partial<Omit<FlyErrorInit, 'code' | 'message'>> = {}): FlyError {
  return new FlyError({ code, message, nextStep: NEXT_STEP[code], retryable: RETRYABLE.has(code), ...more });
}

function codeFor(kind: CallKind, status: number, message: string, word: string | undefined): FlyErrorCode {
  if (status === 429) return 'fly_rate_limited';
  if ((word !== undefined && CAPACITY_STATUS.has(word)) || CAPACITY.test(message)) return 'fly_capacity';
  if (word === 'name_taken') return 'fly_already_exists';
  switch (status) {
    case 401: return 'fly_unauthorized';
    case 403: return 'fly_forbidden';
    case 404: return 'fly_not_found';
    case 408: return kind === 'wait' ? 'fly_wait_expired' : kind === 'write' ? 'fly_unknown_outcome' : 'fly_unavailable';
    case 409:
      if (/lease/i.test(message)) return 'fly_conflict_lease';
      return /already[_ ]exists|already (?:been )?taken|name.*taken/i.test(message) ? 'fly_already_exists' : 'fly_precondition';
    case 412: return 'fly_precondition';
    case 422: return /taken/i.test(message) ? 'fly_already_exists' : 'fly_invalid';
    default: break;
  }
  if (status >= 500) return kind === 'write' ? 'fly_unknown_outcome' : 'fly_unavailable';
  return 'fly_invalid';
}

/** Fly's answer that was not a success, as an error (the facts' error table). `retryAfter` is the header as it came. */
export function errorFromAnswer(answer: {
  kind: CallKind; doing: string; status: number; body: unknown; retryAfter?: string | undefined; now: number;
}): FlyError {
  const { error, message: other, status: word } = (typeof answer.body === 'object' && answer.body !== null ? answer.body : {}) as
    { error?: unknown; message?: unknown; status?: unknown };
  const said = typeof error === 'string' ? error : typeof other === 'string' ? other : typeof answer.body === 'string' ? answer.body.slice(0, 300) : '';
  const code = codeFor(answer.kind, answer.status, said, typeof word === 'string' ? word : undefined);
  return flyError(code, `${answer.doing}: Fly answered ${answer.status}${said ? `: ${said}` : ''}`, {
    status: answer.status,
    outcome: code === 'fly_unknown_outcome' ? 'unknown' : 'known',
    retryAfterMs: retryAfterMs(answer.retryAfter, answer.now),
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

/** Errors of the transport that say that the request never left this process, so that even a write certainly did not happen. */
const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED',
]);

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
