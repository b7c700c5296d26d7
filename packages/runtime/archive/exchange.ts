import { parseWith, TradeMindError, Universe, type Interval } from '@trademind/core';
import { selectUniverse } from '@trademind/engine';
import { BinanceRest } from '../market/binance-rest.ts';
import { systemWall } from '../time.ts';
import { patient } from './retry.ts';
import type { CandleSource } from './source.ts';

/** An exchange as the archive's commands need it. */
export interface ArchiveExchange extends CandleSource {
  /** The symbols of a quote asset with the largest 24 h quote volume, largest first; leveraged tokens and halted ones are left out. Rejects with `not_found` when there are none. */
  largest(quote: string, count: number): Promise<string[]>;
  /** Rows that open where no candle can (its outages of 2017 and 2018 have left some), of those asked for so far: they are left out. Open times in ms, ascending. */
  offGrid(): OffGridSeries[];
}

export interface OffGridSeries { symbol: string; interval: Interval; openTimes: readonly number[] }

/**
 * The exchange's public REST API, within its weight budget, asked again when it is away for a moment.
 * @param options.onWait says why it is waited for; the error names host and reason.
 */
export function connectExchange(options: { url: string; signal: AbortSignal; onWait?: (error: unknown, ms: number) => void }): ArchiveExchange {
  const { url, signal } = options;
  const offGrid = new Map<string, { symbol: string; interval: Interval; openTimes: Set<number> }>();
  const rest = new BinanceRest({
    baseUrl: url, wall: systemWall, signal,
    onOffGrid: (symbol, interval, openTimes) => {
      const key = `${symbol} ${interval}`;
      offGrid.set(key, { symbol, interval, openTimes: new Set([...offGrid.get(key)?.openTimes ?? [], ...openTimes]) });
    },
  });
  const source: CandleSource = {
    // An answer weighs the same however many rows it has.
    klines: async (symbol, interval, startTime, limit) => (await rest.klines(symbol, interval, startTime)).slice(0, limit),
    time: async () => (await rest.time()).serverTime,
  };
  const insisting = patient(source, { wall: systemWall, ...options });
  let met = false;
  return {
    offGrid: () => [...offGrid.values()].map(({ openTimes, ...series }) => ({ ...series, openTimes: [...openTimes].toSorted((a, b) => a - b) })),
    klines: insisting.klines,
    // An exchange that has never answered is said to be away at once.
    time: async () => {
      const time = await (met ? insisting : source).time();
      met = true;
      return time;
    },
    largest: async (quote, count) => {
      const [symbols, volumes] = await Promise.all([rest.exchangeInfo(), rest.quoteVolumes()]);
      const chosen = selectUniverse(parseWith(Universe, { quote, largest: count }, 'usage', 'The choice of symbols'), symbols, (symbol) => volumes.get(symbol)).symbols;
      if (chosen.length > 0) return chosen;
      throw new TradeMindError({ code: 'not_found', field: '--quote', message: `The exchange trades nothing against ${quote}.`, nextStep: 'Quote assets are written as the exchange does, e.g. USDT, BTC, EUR.' });
    },
  };
}
