import { intervalClose, type Interval } from '@trademind/core';

/** Whom a trader screens on the closes after `after` (ms of market time), until the next span. */
export interface MemberSpan { readonly after: number; readonly symbols: readonly string[] }
/** Symbols that were missing when the closes from `from` to `to` (ms, both included) were screened. */
export interface Absence { readonly from: number; readonly to: number; readonly symbols: readonly string[] }

/** Absences kept: the oldest are let go first, long after their candles. */
const MOST_ABSENCES = 1_000;

/**
 * A trader's universe as it changed over time, and who was missing when: with the candles all that there is to know, so that whoever screens a close again (after a restart, in a replay,
 * in a backtest) ranks the same symbols as at first. Before the first span its symbols count: of what was before nothing is known.
 */
export class Membership {
  readonly spans: readonly { readonly after: number; readonly symbols: ReadonlySet<string> }[];
  /** Everybody of any span. */
  readonly symbols: ReadonlySet<string>;
  /** By span: who is in, or will be in a later one. */
  readonly #coming: readonly ReadonlySet<string>[];
  #absences: readonly Absence[];

  /** @param spans oldest first; none: nobody is screened. */
  constructor(spans: readonly { readonly after: number; readonly symbols: Iterable<string> }[], absences: readonly Absence[] = []) {
    this.spans = spans.length === 0 ? [{ after: -Infinity, symbols: new Set() }] : spans.map(({ after, symbols }) => ({ after, symbols: new Set(symbols) }));
    this.#coming = this.spans.map((_, at) => new Set(this.spans.slice(at).flatMap((span) => [...span.symbols])));
    this.symbols = this.#coming[0]!;
    this.#absences = absences;
  }

  /** These symbols, as if it had always been so. */
  static always(symbols: Iterable<string>): Membership {
    return new Membership([{ after: -Infinity, symbols }]);
  }

  get now(): ReadonlySet<string> {
    return this.spans.at(-1)!.symbols;
  }

  get absences(): readonly Absence[] {
    return this.#absences;
  }

  /** Whom it screens on a close. */
  at(closeTime: number): ReadonlySet<string> {
    return this.spans[this.#indexAt(closeTime)]!.symbols;
  }

  /** Whom it screens on a close, and who comes in later: what they find then looks back on it. */
  coming(closeTime: number): ReadonlySet<string> {
    return this.#coming[this.#indexAt(closeTime)]!;
  }

  #indexAt(closeTime: number): number {
    return Math.max(0, this.spans.findLastIndex(({ after }) => after < closeTime));
  }

  /** The last close (ms) on which a symbol is screened; Infinity while it is a member, -Infinity where it never was one. */
  until(symbol: string): number {
    const last = this.spans.findLastIndex(({ symbols }) => symbols.has(symbol));
    return last < 0 ? -Infinity : this.spans[last + 1]?.after ?? Infinity;
  }

  /** After which close (ms) a symbol came in that is a member now; Infinity where it is none. */
  since(symbol: string): number {
    const out = this.spans.findLastIndex(({ symbols }) => !symbols.has(symbol));
    return this.spans[out + 1]?.after ?? Infinity;
  }

  /** What of it speaks of the closes after this one (ms); of the spans before the last no more than keep it to twice as many symbols as are in now. */
  after(closeTime: number): Membership {
    const most = 2 * this.now.size;
    let from = Math.max(0, this.spans.findLastIndex(({ after }) => after <= closeTime));
    while (from < this.spans.length - 1 && this.#coming[from]!.size > most) from++;
    return new Membership(this.spans.slice(from), this.#absences.filter(({ to }) => to > closeTime));
  }

  /** Who was missing when this close was screened, as far as that was noted. */
  absentAt(closeTime: number): readonly string[] {
    return this.#absences.findLast(({ from, to }) => from <= closeTime && closeTime <= to)?.symbols ?? [];
  }

  /** These are missing as this close is screened. */
  noteAbsent(closeTime: number, interval: Interval, symbols: readonly string[]): void {
    this.#absences = withAbsence(this.#absences, closeTime, interval, symbols).slice(-MOST_ABSENCES);
  }

  /** Takes over who was missing as another one of the same trader knows it. */
  carry(other: Membership): void {
    const all = new Map<number, Absence>();
    for (const absence of [...other.#absences, ...this.#absences]) if ((all.get(absence.from)?.to ?? -Infinity) < absence.to) all.set(absence.from, absence);
    this.#absences = [...all.values()].sort((a, b) => a.from - b.from).slice(-MOST_ABSENCES);
  }

  /** The same spans, of which nobody was missing yet. */
  complete(): Membership {
    return new Membership(this.spans);
  }

  /** Whether the same symbols were in at the same times. */
  equals({ spans }: Membership): boolean {
    return spans.length === this.spans.length && spans.every(({ after, symbols }, at) => {
      const own = this.spans[at]!;
      return own.after === after && own.symbols.size === symbols.size && [...symbols].every((symbol) => own.symbols.has(symbol));
    });
  }

  /** As JSON holds it; it knows no infinity. */
  save(): SavedMembership {
    return { spans: this.spans.map(({ after, symbols }) => ({ after: Number.isFinite(after) ? after : null, symbols: [...symbols] })), absences: this.#absences };
  }

  static restored({ spans, absences }: SavedMembership): Membership {
    return new Membership(spans.map(({ after, symbols }) => ({ after: after ?? -Infinity, symbols })), absences);
  }
}

export interface SavedMembership {
  readonly spans: readonly { readonly after: number | null; readonly symbols: readonly string[] }[];
  readonly absences: readonly Absence[];
}

/** Absences with those of one more close, which come after them: the last one goes on if the same symbols are missing on the very next close. */
export function withAbsence(absences: readonly Absence[], closeTime: number, interval: Interval, symbols: readonly string[]): Absence[] {
  const last = absences.at(-1);
  if (last !== undefined && last.to >= closeTime && last.from <= closeTime) return [...absences];
  if (last !== undefined && intervalClose(interval, last.to) === closeTime && last.symbols.join() === symbols.join()) return [...absences.slice(0, -1), { ...last, to: closeTime }];
  return [...absences, { from: closeTime, to: closeTime, symbols }];
}
