import type { TimeSample } from './binance-rest.ts';

/** An event's time may lie so far (wall ms, times the rate) beyond our estimate and still be believed. */
const BELIEVED_AHEAD_MS = 5_000;
/** The estimate never runs further (wall ms, times the rate) beyond what the exchange last said: while it is away its market may stand still. */
const CARRIED_MS = 5_000;

/**
 * Market time, as the exchange shows it: samples of `/api/v3/time`, carried on by wall time × rate between them. `now()` never goes back.
 */
export class MarketClock {
  readonly #wallNow: () => number;
  #sample: TimeSample | undefined;
  #shown = 0;
  #seen = 0;

  /** @param wallNow monotonic wall time, ms */
  constructor(wallNow: () => number) {
    this.#wallNow = wallNow;
  }

  get rate(): number {
    return this.#sample?.rate ?? 1;
  }

  set(sample: TimeSample): void {
    this.#sample = sample;
    this.#seen = Math.max(this.#seen, sample.serverTime);
  }

  /** Best estimate of market time now, whole ms. Where a sample shows less than was already said, it stands still until the market is there. */
  now(): number {
    this.#shown = Math.max(this.#shown, this.#estimate());
    return this.#shown;
  }

  /**
   * Market time that has surely passed: the latest that the exchange itself has said. Never extrapolated, because an exchange that
   * restarts stands still meanwhile; a candle that ends after it may still be forming.
   */
  seen(): number {
    return this.#seen;
  }

  /** An event carried the exchange's time. False when it lies beyond belief: the clock should be sampled. */
  saw(eventTime: number): boolean {
    if (eventTime <= this.#seen) return true;
    if (!this.#sample || eventTime > this.#estimate() + BELIEVED_AHEAD_MS * Math.max(1, this.#sample.rate)) return false;
    this.#seen = eventTime;
    this.#shown = Math.max(this.#shown, eventTime);
    return true;
  }

  #estimate(): number {
    if (!this.#sample) return 0;
    const { serverTime, rate, sentAt, receivedAt } = this.#sample;
    const carried = Math.floor(serverTime + (this.#wallNow() - (sentAt + receivedAt) / 2) * rate);
    return Math.max(this.#seen, Math.min(carried, this.#seen + CARRIED_MS * Math.max(1, rate)));
  }
}
