/** Errors are counted over so many ms, in so many parts. */
const WINDOW_MS = 300_000;
const PARTS = 10;
/** Codes are few; what an outsider could make up without end is counted together. */
const MOST_CODES = 100;

/** How often things go wrong lately, and how often each in all. */
export class ErrorRate {
  readonly #now: () => number;
  readonly #parts: { part: number; count: number }[] = [];
  readonly #byCode = new Map<string, number>();

  /** @param now monotonic ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  add(code: string): void {
    const part = this.#part();
    const last = this.#parts.at(-1);
    if (last?.part === part) last.count += 1;
    else this.#parts.push({ part, count: 1 });
    if (this.#parts.length > PARTS) this.#parts.shift();
    const known = this.#byCode.has(code) || this.#byCode.size < MOST_CODES ? code : 'other';
    this.#byCode.set(known, (this.#byCode.get(known) ?? 0) + 1);
  }

  /** Errors a minute over the last five. */
  perMinute(): number {
    const since = this.#part() - PARTS;
    return this.#parts.reduce((sum, { part, count }) => sum + (part > since ? count : 0), 0) / (WINDOW_MS / 60_000);
  }

  /** Since the start, by code. */
  get byCode(): ReadonlyMap<string, number> {
    return this.#byCode;
  }

  #part(): number {
    return Math.floor(this.#now() / (WINDOW_MS / PARTS));
  }
}
