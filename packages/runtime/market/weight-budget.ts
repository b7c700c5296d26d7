import { sentenceOf, type TradeMindError } from '@trademind/core';
import type { Wall } from '../time.ts';

/** Who asks, the most urgent first: orders, then what is missing live, then history, then second looks. */
export const PRIORITIES = ['order', 'repair', 'backfill', 'audit'] as const;
export type Priority = (typeof PRIORITIES)[number];

/** Binance allows 6,000 weight a minute and address, unless its exchangeInfo says otherwise. */
const LIMIT = 6_000;
/** Up to which part of the limit each may spend: the rest stays for who is more urgent, and for what else runs at the same address. */
const SHARE: Readonly<Record<Priority, number>> = { order: 0.97, repair: 0.9, backfill: 0.8, audit: 0.5 };
const MINUTE_MS = 60_000;
/** A minute of the exchange is over for sure when so much of the next has passed. */
const AFTER_MINUTE_MS = 50;
const MOST_WAIT_MS = 60_000;
/** One refusal right after the other waits longer, up to this: who repeats while limited is banned. */
const FIRST_WAIT_MS = 1_000;
const LONGEST_OWN_WAIT_MS = 300_000;

interface Waiting { weight: number; priority: Priority; go(): void }

/**
 * Keeps all callers of one exchange address within its weight budget, the urgent ones first. The exchange's own count
 * (`X-MBX-USED-WEIGHT-1M`) is the truth; what is under way is added. A refusal (429, 418, 403, 451) closes the gate for all, for as long as
 * the exchange says and longer each time that it repeats.
 */
export class WeightBudget {
  readonly #wall: Wall;
  readonly #waiting: Waiting[] = [];
  #limit = LIMIT;
  #minute = -1;
  /** Spent in this minute by our own count, of it still without an answer, and the highest count that the exchange has told. */
  #spent = 0;
  #underWay = 0;
  #reported = 0;
  /** The exchange's clock is at least so far ahead of ours (ms); by its `Date` headers, which are whole seconds. */
  #offset: number | undefined;
  #closedUntil = -Infinity;
  #refusal: TradeMindError | undefined;
  #refusals = 0;
  #cancelLook: (() => void) | undefined;

  constructor(wall: Wall) {
    this.#wall = wall;
  }

  /** Weight used in the current minute, as far as known. */
  get used(): number {
    this.#turn();
    return Math.max(this.#spent, this.#reported + this.#underWay);
  }

  get limit(): number {
    return this.#limit;
  }

  /** Why nothing may be asked now; null when the gate is open. */
  get problem(): { code: string; message: string } | null {
    const waitMs = this.#closedUntil - this.#wall.now();
    if (waitMs <= 0 || !this.#refusal) return null;
    return { code: this.#refusal.code, message: `${sentenceOf(this.#refusal)} It may be asked again in ${Math.ceil(waitMs / 1_000)} s.` };
  }

  /** How long nothing may be asked, since the exchange has refused, ms; 0 when the gate is open. */
  get closedMs(): number {
    return Math.max(0, this.#closedUntil - this.#wall.now());
  }

  /** The exchange's own limit, as its exchangeInfo says it. */
  setLimit(limit: number): void {
    if (Number.isFinite(limit) && limit >= 100) this.#limit = limit;
  }

  /** Waits until `weight` may be spent, and spends it; `answered` must follow. Rejects with the signal's reason when aborted. */
  spend(weight: number, priority: Priority, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const abort = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason as Error);
      };
      const waiting: Waiting = { weight, priority, go: () => { signal.removeEventListener('abort', abort); resolve(); } };
      signal.addEventListener('abort', abort, { once: true });
      this.#waiting.push(waiting);
      this.#look();
    });
  }

  /** A request has its answer (or failed without one): the exchange's count and time, as far as its headers told them. */
  answered(weight: number, told: { used?: number; date?: number } = {}): void {
    this.#underWay = Math.max(0, this.#underWay - weight);
    if (told.date !== undefined && Number.isFinite(told.date)) this.#sawDate(told.date);
    this.#turn();
    const { used = Number.NaN } = told;
    if (used >= 0 && Number.isFinite(used)) {
      // Far below what was told before: the exchange's minute has turned, whatever our clock says.
      if (this.#reported > this.#limit / 4 && used + this.#underWay < this.#reported / 2) this.#begin();
      this.#reported = Math.max(this.#reported, used);
    }
    if (this.#closedUntil <= this.#wall.now()) this.#refusals = 0;
    this.#look();
  }

  /** The exchange refused: nobody asks before `ms` are over. */
  close(ms: number, refusal: TradeMindError): void {
    const now = this.#wall.now();
    // Of several that were under way together only the first counts as a repetition.
    if (this.#closedUntil <= now) this.#refusals += 1;
    const own = this.#refusals <= 1 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** this.#refusals, LONGEST_OWN_WAIT_MS);
    this.#closedUntil = Math.max(this.#closedUntil, now + Math.max(ms, own));
    this.#refusal = refusal;
  }

  /** Lets go whoever may, the most urgent first; what one of them cannot have yet, no less urgent one takes. */
  #look(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
    this.#turn();
    for (;;) {
      const next = this.#waiting.length === 0 ? undefined
        : this.#waiting.reduce((first, other) => (PRIORITIES.indexOf(other.priority) < PRIORITIES.indexOf(first.priority) ? other : first));
      if (!next) return;
      const waitMs = this.#waitFor(next);
      if (waitMs > 0) {
        this.#cancelLook = this.#wall.after(Math.min(waitMs, MOST_WAIT_MS), () => this.#look());
        return;
      }
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#spent += next.weight;
      this.#underWay += next.weight;
      next.go();
    }
  }

  #waitFor({ weight, priority }: Waiting): number {
    const closed = this.#closedUntil - this.#wall.now();
    if (closed > 0) return closed;
    if (this.used + weight <= this.#limit * SHARE[priority]) return 0;
    return MINUTE_MS - (this.#exchangeTime() % MINUTE_MS) + AFTER_MINUTE_MS;
  }

  /** The exchange counts by minutes of its own clock. */
  #turn(): void {
    const minute = Math.floor((this.#exchangeTime() - AFTER_MINUTE_MS) / MINUTE_MS);
    if (minute === this.#minute) return;
    this.#minute = minute;
    this.#begin();
  }

  /** What is under way may still be counted in the new minute. */
  #begin(): void {
    this.#spent = this.#underWay;
    this.#reported = 0;
  }

  /** Never later than the exchange's clock really is, so that a minute is never taken for over too early. */
  #exchangeTime(): number {
    return this.#wall.epoch() + (this.#offset ?? 0);
  }

  #sawDate(date: number): void {
    const offset = date - this.#wall.epoch();
    // A clock that was set, here or there, is believed anew.
    this.#offset = this.#offset === undefined || Math.abs(offset - this.#offset) > 5_000 ? offset : Math.max(this.#offset, offset);
  }
}
