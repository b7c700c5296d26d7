import { TradeMindError, type Candle } from '@trademind/core';
import type { CandleSource } from '../source.ts';

/** What a call is answered with; undefined: as it is. */
export type Fault = (call: number, rows: readonly Candle[]) => readonly Candle[] | TradeMindError | undefined;

/** An exchange in memory that holds exactly these candles, and may be made to answer wrongly. Real ones are spoken with in tests/data. */
export function exchangeOf(candles: readonly Candle[], options: { now?: number; fault?: Fault } = {}): CandleSource & { calls: number } {
  const last = candles.at(-1)?.openTime ?? 0;
  const source = {
    calls: 0,
    klines: async (_symbol: string, _interval: string, startTime: number, limit: number) => {
      const rows = candles.filter(({ openTime }) => openTime >= startTime).slice(0, limit);
      const answer = options.fault?.(source.calls, rows) ?? rows;
      source.calls++;
      if (answer instanceof TradeMindError) throw answer;
      return answer;
    },
    time: async () => options.now ?? last + 86_400_000,
  };
  return source;
}
