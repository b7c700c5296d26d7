import { evaluateExpression, type Match } from '@trademind/engine';
import type { BenchRow, Figure } from '../frame/row.ts';
import { Market } from './market.ts';
import { IncrementalSymbol } from './peers/incremental.ts';
import { EXPRESSIONS, INDICATORS, type ReadingName, type Readings } from './peers/readings.ts';
import { RecomputeSymbol } from './peers/recompute.ts';
import { screened, timePass } from './screen.ts';
import { runningTraders, TRADERS } from './traders.ts';

const SYMBOLS = 100;
/** Until the slowest indicator, ema(200), has settled; then the passes that are measured. */
const HISTORY = 1_500;
const PASSES = 2_000;
const END = HISTORY + PASSES;
/** What each trader has for itself is so much that it would drive all others out of the processor's caches. */
const SIMPLE_EVERY = 10;
/** A recomputation takes longer than a thousand passes of ours: it comes once in so many, so that what it leaves behind is not in our 99th percentile. */
const RECOMPUTE_EVERY = 200;
/** Candles that a recomputation goes over. */
const RECOMPUTED = 500;
/** Symbols on which every reading is compared. */
const COMPARED = 10;

/** `engine.pass`: what happens each time a minute ends. */
export function passRow(): BenchRow {
  const market = new Market(SYMBOLS, END);
  const screener = screened(market, runningTraders(), HISTORY);
  /** The history comes as live candles do, minute by minute, to all alike. */
  const incremental = (shared: boolean): IncrementalSymbol[] => {
    const peers = market.symbols.map(() => new IncrementalSymbol(shared));
    for (let n = 0; n < HISTORY; n++) for (const [symbol, peer] of peers.entries()) peer.update(market.candle(symbol, n));
    return peers;
  };
  const recompute = (shared: boolean): RecomputeSymbol[] => market.symbols.map(() => new RecomputeSymbol(RECOMPUTED, shared));
  const ours = new Set<string>();
  const theirs = new Set<string>();
  const careful = incremental(true);
  const simple = incremental(false);
  const anew = recompute(true);
  const anewPerTrader = recompute(false);

  /** The passes, one a run. */
  const passes = <T>(take: Parameters<typeof timePass<T>>[2], found: (answer: T, symbol: number, n: number) => void): () => Promise<number> => {
    let next = HISTORY;
    return async () => {
      const n = next++;
      return timePass(market, n, take, (answer, symbol) => found(answer, symbol, n));
    };
  };
  /** Each a pass over the newest candle, the history before it being there. */
  const recomputations = (peers: readonly RecomputeSymbol[]): () => Promise<number> => {
    let next = HISTORY;
    return async () => {
      next += RECOMPUTE_EVERY;
      for (let n = next - RECOMPUTED; n < next - 1; n++) for (const [symbol, peer] of peers.entries()) peer.take(market.candle(symbol, n));
      return timePass(market, next - 1, (candle, symbol) => peers[symbol]!.update(candle));
    };
  };
  const key = (name: string, symbol: number, n: number): string => `${name} ${symbol} ${n}`;
  return {
    id: 'engine.pass', unit: 'ms', must: 0.15, p99: 0.3, runs: PASSES,
    what: `one closed candle on each of ${SYMBOLS} symbols, one symbol after the other, ${TRADERS.length} traders over 22 distinct indicators, one thread`,
    measure: passes((candle, symbol): readonly Match[] => screener.onCandle(market.symbols[symbol]!, '1m', candle), (matches, symbol, n) => {
      for (const match of matches) ours.add(key(match.traderName, symbol, n));
    }),
    peers: [
      {
        name: 'trading-signals, shared by hand', ratio: 8,
        measure: passes((candle, symbol) => careful[symbol]!.update(candle), (matches, symbol, n) => {
          for (const { name } of matches ?? []) theirs.add(key(name, symbol, n));
        }),
      },
      { name: 'trading-signals, per trader', every: SIMPLE_EVERY, measure: passes((candle, symbol) => simple[symbol]!.update(candle), () => {}) },
      { name: 'technicalindicators anew, shared', ratio: 700, every: RECOMPUTE_EVERY, measure: recomputations(anew) },
      { name: 'technicalindicators anew, per trader', ratio: 700, every: RECOMPUTE_EVERY, measure: recomputations(anewPerTrader) },
    ],
    also: async () => agreement(market, careful, anew, ours, theirs),
  };
}

/** Whether all did the same work: the same matches, and the same readings on the last candle. */
function agreement(market: Market, incremental: readonly IncrementalSymbol[], shared: readonly RecomputeSymbol[], ours: ReadonlySet<string>, theirs: ReadonlySet<string>): Figure[] {
  let incrementalOff = 0;
  let recomputeOff = 0;
  for (let symbol = 0; symbol < COMPARED; symbol++) {
    const candles = Array.from({ length: END }, (_, n) => market.candle(symbol, n));
    const price = candles.at(-1)!.close;
    shared[symbol]!.compute(INDICATORS);
    // Relative, but not to what is nothing beside the price: a momentum may be 0.
    const compare = (from: number, readings: Readings): number => Math.max(...Object.entries(EXPRESSIONS).map(([name, expression]) => {
      const value = evaluateExpression(expression, candles.slice(from)).values.at(-1);
      return typeof value === 'number' ? Math.abs(readings[name as ReadingName] - value) / Math.max(Math.abs(value), price * 1e-6) : 0;
    }));
    incrementalOff = Math.max(incrementalOff, compare(0, incremental[symbol]!.now));
    recomputeOff = Math.max(recomputeOff, compare(END - RECOMPUTED, shared[symbol]!.now));
  }
  const common = [...ours].filter((match) => theirs.has(match)).length;
  return [
    { name: 'matches a pass', value: ours.size / PASSES, unit: '' },
    { name: 'of them found by trading-signals too', value: (100 * common) / Math.max(ours.size, theirs.size), unit: '%', must: 99.9, atLeast: true },
    { name: 'readings: off from trading-signals by', value: incrementalOff * 100, unit: '%', must: 1e-6 },
    { name: 'off from technicalindicators by', value: recomputeOff * 100, unit: '%', must: 0.1 },
  ];
}
