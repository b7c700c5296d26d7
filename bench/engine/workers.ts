import type { Candle } from '@trademind/core';
import { ParallelScreener } from '../../packages/runtime/screening/parallel-screener.ts';
import { systemWall } from '../../packages/runtime/time.ts';
import type { BenchRow } from '../frame/row.ts';
import { Market } from './market.ts';
import { crowd } from './wide-traders.ts';

const TRADERS = 1_000;
const SYMBOLS = 500;
const HISTORY = 500;
/** Passes until the compiler has done its work. */
const COLD = 30;
const RUNS = 100;
/** Passes that are handed over at once before it is measured. */
const HASTE = 20;

/** `engine.workers`: the same pass on two worker threads and on one, from the first candle handed over to the last match told. */
export function workersRow(): BenchRow {
  const market = new Market(SYMBOLS, HISTORY + COLD + RUNS);
  const traders = crowd(TRADERS);

  /** Passes of a screener with so many workers; it begins when it is first asked, with the history behind it. */
  const passes = (workers: number): { pass: () => Promise<number>; found: () => number; stop: () => Promise<void> } => {
    let found = 0;
    let next = 0;
    const screener = new ParallelScreener({
      defaultInterval: '1m', capacity: () => HISTORY, wall: systemWall, log: () => {}, marketNow: () => 0, workers,
      onScreened: ({ matches }) => { found += matches.length; },
    });
    const push = (candles: readonly Candle[]): void => {
      for (const [symbol, candle] of candles.entries()) screener.push(market.symbols[symbol]!, '1m', candle);
    };
    const candlesOf = (n: number): Candle[] => market.symbols.map((_, symbol) => market.candle(symbol, n));
    const pass = async (): Promise<number> => {
      const candles = candlesOf(next++);
      const began = performance.now();
      push(candles);
      await screener.idle();
      return performance.now() - began;
    };
    const begun = (async () => {
      for (const { id } of traders) screener.setUniverse(id, new Set(market.symbols));
      screener.setTraders(traders);
      while (next < HISTORY) {
        for (const end = next + HASTE; next < end; next++) push(candlesOf(next));
        await screener.idle();
      }
      for (let n = 0; n < COLD; n++) await pass();
      if (screener.work.workers !== workers) throw new Error(`${screener.work.workers} workers run instead of ${workers}.`);
    })();
    return { pass: async () => { await begun; return pass(); }, found: () => found, stop: () => screener.stop() };
  };
  const two = passes(2);
  const one = passes(1);
  return {
    id: 'engine.workers', unit: 'ms', runs: RUNS,
    what: `one closed candle on each of ${SYMBOLS} symbols, ${TRADERS} traders, on two worker threads: from the first candle that is handed over to the last match that is told`,
    measure: two.pass,
    peers: [{ name: 'the same on one worker thread', ratio: 1.5, measure: one.pass }],
    also: async () => {
      await Promise.all([two.stop(), one.stop()]);
      return [{ name: 'matches, on two threads as on one', value: (100 * two.found()) / one.found(), unit: '%', must: 100, atLeast: true }];
    },
  };
}
