/** Binance: so many connection attempts in so many minutes and address. */
const MOST = 300;
const WINDOW = 5 * 60_000;

/** The connection attempts of each address, in wall time. */
export class Attempts {
  readonly #now: () => number;
  readonly #made = new Map<string, number[]>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Counts an attempt. Null when it may go on, else the seconds until the next one may. */
  count(address: string): number | null {
    const now = this.#now();
    const made = (this.#made.get(address) ?? []).filter((at) => now - at < WINDOW);
    this.#made.set(address, made);
    if (made.length >= MOST) return Math.max(1, Math.ceil(((made[0] as number) + WINDOW - now) / 1_000));
    made.push(now);
    return null;
  }

  /** Attempts of the last five minutes, by address. */
  report(): Record<string, number> {
    const now = this.#now();
    return Object.fromEntries([...this.#made].map(([address, made]) => [address, made.filter((at) => now - at < WINDOW).length]));
  }
}
