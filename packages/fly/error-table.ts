/** Every way in which a call to Fly can end other than well. */
export const FLY_ERROR_CODES = [
  'fly_unauthorized', 'fly_forbidden', 'fly_not_found', 'fly_conflict_lease', 'fly_already_exists', 'fly_capacity', 'fly_precondition', 'fly_invalid',
  'fly_rate_limited', 'fly_unknown_outcome', 'fly_unavailable', 'fly_wait_expired', 'fly_unexpected_answer', 'fly_aborted',
] as const;
export type FlyErrorCode = (typeof FLY_ERROR_CODES)[number];

/** What kind of call it was: whether a lost answer leaves a question behind depends on it. */
export type CallKind = 'read' | 'write' | 'wait';

/** What each code means whoever gets it: whether the same call may succeed later as it is, and what to do. */
export const CODES: Readonly<Record<FlyErrorCode, { retryable: boolean; nextStep: string }>> = {
  fly_unauthorized: { retryable: false, nextStep: 'Check FLY_API_TOKEN; just after an app was created this may pass within seconds.' },
  fly_forbidden: { retryable: false, nextStep: 'The app belongs to another organisation or a quota is reached: choose another name, or ask Fly to raise the quota.' },
  fly_not_found: { retryable: false, nextStep: 'Read the list by name before you create anything in its place.' },
  fly_conflict_lease: { retryable: true, nextStep: 'Wait for the lease to end, or let its holder finish.' },
  fly_already_exists: { retryable: false, nextStep: 'Adopt the one that exists.' },
  fly_capacity: { retryable: false, nextStep: 'Try the next allowed region or another size.' },
  fly_precondition: { retryable: true, nextStep: 'Read the machine again and plan from what it shows.' },
  fly_invalid: { retryable: false, nextStep: 'Correct the request; repeating it will not help.' },
  fly_rate_limited: { retryable: true, nextStep: 'Wait and repeat more slowly.' },
  fly_unknown_outcome: { retryable: true, nextStep: 'Look whether it happened before repeating it.' },
  fly_unavailable: { retryable: true, nextStep: 'Repeat with back-off.' },
  fly_wait_expired: { retryable: true, nextStep: 'Read the machine; wait again if it is still on its way.' },
  fly_unexpected_answer: { retryable: false, nextStep: 'The API differs from what this client knows: look at packages/fly/shapes.ts.' },
  fly_aborted: { retryable: false, nextStep: 'The caller gave up; look before repeating a write.' },
};

/** A row of Fly's error table: which answers it is about, and what they mean. `said`: Fly's `error`; `word`: its `status`. */
interface ErrorRow { status: number | '5xx' | 'any'; kind?: CallKind; said?: RegExp; word?: readonly string[]; code: FlyErrorCode }

const NO_ROOM = /insufficient (?:capacity|memory|cpu|resources)|could not reserve resource|no(?:t enough)? capacity/i;
const TAKEN = /already[_ ]exists|already (?:been )?taken|name.*taken/i;

/** Read from the top: the first row that fits is the meaning. Sources: Fly's OpenAPI document, its own clients, and what was seen in practice. */
const ERROR_TABLE: readonly ErrorRow[] = [
  { status: 429, code: 'fly_rate_limited' },
  // a lack of room was seen as 400 (volumes), 409, 422 and from the gateway: by its word or by what it says, whatever the status
  { status: 'any', word: ['insufficient_capacity', 'volume_placement_capacity'], code: 'fly_capacity' },
  { status: 'any', said: NO_ROOM, code: 'fly_capacity' },
  { status: 'any', word: ['name_taken'], code: 'fly_already_exists' },
  { status: 400, code: 'fly_invalid' },
  { status: 401, code: 'fly_unauthorized' },
  { status: 403, code: 'fly_forbidden' },
  { status: 404, code: 'fly_not_found' },
  { status: 408, kind: 'wait', code: 'fly_wait_expired' },
  { status: 408, kind: 'write', code: 'fly_unknown_outcome' },
  { status: 408, code: 'fly_unavailable' },
  { status: 409, said: /lease/i, code: 'fly_conflict_lease' },
  { status: 409, said: TAKEN, code: 'fly_already_exists' },
  // a stale version, as some see it
  { status: 409, code: 'fly_precondition' },
  { status: 412, code: 'fly_precondition' },
  { status: 422, said: /taken/i, code: 'fly_already_exists' },
  { status: 422, code: 'fly_invalid' },
  { status: '5xx', kind: 'write', code: 'fly_unknown_outcome' },
  { status: '5xx', code: 'fly_unavailable' },
  { status: 'any', code: 'fly_invalid' },
];

/** What an answer that is not a success means. Total. */
export function classify(answer: { kind: CallKind; status: number; said: string; word: string | undefined }): FlyErrorCode {
  const row = ERROR_TABLE.find(({ status, kind, said, word }) =>
    (status === 'any' || status === answer.status || (status === '5xx' && answer.status >= 500)) && (kind === undefined || kind === answer.kind)
    && (said === undefined || said.test(answer.said)) && (word === undefined || word.includes(answer.word ?? '')));
  return row?.code ?? 'fly_invalid';
}

/** Errors of the transport that say that the request never left this process, so that even a write certainly did not happen. */
export const NEVER_SENT: ReadonlySet<string> = new Set([
  'ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED',
]);
