import { intervalOpen, type Interval } from '@trademind/core';
import { CandleStore } from '@trademind/engine';
import { MarketLink } from '../../packages/runtime/market/market-link.ts';
import { systemWall } from '../../packages/runtime/time.ts';
import type { BenchRow } from '../frame/row.ts';
import { admin, endExchangeProcess, startExchangeProcess } from './exchange-process.ts';

const SYMBOLS = 100;
const CANDLES = 500;
const INTERVALS: readonly Interval[] = ['1m', '5m'];
const MINUTES: Readonly<Record<string, number>> = { '1m': 1, '5m': 5 };
const WEIGHT_LIMIT = 6_000;

interface Limits { weights: Record<string, { used: number; highest: number; refusals: number; bans: number }> }

/** From the wish to the last candle of all histories, through streams, REST and the weight budget into the engine's store. Throws when a limit was passed or a candle is missing. */
async function backfill(): Promise<number> {
  const exchange = await startExchangeProcess({ symbols: SYMBOLS, speed: 1, seed: 'backfill' });
  const ending = new AbortController();
  const store = new CandleStore({ capacity: () => CANDLES + 100 });
  const done = Promise.withResolvers<void>();
  const market: MarketLink = new MarketLink({
    exchange: { restUrl: exchange.url, streamUrl: exchange.streams }, wall: systemWall, log: () => undefined, signal: ending.signal,
    startOf: (_symbol, interval) => intervalOpen(interval, market.clock.now()) - CANDLES * MINUTES[interval]! * 60_000,
    take: (symbol, interval, candle) => { store.append(symbol, interval, candle); }, restart: (symbol, interval) => store.forget(symbol, interval),
    onPrice: () => undefined, onUniverse: () => undefined, onChange: () => { if (market.candles.progress().done === SYMBOLS * INTERVALS.length) done.resolve(); },
  });
  let running: Promise<void> | undefined;
  try {
    await market.open();
    running = market.run();
    const { symbols } = (await (await fetch(`${exchange.url}/api/v3/exchangeInfo`)).json()) as { symbols: { symbol: string }[] };
    const began = performance.now();
    market.want(new Map(symbols.map(({ symbol }) => [symbol, INTERVALS])));
    await done.promise;
    const took = performance.now() - began;
    for (const { symbol } of symbols) {
      // One candle may close while the others are fetched; the last may have closed a moment before the exchange was asked.
      for (const interval of INTERVALS) if (store.size(symbol, interval) < CANDLES - 1) throw new Error(`${symbol} ${interval}: ${store.size(symbol, interval)} candles.`);
    }
    for (const [address, { highest, refusals, bans }] of Object.entries((await admin<Limits>(exchange, '/limits')).weights)) {
      if (highest > WEIGHT_LIMIT || refusals + bans > 0) throw new Error(`${address}: ${highest} weight in a minute, ${refusals} refusals, ${bans} bans.`);
    }
    return took / 1_000;
  } finally {
    ending.abort();
    await running;
    await endExchangeProcess(exchange);
  }
}

/** History from the stand-in, with the real weights. */
export function rows(): BenchRow[] {
  return [{
    id: 'market.backfill', unit: 's', must: 3, runs: 5, measure: backfill,
    what: `the history of ${SYMBOLS} symbols × ${CANDLES} candles × ${INTERVALS.length} intervals from the stand-in into the engine's store, never over the weight budget`,
  }];
}
