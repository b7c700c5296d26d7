/** How often each verb was asked for, reads included, since the last reset. */
export class Counts {
  readonly #verbs = new Map<string, { asked: number; limited: number; struck: number }>();

  #of(verb: string): { asked: number; limited: number; struck: number } {
    let row = this.#verbs.get(verb);
    if (!row) this.#verbs.set(verb, (row = { asked: 0, limited: 0, struck: 0 }));
    return row;
  }

  count(verb: string, struck: boolean): void {
    const row = this.#of(verb);
    row.asked += 1;
    if (struck) row.struck += 1;
  }

  limited(verb: string): void {
    this.#of(verb).limited += 1;
  }

  report(): { total: number; verbs: Record<string, { asked: number; limited: number; struck: number }> } {
    return { total: [...this.#verbs.values()].reduce((sum, { asked }) => sum + asked, 0), verbs: Object.fromEntries(this.#verbs) };
  }

  reset(): void {
    this.#verbs.clear();
  }
}
