import type { ClockState } from './state.ts';

/** How much wall time the promise `ahead` covers, and how often it is renewed. */
const AHEAD_MS = 2_000;
const RENEW_MS = 1_000;
/** A longer silence means that the computer slept: the market sleeps with it. */
export const LONGEST_STEP_MS = 60_000;

export interface ClockOptions {
  /** Wall time, ms. */
  now: () => number;
  speed: number;
  /** Keeps the state; it may throw (a full disk): the market then stands still rather than break its promise. */
  save: (state: ClockState) => void;
  /** What the data folder holds; without it the market begins at `origin`. */
  stored?: ClockState | undefined;
  origin: number;
  onSaveError?: (error: unknown) => void;
}

/**
 * Market time: it runs `speed` times as fast as wall time while the exchange runs, stands still while it does not, and
 * never goes back, whatever happens to the process or to the wall clock. At speed 0 it moves only when it is stepped.
 */
export class MarketClock {
  readonly #options: ClockOptions;
  #speed: number;
  #marketOrigin: number;
  #wallOrigin: number;
  #lastWall: number;
  #shown: number;
  #ahead = -Infinity;
  #savedAt = -Infinity;

  constructor(options: ClockOptions) {
    this.#options = options;
    this.#speed = options.speed;
    this.#wallOrigin = this.#lastWall = options.now();
    this.#marketOrigin = this.#shown = Math.floor(options.stored ? resumeAt(options.stored, this.#wallOrigin) : options.origin);
    this.#promise(this.#shown);
  }

  /** Market time now, whole ms. Renews the promise when it is due, before showing anything that it does not cover. */
  time(): number {
    const wall = this.#options.now();
    if (wall - this.#lastWall > LONGEST_STEP_MS || wall < this.#lastWall) this.#restFrom(this.#shown, wall);
    this.#lastWall = wall;
    const market = Math.floor(this.#marketOrigin + (wall - this.#wallOrigin) * this.#speed);
    if (market > this.#ahead || wall - this.#savedAt >= RENEW_MS) {
      try {
        this.#promise(market);
      } catch (error) {
        this.#options.onSaveError?.(error);
        this.#savedAt = wall;
      }
    }
    if (market > this.#ahead) [this.#marketOrigin, this.#wallOrigin] = [this.#ahead, wall];
    this.#shown = Math.max(this.#shown, Math.min(market, this.#ahead));
    return this.#shown;
  }

  /** Seconds of market time in a second of wall time. */
  get speed(): number {
    return this.#speed;
  }

  /** Runs on from now at another speed; 0 holds the market until it is stepped. */
  setSpeed(speed: number): void {
    this.#restFrom(this.time(), this.#lastWall);
    this.#speed = speed;
    this.#promise(this.#shown);
  }

  /** Moves the market on by `ms`, at once. Throws what `save` throws: then the market has not moved. */
  step(ms: number): void {
    const target = this.time() + ms;
    this.#promise(target);
    [this.#marketOrigin, this.#wallOrigin, this.#shown] = [target, this.#lastWall, target];
  }

  /** Has the present written down. Throws what `save` throws. */
  keep(): void {
    this.#promise(this.time());
  }

  /** Stops cleanly: the next start resumes exactly here. */
  pause(): void {
    this.time();
    this.#options.save({ ...this.#state(this.#shown), ahead: this.#shown, paused: true });
  }

  /** Begins a new mapping, and has it written before anything is shown by it. */
  #restFrom(market: number, wall: number): void {
    this.#marketOrigin = market;
    this.#wallOrigin = wall;
    this.#savedAt = -Infinity;
  }

  #promise(market: number): void {
    const ahead = market + AHEAD_MS * this.#speed;
    this.#options.save({ ...this.#state(market), ahead });
    this.#ahead = ahead;
    this.#savedAt = this.#lastWall;
  }

  #state(marketTime: number): ClockState {
    return { marketOrigin: this.#marketOrigin, wallOrigin: this.#wallOrigin, speed: this.#speed, marketTime, ahead: this.#ahead, paused: false };
  }
}

/**
 * Where a market goes on: exactly where it paused after a clean stop; after a kill where the mapping says, but not beyond the
 * promise and never before what was already written.
 */
export function resumeAt(stored: ClockState, wall: number): number {
  if (stored.paused) return stored.marketTime;
  const mapped = stored.marketOrigin + (wall - stored.wallOrigin) * stored.speed;
  return Math.max(stored.marketTime, Math.min(mapped, stored.ahead));
}
