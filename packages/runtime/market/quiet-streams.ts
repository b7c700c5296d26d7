import type { Interval } from '@trademind/core';

/** A stream is quiet when so many candles in which somebody traded came late, and not from it; of long intervals one is enough. */
const QUIET_CANDLES = 2;
const LONG: ReadonlySet<Interval> = new Set(['15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d', '1w', '1M']);

/** Which streams of a symbol bring nothing although it trades. */
export class QuietStreams {
  readonly #late = new Map<Interval, number>();

  /** The stream has brought a candle. */
  spoke(interval: Interval): void {
    this.#late.delete(interval);
  }

  /** All streams flow from now on. */
  clear(): void {
    this.#late.clear();
  }

  /** A candle in which somebody traded came late, and not from the stream. */
  late(interval: Interval): void {
    this.#late.set(interval, (this.#late.get(interval) ?? 0) + 1);
  }

  /** Those that are quiet; each is told once. */
  take(): Interval[] {
    const quiet = [...this.#late].filter(([interval, count]) => count >= (LONG.has(interval) ? 1 : QUIET_CANDLES)).map(([interval]) => interval);
    for (const interval of quiet) this.#late.delete(interval);
    return quiet;
  }
}
