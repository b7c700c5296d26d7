import type { Wall } from '../../packages/runtime/time.ts';

/** A wall clock that a test moves: whatever was due on the way is done in its order, and has settled, when `move` resolves. */
export class HandWall implements Wall {
  ms: number;
  /** What the computer's clock is off by: it may jump. */
  skew = 0;
  #timers: { at: number; work: () => void }[] = [];

  constructor(ms = 1_700_000_000_000) {
    this.ms = ms;
  }

  epoch = () => this.ms + this.skew;
  now = () => this.ms;
  random = () => 0.5;
  after = (ms: number, work: () => void) => {
    const timer = { at: this.ms + ms, work };
    this.#timers.push(timer);
    return () => { this.#timers = this.#timers.filter((other) => other !== timer); };
  };

  async move(ms: number): Promise<void> {
    const end = this.ms + ms;
    for (;;) {
      await settled();
      const next = this.#timers.toSorted((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > end) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.ms = Math.max(this.ms, next.at);
      next.work();
    }
    this.ms = end;
    await settled();
  }
}

/** Promises that wait for nothing from outside have come to their end. */
const settled = (): Promise<void> => new Promise((resolve) => { setImmediate(resolve); });
