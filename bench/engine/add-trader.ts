import type { Match } from '@trademind/engine';
import { median, type BenchRow } from '../frame/row.ts';
import { Market } from './market.ts';
import { screened, timePass } from './screen.ts';
import { running, runningTraders, TRADERS } from './traders.ts';

const SYMBOLS = 100;
const HISTORY = 1_500;
const RUNS = 60;
/** Passes from one addition to the next. */
const BETWEEN = 8;
/** The new trader's nodes are its own each time: no indicator that already runs. */
const addition = (run: number) => running(TRADERS.length, {
  name: `Newcomer ${run}`, side: 'long',
  where: { drained: `rsi(${8 + (run % 5)}) < 25`, trend: `ema(${30 + (run % 10)}) > ema(${80 + (run % 20)})`, turn: `crossover(close, sma(${25 + (run % 15)}))` },
}, run + 1);

/**
 * `engine.add-trader`: a trader comes while twenty run, and goes again. A second screener, to which nobody comes, says what the twenty must find and what a pass takes
 * that nothing disturbs.
 */
export function addTraderRow(): BenchRow {
  const market = new Market(SYMBOLS, HISTORY + RUNS * BETWEEN);
  const traders = runningTraders();
  const screener = screened(market, traders, HISTORY);
  const alone = screened(market, traders, HISTORY);
  const key = (match: Match): string => `${match.traderId} ${match.symbol} ${match.openTime}`;
  const found = new Set<string>();
  const expected = new Set<string>();
  const after: number[] = [];
  const undisturbed: number[] = [];
  let n = HISTORY;
  const passes = (): void => {
    const newcomer = addition(0).id;
    for (let pass = 0; pass < BETWEEN; pass++, n++) {
      const took = timePass(market, n, (candle, symbol) => screener.onCandle(market.symbols[symbol]!, '1m', candle), (matches) => {
        for (const match of matches) if (match.traderId !== newcomer) found.add(key(match));
      });
      const tookAlone = timePass(market, n, (candle, symbol) => alone.onCandle(market.symbols[symbol]!, '1m', candle), (matches) => {
        for (const match of matches) expected.add(key(match));
      });
      if (pass > 0) continue;
      after.push(took);
      undisturbed.push(tookAlone);
    }
  };
  let run = 0;
  return {
    id: 'engine.add-trader', unit: 'ms', must: 5, runs: RUNS,
    what: `one more trader over indicators of its own, compiled and warmed up on ${SYMBOLS} symbols from 500 stored candles while ${traders.length} run; it leaves again`,
    measure: async () => {
      const newcomer = addition(run++);
      screener.setUniverse(newcomer.id, new Set(market.symbols));
      const began = performance.now();
      screener.setTraders([...traders, newcomer]);
      const took = performance.now() - began;
      passes();
      screener.setTraders(traders);
      return took;
    },
    also: async () => [
      { name: 'matches of the others, next to a screener alone', value: [...expected].filter((match) => found.has(match)).length, unit: '', must: Math.max(expected.size, found.size), atLeast: true },
      { name: 'the pass right after', value: median(after), unit: 'ms' },
      { name: 'the same pass of a screener alone', value: median(undisturbed), unit: 'ms' },
    ],
  };
}
