/** Wall time and chance, as an argument of everything that waits. Market time is another clock: see `market/market-clock.ts`. */
export interface Wall {
  /** ms since 1970; may jump when the computer's clock is set. For stamps only. */
  epoch(): number;
  /** ms that never jump and never go back. For durations. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Does the work once, after `ms`; the answer calls it off. A replay's clock runs it in the replay's time. */
  after(ms: number, work: () => void): () => void;
}

export const systemWall: Wall = {
  epoch: () => Date.now(), now: () => performance.now(), random: () => Math.random(),
  after: (ms, work) => {
    const timer = setTimeout(work, ms);
    return () => clearTimeout(timer);
  },
};

/** Waits `ms`, or until the signal aborts; never rejects. Answers false when it was cut short. */
export function pause(ms: number, signal: AbortSignal, wall: Pick<Wall, 'after'> = systemWall): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(false);
      return;
    }
    const cut = () => { callOff(); resolve(false); };
    const callOff = wall.after(ms, () => { signal.removeEventListener('abort', cut); resolve(true); });
    signal.addEventListener('abort', cut, { once: true });
  });
}

/** Does the work every `ms`, until called off. */
export function every(ms: number, wall: Pick<Wall, 'after'>, work: () => void): () => void {
  let callOff = wall.after(ms, again);
  function again(): void {
    callOff = wall.after(ms, again);
    work();
  }
  return () => callOff();
}

/** Waits between attempts: doubles from `first` to `most` ms, each between half and all of it, so that many clients do not come at once. */
export class Backoff {
  readonly #first: number;
  readonly #most: number;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: { first: number; most: number; random: () => number }) {
    this.#first = options.first;
    this.#most = options.most;
    this.#random = options.random;
  }

  get failures(): number {
    return this.#failures;
  }

  /** How long to wait after one more failure. */
  next(): number {
    const ceiling = Math.min(this.#most, this.#first * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    return ceiling * (0.5 + this.#random() / 2);
  }

  reset(): void {
    this.#failures = 0;
  }
}
