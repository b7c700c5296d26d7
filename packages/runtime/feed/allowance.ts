/** How often somebody may do something: so many a second on the long run, as many at once. */
export class Allowance {
  readonly #perSecond: number;
  #left: number;
  #at: number;

  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond;
    this.#left = perSecond;
    this.#at = now;
  }

  /** Takes `cost`; false when there is not so much left. What is refused costs nothing. */
  take(now: number, cost = 1): boolean {
    // A wall clock may be set back.
    this.#left = Math.min(this.#perSecond, this.#left + Math.max(0, (now - this.#at) / 1_000) * this.#perSecond);
    this.#at = now;
    if (this.#left < cost) return false;
    this.#left -= cost;
    return true;
  }

  /** Whether all of it is there again: then nobody has to remember it. */
  isFull(now: number): boolean {
    return this.#left + Math.max(0, (now - this.#at) / 1_000) * this.#perSecond >= this.#perSecond;
  }
}
