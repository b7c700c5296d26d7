import { pause, type Wall } from '../time.ts';

/** Binance allows 6,000 weight a minute and address; a part stays free for what else runs at the same address. */
const LIMIT = 6_000;
const SHARE = 0.8;
const MINUTE_MS = 60_000;

/**
 * Keeps all callers of one exchange address within its weight budget. The exchange's own count (`X-MBX-USED-WEIGHT-1M`) is the truth; between
 * its answers what was sent is added. A refusal (429, 418) closes the gate for as long as the exchange says.
 */
export class WeightBudget {
  readonly #wall: Wall;
  #minute = -1;
  #used = 0;
  #closedUntil = 0;

  constructor(wall: Wall) {
    this.#wall = wall;
  }

  /** Weight used in the current minute, as far as known. */
  get used(): number {
    return this.#used;
  }

  /** Waits until `weight` may be spent, and spends it. Rejects with the signal's reason when aborted. */
  async spend(weight: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      this.#turn();
      const wait = this.#closedUntil - this.#wall.now();
      if (wait <= 0 && this.#used + weight <= LIMIT * SHARE) {
        this.#used += weight;
        return;
      }
      await pause(wait > 0 ? wait : MINUTE_MS - (this.#wall.epoch() % MINUTE_MS) + 50, signal);
    }
  }

  /** Takes over the exchange's own count. */
  counted(used: number): void {
    this.#turn();
    if (Number.isFinite(used) && used >= 0) this.#used = Math.max(used, 0);
  }

  /** The exchange said to wait: nobody asks before. */
  close(ms: number): void {
    this.#closedUntil = Math.max(this.#closedUntil, this.#wall.now() + ms);
  }

  /** The exchange counts by minutes of its clock, which is near ours. */
  #turn(): void {
    const minute = Math.floor(this.#wall.epoch() / MINUTE_MS);
    if (minute === this.#minute) return;
    this.#minute = minute;
    this.#used = 0;
  }
}
