import type { Faults } from './faults.ts';
import type { FaultOrder } from './kinds.ts';
import type { Candle } from '../market/candle.ts';
import type { Interval } from '../market/intervals.ts';

type Told = Map<string, { symbol: string; interval: Interval; openTime: number }>;

/** What the exchange wrongly says of its finished candles: some it leaves out of a range, some it begins off the grid, some it gives with another close and volume. */
export class CandleLies {
  readonly #faults: Faults;
  /** The wrong closes that were streamed, by the order that asked for them: they can be corrected later. */
  readonly #told = new Map<FaultOrder, Told>();

  constructor(faults: Faults) {
    this.#faults = faults;
  }

  /** The finished candle as a stream tells it. */
  streamed(symbol: string, interval: Interval, candle: Candle, tick: number): Candle {
    const order = this.#faults.candle('wrong-candle', symbol, interval, candle.openTime);
    if (!order) return candle;
    const told: Told = this.#told.get(order) ?? new Map();
    this.#told.set(order, told.set(`${symbol}/${interval}/${candle.openTime}`, { symbol, interval, openTime: candle.openTime }));
    return wrong(candle, order.factor, tick);
  }

  /** Finished candles as a range of them is answered. */
  answered(symbol: string, interval: Interval, candles: readonly Candle[], tick: number): Candle[] {
    return candles.flatMap((candle) => {
      if (this.#faults.candle('missing-candle', symbol, interval, candle.openTime)) return [];
      const shift = this.#faults.candle('off-grid-candle', symbol, interval, candle.openTime)?.ms ?? 0;
      const order = this.#faults.candle('wrong-candle', symbol, interval, candle.openTime);
      const told = order ? wrong(candle, order.factor, tick) : candle;
      return [shift > 0 ? { ...told, openTime: told.openTime + shift } : told];
    });
  }

  /** The candles that were streamed wrong for this order; each is given once. */
  takeTold(order: FaultOrder): { symbol: string; interval: Interval; openTime: number }[] {
    const told = [...(this.#told.get(order)?.values() ?? [])];
    this.#told.delete(order);
    return told;
  }
}

function wrong(candle: Candle, factor: number, tick: number): Candle {
  const close = Math.max(tick, Math.round((candle.close * factor) / tick) * tick);
  const volume = (candle.volume * BigInt(Math.round(factor * 1_000_000))) / 1_000_000n;
  return { ...candle, close, high: Math.max(candle.high, close), low: Math.min(candle.low, close), volume };
}
