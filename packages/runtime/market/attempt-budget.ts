import { pause, type Wall } from '../time.ts';

/** Binance allows 300 connection attempts in 5 minutes and address; a part stays free for what else runs at the same address. */
const ATTEMPTS = 250;
const WINDOW_MS = 300_000;

/** Keeps all connections of one address within the exchange's limit of attempts. */
export class AttemptBudget {
  readonly #wall: Wall;
  readonly #most: number;
  readonly #taken: number[] = [];

  constructor(wall: Wall, most = ATTEMPTS) {
    this.#wall = wall;
    this.#most = most;
  }

  /** Waits until one more attempt is allowed, and takes it. False when the signal aborted before. */
  async take(signal: AbortSignal): Promise<boolean> {
    while (!signal.aborted) {
      const now = this.#wall.now();
      while ((this.#taken[0] ?? Infinity) <= now - WINDOW_MS) this.#taken.shift();
      if (this.#taken.length < this.#most) {
        this.#taken.push(now);
        return true;
      }
      await pause(this.#taken[0]! + WINDOW_MS - now, signal, this.#wall);
    }
    return false;
  }
}
