import { codeOf, parseWith, TradeMindError, Universe, type Interval } from '@trademind/core';
import { selectUniverse } from '@trademind/engine';
import { BinanceRest } from '../market/binance-rest.ts';
import { systemWall, type Wall } from '../time.ts';
import { insisting, TOLD_TO_WAIT } from './retry.ts';
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
 * The exchange's public REST API, within its weight budget, asked again when it is away for a moment, or when a ban of an hour at most has ended.
 * @param options.onWait says why it is waited for, and how long (ms); the error names host and reason.
 */
export function connectExchange(options: { url: string; signal: AbortSignal; wall?: Wall; onWait?: (error: unknown, ms: number) => void }): ArchiveExchange {
  const { url, signal, wall = systemWall } = options;
  const offGrid = new Map<string, { symbol: string; interval: Interval; openTimes: Set<number> }>();
  const rest = new BinanceRest({
    baseUrl: url, wall, signal,
    onOffGrid: (symbol, interval, openTimes) => {
      const key = `${symbol} ${interval}`;
      offGrid.set(key, { symbol, interval, openTimes: new Set([...offGrid.get(key)?.openTimes ?? [], ...openTimes]) });
    },
  });
  const closedMs = () => rest.budget.closedMs;
  const insist = insisting({ ...options, wall, closedMs });
  // An exchange that has never answered is said to be away at once.
  const begin = insisting({ ...options, wall, closedMs }, TOLD_TO_WAIT);
  let met = false;
  const ask = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      const answer = await (met ? insist : begin)(call);
      met = true;
      return answer;
    } catch (error) {
      throw advised(error, closedMs());
    }
  };
  return {
    offGrid: () => [...offGrid.values()].map(({ openTimes, ...series }) => ({ ...series, openTimes: [...openTimes].toSorted((a, b) => a - b) })),
    // An answer weighs the same however many rows it has.
    klines: async (symbol, interval, startTime, limit) => (await ask(() => rest.klines(symbol, interval, startTime))).slice(0, limit),
    time: async () => (await ask(() => rest.time())).serverTime,
    largest: async (quote, count) => {
      const [symbols, volumes] = await Promise.all([ask(() => rest.exchangeInfo()), ask(() => rest.quoteVolumes())]);
      const chosen = selectUniverse(parseWith(Universe, { quote, largest: count }, 'usage', 'The choice of symbols'), symbols, (symbol) => volumes.get(symbol)).symbols;
      if (chosen.length > 0) return chosen;
      throw new TradeMindError({ code: 'not_found', field: '--quote', message: `The exchange trades nothing against ${quote}.`, nextStep: 'Quote assets are written as the exchange does, e.g. USDT, BTC, EUR.' });
    },
  };
}

/** What a command can do about it is not what a machine can. */
function advised(error: unknown, closedMs: number): unknown {
  switch (codeOf(error)) {
    case 'exchange_banned': {
      const { message } = error as TradeMindError;
      const minutes = Math.ceil(closedMs / 60_000);
      return new TradeMindError({ code: 'exchange_banned', message: `${message} It ends in ${minutes} min.`, nextStep: 'Call the same command again then: what was fetched is stored.', cause: error });
    }
    case 'exchange_location_refused':
      return new TradeMindError({
        code: 'exchange_location_refused', message: (error as TradeMindError).message, cause: error,
        nextStep: 'Ask another host: --exchange https://api.binance.us in the United States, or --exchange https://data-api.binance.vision.',
      });
    default: return error;
  }
}
