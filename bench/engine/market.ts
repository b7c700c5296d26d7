import { intervalMs, type Candle, type Interval } from '@trademind/core';
import { simulateCandles } from '../../packages/engine/testing/simulate.ts';
import { readRecordedCandles, recordings } from '../../tests/support/recordings.ts';

/** Midnight UTC of a Tuesday: every fixed interval up to a day opens there. */
const START = 1_699_920_000_000;

/** Real one-minute candles of several weeks, or simulated ones where the recordings are absent; about 10,000 a market. */
function baseMarkets(): Candle[][] {
  const folder = recordings('klines');
  if (folder === null) return [1, 2, 3].map((seed) => simulateCandles(10_080, { seed }));
  // The recordings know neither quote volume nor trades: these follow from the others and no trader here reads them.
  return [...readRecordedCandles(folder).values()].map((rows) => rows.map((row) => ({
    ...row, quoteVolume: (row.volume * (row.high + row.low + row.close)) / 3, trades: Math.round(row.volume), takerBuy: row.volume / 2,
  })));
}

/**
 * Many symbols with candles as they come in life: each is a window of a recorded market, beginning at another place, so that no two are alike at the same time. All
 * share one clock: the n-th candle of every symbol opens at the same time.
 */
export class Market {
  readonly symbols: readonly string[];
  readonly #windows: readonly { base: readonly Candle[]; from: number }[];

  /** @param length candles that will be asked for of each symbol. */
  constructor(symbols: number, length: number) {
    const bases = baseMarkets().filter((base) => base.length > length);
    if (bases.length === 0) throw new Error(`No recorded market has ${length} candles.`);
    this.symbols = Array.from({ length: symbols }, (_, index) => `S${String(index).padStart(3, '0')}USDT`);
    const perBase = Math.ceil(symbols / bases.length);
    this.#windows = this.symbols.map((_, index) => {
      const base = bases[index % bases.length]!;
      return { base, from: Math.floor(index / bases.length) * Math.floor((base.length - length) / perBase) };
    });
  }

  /** The n-th candle of a symbol, a fresh object as a feed would bring it. The prices are those of the one-minute recording whatever the interval. */
  candle(symbol: number, n: number, interval: Interval = '1m'): Candle {
    const { base, from } = this.#windows[symbol]!;
    return { ...base[from + n]!, openTime: START + n * intervalMs(interval) };
  }

  /** Candles `from` to before `to` of every symbol. */
  candles(from: number, to: number): Candle[][] {
    return this.symbols.map((_, symbol) => Array.from({ length: to - from }, (_unused, n) => this.candle(symbol, from + n)));
  }
}
