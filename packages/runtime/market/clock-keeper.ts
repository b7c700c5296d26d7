import { codeOf, sentenceOf } from '@trademind/core';
import type { Log } from '../log.ts';
import { Backoff, pause, type Wall } from '../time.ts';
import type { BinanceRest } from './binance-rest.ts';
import type { MarketClock } from './market-clock.ts';

const EVERY_MS = 30_000;
const FRESH_MS = 1_000;
/** A sample beyond belief is followed by another so soon. */
const DOUBT_MS = 1_100;
const BACKOFF = { first: 250, most: 10_000 };

/** Keeps the market clock set: every 30 s of wall time, and at once for whoever needs it fresh. */
export class ClockKeeper {
  readonly #options: { rest: Pick<BinanceRest, 'time'>; clock: MarketClock; wall: Wall; log: Log; signal: AbortSignal };
  #setAt = -Infinity;
  #believed = true;
  #sampling: Promise<void> | undefined;
  #problem: { code: string; message: string } | null = null;

  constructor(options: { rest: Pick<BinanceRest, 'time'>; clock: MarketClock; wall: Wall; log: Log; signal: AbortSignal }) {
    this.#options = options;
  }

  get problem(): { code: string; message: string } | null {
    return this.#problem;
  }

  /** Sets the clock unless that was done within the last second. Rejects with the exchange's error. */
  async refresh(): Promise<void> {
    if (this.#options.wall.now() - this.#setAt < FRESH_MS) return;
    this.#sampling ??= this.#sample().finally(() => { this.#sampling = undefined; });
    await this.#sampling;
  }

  async run(): Promise<void> {
    const { wall, log, signal } = this.#options;
    const backoff = new Backoff({ ...BACKOFF, random: wall.random });
    while (!signal.aborted) {
      try {
        await this.refresh();
        if (this.#problem) log('info', 'exchange_answers', 'The exchange answers again.');
        this.#problem = null;
        backoff.reset();
        await pause(this.#believed ? EVERY_MS : DOUBT_MS, signal, wall);
      } catch (error) {
        if (signal.aborted) return;
        if (this.#problem?.code !== codeOf(error)) log('warn', codeOf(error), sentenceOf(error));
        this.#problem = { code: codeOf(error), message: sentenceOf(error) };
        await pause(codeOf(error) === 'exchange_location_refused' ? EVERY_MS : backoff.next(), signal, wall);
      }
    }
  }

  async #sample(): Promise<void> {
    const believed = this.#options.clock.set(await this.#options.rest.time());
    if (this.#believed && !believed) this.#options.log('warn', 'exchange_clock_doubtful', 'The time that the exchange tells does not fit what its streams say; it is asked again and not believed meanwhile.');
    this.#believed = believed;
    this.#setAt = this.#options.wall.now();
  }
}
