import type { Signal } from '@trademind/core';

const KEPT = 1_000;

/** The newest signals in memory, for the feed. Backfill finds them out of order, so they are put in order when asked for. */
export class RecentSignals {
  static readonly kept = KEPT;
  #signals: Signal[];
  #sorted = true;

  /** @param signals newest first */
  constructor(signals: Signal[]) {
    this.#signals = signals;
  }

  add(signals: readonly Signal[]): void {
    if (signals.length === 0) return;
    this.#signals.push(...signals);
    this.#sorted = false;
    if (this.#signals.length > KEPT * 2) this.#sort();
  }

  /** At most `limit` signals, newest first. */
  newest(limit: number): Signal[] {
    if (!this.#sorted) this.#sort();
    return this.#signals.slice(0, limit);
  }

  find(id: string): Signal | undefined {
    return this.#signals.find((signal) => signal.id === id);
  }

  #sort(): void {
    this.#signals = this.#signals.toSorted((a, b) => b.closeTime - a.closeTime || (a.id < b.id ? -1 : 1)).slice(0, KEPT);
    this.#sorted = true;
  }
}
