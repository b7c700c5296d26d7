import { forgetLastRun } from '@trademind/core';
import type Bottleneck from 'bottleneck';

/** Timers may fire a little early, and two clocks round differently. */
const MARGIN_MS = 10;

/** So many calls at once, and so many in any stretch of `perMs`. */
export interface Share { concurrency: number; calls: number; perMs: number }

/**
 * Lets work through as a share allows. A call's place in the window is given back `perMs` after the call has ended, so that no stretch of that length, wherever it begins, sees more calls
 * than the share, also as the one who is called counts them.
 */
export class CallGate {
  #share: Share;
  readonly #recentEnds: readonly number[];
  readonly #timers = new Set<NodeJS.Timeout>();
  #limiter: Promise<Bottleneck> | undefined;
  #stopped = false;

  /** @param recentAges how many ms ago each call ended that an earlier run made: it still counts. */
  constructor(share: Share, recentAges: readonly number[] = []) {
    this.#share = share;
    this.#recentEnds = recentAges.filter((age) => age < share.perMs);
  }

  /** Runs the work when its turn comes. It answers whether it made a call; if not, its place is free again at once. Resolves false when the gate was stopped before. */
  async pass(work: () => Promise<boolean>): Promise<boolean> {
    this.#limiter ??= this.#open();
    const limiter = await this.#limiter;
    if (this.#stopped) return false;
    let began = false;
    forgetLastRun(limiter);
    try {
      await limiter.schedule(async () => {
        began = true;
        let called = true;
        try {
          called = await work();
        } finally {
          // whoever waits is let through when this ends
          forgetLastRun(limiter);
          this.#giveBack(limiter, called ? this.#share.perMs + MARGIN_MS : 0);
        }
      });
      return true;
    } catch (error) {
      if (began || !this.#stopped) throw error;
      return false;
    }
  }

  /** Another share from now on, such as when the platform's has been divided anew. */
  async setShare({ concurrency, calls }: Pick<Share, 'concurrency' | 'calls'>): Promise<void> {
    const more = calls - this.#share.calls;
    this.#share = { ...this.#share, concurrency, calls };
    const limiter = await this.#limiter;
    limiter?.updateSettings({ maxConcurrent: concurrency });
    await limiter?.incrementReservoir(more);
  }

  /** What waits never begins; what runs goes on. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    await (await this.#limiter)?.stop({ dropWaitingJobs: true });
  }

  /** Loaded when first needed: a machine whose traders ask for no analysis does without. */
  async #open(): Promise<Bottleneck> {
    const { default: Limiter } = await import('bottleneck/light.js');
    const { concurrency, calls, perMs } = this.#share;
    const limiter = new Limiter({ maxConcurrent: concurrency, reservoir: calls - this.#recentEnds.length });
    for (const age of this.#recentEnds) this.#giveBack(limiter, perMs + MARGIN_MS - age);
    return limiter;
  }

  #giveBack(limiter: Bottleneck, afterMs: number): void {
    if (this.#stopped) return;
    if (afterMs === 0) {
      void limiter.incrementReservoir(1);
      return;
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      forgetLastRun(limiter);
      void limiter.incrementReservoir(1);
    }, afterMs).unref();
    this.#timers.add(timer);
  }
}
