import type { Candle, Interval } from '@trademind/core';
import type { CandleMerge } from './candle-merge.ts';
import type { FeedContext } from './feed-context.ts';

/** So many answers without a new candle, one after the other, make a halt. */
const EMPTY_ANSWERS = 3;

/** Whether a symbol has halted: what the exchange does not have is said once, and not asked for again until the stream or `revive` brings it back. */
export class SymbolHalt {
  readonly #symbol: string;
  readonly #context: Pick<FeedContext, 'clock' | 'log' | 'saysHalted' | 'startOf' | 'onProgress'>;
  readonly #merge: CandleMerge;
  /** The last rows that no other follows: laid only if the symbol has halted. */
  readonly #unfollowed = new Map<Interval, Candle>();
  #emptyAnswers = 0;

  constructor(symbol: string, context: Pick<FeedContext, 'clock' | 'log' | 'saysHalted' | 'startOf' | 'onProgress'>, merge: CandleMerge) {
    this.#symbol = symbol;
    this.#context = context;
    this.#merge = merge;
  }

  get isHalted(): boolean {
    const intervals = this.#merge.intervals();
    return intervals.length > 0 && intervals.every((interval) => this.#merge.isHalted(interval));
  }

  /** Answers came without what was due. */
  get isSuspected(): boolean {
    return this.#emptyAnswers > 0;
  }

  /** The last row of an answer, if no other follows it. */
  keepLast(interval: Interval, candle: Candle | undefined): void {
    if (candle) this.#unfollowed.set(interval, candle);
    else this.#unfollowed.delete(interval);
  }

  /** An answer brought nothing although something is due: how long to wait (ms) before the next question. */
  emptyAnswer(): number {
    this.#emptyAnswers += 1;
    return 1_000 * 2 ** this.#emptyAnswers;
  }

  /** Whether that is a halt: if it happened several times, or if the exchange says so. */
  async isOne(): Promise<boolean> {
    return this.#emptyAnswers >= EMPTY_ANSWERS || this.#context.saysHalted(this.#symbol);
  }

  /** It has halted. Nothing will follow the last rows: they are as closed as they get. */
  begin(): void {
    for (const interval of this.#merge.intervals()) {
      const next = this.#merge.nextOpen(interval);
      if (next === undefined) this.#merge.startAt(interval, this.#context.startOf(this.#symbol, interval));
      const last = this.#unfollowed.get(interval);
      if (last?.openTime === next) this.#merge.lay(interval, last as Candle);
      this.#merge.setHalted(interval, true);
    }
    this.#unfollowed.clear();
  }

  /** Tells that it has halted, and why. */
  tell(why: string): void {
    const { log, clock, onProgress } = this.#context;
    log('warn', 'symbol_halted', `${this.#symbol} has halted: the exchange has no further candles of it at ${new Date(clock.now()).toISOString()}${why}. It goes on when the exchange does.`);
    onProgress();
  }

  /** It trades. */
  lives(): void {
    this.#emptyAnswers = 0;
    this.#unfollowed.clear();
    const intervals = this.#merge.intervals();
    if (!intervals.some((interval) => this.#merge.isHalted(interval))) return;
    for (const interval of intervals) this.#merge.setHalted(interval, false);
    this.#context.log('info', 'symbol_trades', `${this.#symbol} trades again.`);
    this.#context.onProgress();
  }

  /** It may trade again. */
  revive(): void {
    for (const interval of this.#merge.intervals()) this.#merge.setHalted(interval, false);
    this.#emptyAnswers = 0;
  }
}
