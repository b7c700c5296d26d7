import { Membership, type Absence } from '@trademind/engine';
import type { MembershipEntry } from '../../state/membership-book.ts';
import type { StoredTrader } from '../../state/state-store.ts';
import type { RecordedMembers } from '../../screening/trader-set.ts';

interface Noted { readonly at: number; readonly entry: MembershipEntry }

/** Whom the traders of a recorded session screened, and who was missing when, as a replay comes to know it: a choice not before its time, unless it is the first. */
export class RecordedMemberships implements RecordedMembers {
  readonly #noted: readonly Noted[];
  readonly #now: () => number;

  /** @param now the replay's time, ms since 1970 */
  constructor(noted: readonly Noted[], now: () => number) {
    this.#noted = noted;
    this.#now = now;
  }

  /** Whether nothing was noted: the recording is of before. */
  get isEmpty(): boolean {
    return this.#noted.length === 0;
  }

  /** Traders of the session, each in its last version. */
  get traders(): StoredTrader[] {
    const known = new Map<string, StoredTrader>();
    for (const { entry: { id, version, document } } of this.#noted) if (document !== undefined) known.set(id, { id, version, document });
    return [...known.values()];
  }

  /** When choices were made: the replay looks at them again then (ms since 1970). */
  get times(): number[] {
    return [...new Set(this.#noted.filter(({ entry }) => entry.spans.length > 0).map(({ at }) => Math.ceil(at)))];
  }

  of({ id, version }: Pick<StoredTrader, 'id' | 'version'>): Membership | undefined {
    const own = this.#noted.filter(({ entry }) => entry.id === id && entry.version === version);
    const now = this.#now();
    const spans = new Map<number, readonly string[]>();
    for (const { at, entry } of own) if (at <= now || spans.size === 0) for (const { after, symbols } of entry.spans) spans.set(after, symbols);
    if (spans.size === 0) return undefined;
    const absences: Absence[] = own.flatMap(({ entry }) => entry.absences);
    return new Membership([...spans].sort(([a], [b]) => a - b).map(([after, symbols]) => ({ after, symbols })), absences.sort((a, b) => a.from - b.from));
  }
}
