import type { Candle } from '@trademind/core';

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** One-minute candles of a random walk on a price grid; `flatness` of them stand still, as in a thin market. For tests. */
export function simulateCandles(count: number, options: { seed?: number; flatness?: number; start?: number; openTime?: number } = {}): Candle[] {
  const { seed = 1, flatness = 0.1, start = 100, openTime = 1_700_000_040_000 } = options;
  const random = randomFrom(seed);
  const round = (price: number): number => Math.round(price * 100) / 100;
  let price = start;
  return Array.from({ length: count }, (_, index) => {
    const open = price;
    const still = random() < flatness;
    if (!still) price = Math.max(1, round(price * (1 + (random() - 0.5) * 0.01)));
    const high = still ? open : round(Math.max(open, price) * (1 + random() * 0.002));
    const low = still ? open : round(Math.min(open, price) * (1 - random() * 0.002));
    const volume = still ? 0 : Math.round(random() * 1e6) / 1e3;
    return { openTime: openTime + index * 60_000, open, high, low, close: price, volume, quoteVolume: volume * price, trades: Math.round(volume), takerBuy: volume * random() };
  });
}

/** A candle that opens at `openTime`, standing still at a price unless told otherwise. For tests. */
export function candleAt(openTime: number, price: number, change: Partial<Candle> = {}): Candle {
  return { openTime, open: price, high: price, low: price, close: price, volume: 1, quoteVolume: price, trades: 1, takerBuy: 0.5, ...change };
}
