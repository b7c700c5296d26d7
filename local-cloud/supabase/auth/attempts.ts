/** Counts failed attempts per key in a sliding window; bounded in memory: the key longest silent is forgotten first. */
export class Attempts {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #now: () => number;
  readonly #failures = new Map<string, number[]>();

  constructor(limit: number, windowMs: number, now: () => number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#now = now;
  }

  /** Whether `key` has used up its attempts. */
  isExhausted(key: string): boolean {
    return this.#recent(key).length >= this.#limit;
  }

  note(key: string): void {
    const recent = [...this.#recent(key), this.#now()].slice(-this.#limit);
    this.#failures.delete(key);
    this.#failures.set(key, recent);
    if (this.#failures.size > 10_000) this.#failures.delete(this.#failures.keys().next().value as string);
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }

  #recent(key: string): number[] {
    const since = this.#now() - this.#windowMs;
    return (this.#failures.get(key) ?? []).filter((at) => at > since);
  }
}
