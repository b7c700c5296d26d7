import type { BenchRow } from '../frame/row.ts';
import { Market } from './market.ts';
import { IncrementalSymbol } from './peers/incremental.ts';
import { stored } from './screen.ts';
import { runningTraders, TRADERS } from './traders.ts';

const SYMBOLS = 100;
const CANDLES = 500;

/** `engine.warmup`: from stored candles to a screener that is up to date. */
export function warmupRow(): BenchRow {
  const market = new Market(SYMBOLS, CANDLES);
  const candles = market.candles(0, CANDLES);
  const incremental = (shared: boolean) => async (): Promise<number> => {
    const began = performance.now();
    for (let symbol = 0; symbol < SYMBOLS; symbol++) {
      const peer = new IncrementalSymbol(shared);
      for (const candle of candles[symbol]!) peer.update(candle);
    }
    return performance.now() - began;
  };
  return {
    id: 'engine.warmup', unit: 'ms', must: 40, runs: 25,
    what: `${TRADERS.length} traders compiled and run over ${CANDLES} stored candles of each of ${SYMBOLS} symbols`,
    measure: async () => {
      const traders = runningTraders();
      const screener = stored(market, traders, CANDLES);
      const began = performance.now();
      screener.setTraders(traders);
      return performance.now() - began;
    },
    peers: [{ name: 'trading-signals, shared by hand', ratio: 14, measure: incremental(true) }, { name: 'trading-signals, per trader', measure: incremental(false) }],
  };
}
