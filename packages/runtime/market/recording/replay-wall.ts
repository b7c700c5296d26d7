import { seededRandom } from './seeded-random.ts';
import type { Wall } from '../../time.ts';

interface Timer { at: number; work: () => void }

/** Wall time of a replay: it stands still until it is moved, and then everything that was to happen meanwhile happens, in order. */
export class ReplayWall implements Wall {
  readonly random: () => number;
  readonly #began: number;
  #at: number;
  #timers: Timer[] = [];

  /** @param at ms since 1970 */
  constructor(at: number, seed: number) {
    this.#began = this.#at = at;
    this.random = seededRandom(seed);
  }

  // Fields, not methods: a clock is handed on as a bare function.
  readonly epoch = (): number => Math.floor(this.#at);
  readonly now = (): number => this.#at - this.#began;

  /** A moment (ms since 1970) as `now` tells it. */
  sinceBegin(at: number): number {
    return at - this.#began;
  }

  readonly after = (ms: number, work: () => void): (() => void) => {
    const timer: Timer = { at: this.#at + Math.max(0, ms), work };
    // Few timers run at a time: an ordered list is enough.
    const index = this.#timers.findIndex((other) => other.at > timer.at);
    this.#timers.splice(index < 0 ? this.#timers.length : index, 0, timer);
    return () => { this.#timers = this.#timers.filter((other) => other !== timer); };
  };

  /** When the next timer is due (ms since 1970); undefined without one. */
  nextAt(): number | undefined {
    return this.#timers[0]?.at;
  }

  /** Moves on to the next timer and runs it. */
  runNext(): void {
    const timer = this.#timers.shift();
    if (!timer) return;
    this.#at = Math.max(this.#at, timer.at);
    timer.work();
  }

  /** Moves on; no timer may be due before. */
  moveTo(at: number): void {
    this.#at = Math.max(this.#at, at);
  }
}
