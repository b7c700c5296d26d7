import { pause, systemWall, type Wall } from './time.ts';

/** A wait that can be cut short: what is said before the wait begins counts too, so that no nudge is lost. */
export class Nudge {
  readonly #signal: AbortSignal;
  readonly #wall: Pick<Wall, 'after'>;
  #asked = false;
  #wake: AbortController | undefined;

  constructor(signal: AbortSignal, wall: Pick<Wall, 'after'> = systemWall) {
    this.#signal = signal;
    this.#wall = wall;
  }

  now(): void {
    this.#asked = true;
    this.#wake?.abort();
  }

  /** Waits `ms`, until the next nudge, or until the signal aborts. Answers whether it was nudged. */
  async wait(ms: number): Promise<boolean> {
    if (!this.#asked) {
      this.#wake = new AbortController();
      await pause(ms, AbortSignal.any([this.#signal, this.#wake.signal]), this.#wall);
    }
    const nudged = this.#asked;
    this.#asked = false;
    return nudged;
  }
}
