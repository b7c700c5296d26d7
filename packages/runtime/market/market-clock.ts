import type { TimeSample } from './binance-rest.ts';

/** Of events that come close together one in so much market time is looked at. */
const LOOK_MS = 250;
/** What the exchange says of its time may differ so far (wall ms, times the rate) from our estimate and still be believed. */
const BELIEVED_MS = 5_000;
/** The estimate never runs further (wall ms, times the rate) beyond what the exchange last said: while it is away its market may stand still. */
const CARRIED_MS = 5_000;
/** Events that fit the estimate speak for it so long (wall ms). */
const EVIDENCE_MS = 10_000;
/** Without events, samples that contradict the estimate are believed when so many agree, over at least so long (wall ms). */
const SAMPLES = 3;
const SAMPLES_OVER_MS = 2_000;

/** A time that lies beyond belief, as market time minus wall time × rate; how often it was said, and since when. */
interface Doubt { offset: number; count: number; since: number }

/**
 * Market time, as the exchange shows it: samples of `/api/v3/time`, carried on by wall time × rate between them. `now()` never goes back.
 * A sample or an event's time far from the estimate is believed only when the other kind says the same, or nothing speaks against it: a clock
 * that is wrong at one place of the exchange moves nothing here.
 */
export class MarketClock {
  readonly #wallNow: () => number;
  #sample: TimeSample | undefined;
  #shown = 0;
  #seen = 0;
  #eventFitAt = -Infinity;
  /** Events up to here need no second look: one just before them fitted. */
  #fitsUntil = 0;
  #doubtedSample: Doubt | undefined;
  #doubtedEvent: Doubt | undefined;

  /** @param wallNow monotonic wall time, ms */
  constructor(wallNow: () => number) {
    this.#wallNow = wallNow;
  }

  get rate(): number {
    return this.#sample?.rate ?? 1;
  }

  /** Takes a sample in. False when it lies beyond belief: another should be asked for. */
  set(sample: TimeSample): boolean {
    const { serverTime, rate, receivedAt } = sample;
    if (this.#sample && rate === this.#sample.rate) {
      const ahead = serverTime - this.#carried((sample.sentAt + receivedAt) / 2);
      if (Math.abs(ahead) > this.#tolerance() && !this.#confirmed('sample', this.#offset(serverTime))) return false;
    }
    this.#adopt(sample);
    return true;
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

  /** Whether a moment lies so far ahead that it cannot have come yet, however long ago the exchange told its time. */
  isAhead(time: number): boolean {
    return time > Math.max(this.#seen, this.#carried(this.#wallNow())) + this.#tolerance();
  }

  /** An event carried the exchange's time. False when it lies beyond belief: the clock should be sampled. */
  saw(eventTime: number): boolean {
    if (eventTime < this.#fitsUntil) {
      if (eventTime > this.#seen) this.#seen = eventTime;
      return true;
    }
    if (!this.#sample) return false;
    const ahead = eventTime - this.#carried(this.#wallNow());
    if (ahead > this.#tolerance()) {
      if (!this.#confirmed('event', this.#offset(eventTime))) return false;
      const at = this.#wallNow();
      this.#adopt({ serverTime: eventTime, rate: this.rate, sentAt: at, receivedAt: at });
      return true;
    }
    // An event from long ago was under way for long: it says nothing of the time now.
    if (ahead > -this.#tolerance()) this.#eventFitAt = this.#wallNow();
    this.#seen = Math.max(this.#seen, eventTime);
    this.#fitsUntil = eventTime + LOOK_MS;
    return true;
  }

  #adopt(sample: TimeSample): void {
    this.#sample = sample;
    this.#seen = Math.max(this.#seen, sample.serverTime);
    this.#fitsUntil = 0;
    this.#doubtedSample = this.#doubtedEvent = undefined;
  }

  /** Whether what contradicts the estimate is to be believed after all. */
  #confirmed(kind: 'sample' | 'event', offset: number): boolean {
    const now = this.#wallNow();
    const before = kind === 'sample' ? this.#doubtedSample : this.#doubtedEvent;
    const same = before !== undefined && Math.abs(before.offset - offset) <= this.#tolerance();
    const doubt: Doubt = same ? { offset, count: before.count + 1, since: before.since } : { offset, count: 1, since: now };
    if (kind === 'sample') this.#doubtedSample = doubt;
    else this.#doubtedEvent = doubt;
    const other = kind === 'sample' ? this.#doubtedEvent : this.#doubtedSample;
    if (other && Math.abs(other.offset - offset) <= this.#tolerance()) return true;
    return kind === 'sample' && now - this.#eventFitAt > EVIDENCE_MS && doubt.count >= SAMPLES && now - doubt.since >= SAMPLES_OVER_MS;
  }

  #tolerance(): number {
    return BELIEVED_MS * Math.max(1, this.rate);
  }

  #offset(time: number): number {
    return time - this.#wallNow() * this.rate;
  }

  /** The last sample carried on to that moment. */
  #carried(wall: number): number {
    if (!this.#sample) return 0;
    const { serverTime, rate, sentAt, receivedAt } = this.#sample;
    return serverTime + (wall - (sentAt + receivedAt) / 2) * rate;
  }

  #estimate(): number {
    if (!this.#sample) return 0;
    return Math.max(this.#seen, Math.min(Math.floor(this.#carried(this.#wallNow())), this.#seen + CARRIED_MS * Math.max(1, this.rate)));
  }
}
