const WINDOW = 60_000;

/** Requests per minute of one project, over a sliding minute of wall time. */
export class Quota {
  readonly #limit: number;
  readonly #now: () => number;
  readonly #times = new Map<string, number[]>();

  constructor(limit: number, now: () => number) {
    this.#limit = limit;
    this.#now = now;
  }

  /** 0 when the request may go on, otherwise after how many seconds one may. A refused request does not count. */
  take(model: string): number {
    const now = this.#now();
    const times = (this.#times.get(model) ?? []).filter((time) => now - time < WINDOW);
    this.#times.set(model, times);
    if (times.length >= this.#limit) return Math.max(1, Math.ceil(((times[0] as number) + WINDOW - now) / 1000));
    times.push(now);
    return 0;
  }
}
