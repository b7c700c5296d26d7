import { OverloadWatch } from './overload.ts';

/** Passes between two looks at the load, so that one slow pass changes nothing. */
const PASSES = 5;
/** A close that is longer ago than this (ms of market time) is no live one; nor is one that the market's clock, set a moment ago, has not reached by far. */
const LIVE_MS = 120_000;
const EARLY_MS = 5_000;

/** What the passes take: all that is computed from the first candle of one close to that of the next. Times in ms. */
export class PassLoad {
  #busyMs = 0;
  #pass = { closeTime: 0, ms: 0, candlesMs: 0, began: 0 };
  readonly #passes: number[] = [];
  readonly #overload = new OverloadWatch();

  /** Time that was worked since the start, on all threads. */
  get busyMs(): number {
    return this.#busyMs;
  }

  /** The middle of what candles took in the last passes: one slow pass says nothing, nor does what comes between, such as a thread that begins. */
  get passMs(): number {
    return this.#passes.toSorted((a, b) => a - b)[this.#passes.length >> 1] ?? 0;
  }

  /** Whether enough passes were seen to say so. */
  get known(): boolean {
    return this.#passes.length >= PASSES;
  }

  /** Other threads from now on: what passes took before says nothing. */
  restart(): void {
    this.#passes.length = 0;
  }

  /** Something took so long, of which `candlesMs` (by the processor's time where that is known) for candles that came. */
  worked(ms: number, candlesMs = ms): void {
    this.#busyMs += ms;
    this.#pass.ms += ms;
    this.#pass.candlesMs += candlesMs;
  }

  /** A candle of this close came, at `began` (wall time), `marketNow` being the market's time. With the first of a close the pass before it is over: whether less or more is to be screened. */
  closed(closeTime: number, began: number, marketNow: number, threads: number): 'shed' | 'restore' | undefined {
    if (closeTime <= this.#pass.closeTime) return undefined;
    const before = this.#pass;
    this.#pass = { closeTime, ms: 0, candlesMs: 0, began };
    if (before.closeTime === 0) return undefined;
    this.#passes.push(before.candlesMs);
    if (this.#passes.length > PASSES) this.#passes.shift();
    // A backlog, such as history, is worked off as fast as it goes: only what comes live can be too much.
    const age = marketNow - closeTime;
    if (age > LIVE_MS || age < -EARLY_MS) return undefined;
    return this.#overload.pass(before.ms / Math.max(1, threads), began - before.began);
  }
}
