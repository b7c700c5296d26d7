import type { Candle } from '@trademind/core';
import { evaluateExpression } from '@trademind/engine';
import { Program } from '../../packages/engine/graph/program.ts';
import { compileExpression } from '../../packages/engine/language/compile-expression.ts';
import { Frames } from '../../packages/engine/language/frames.ts';
import { scopeOf } from '../../packages/engine/language/scope.ts';
import type { BenchRow } from '../frame/row.ts';

const CANDLES = 10_000_000;
/** The last candles, from which each is computed anew: more than any of them needs to settle. */
const KEPT = 3_000;
/** What is computed by adding and taking away, and so could drift; running totals by their change. */
const EXPRESSIONS = [
  'sma(50)', 'stdev(50)', 'zScore(50)', 'linreg(50).slope', 'linreg(50).r2', 'wma(50)', 'hma(50)', 'vwma(50)', 'cci(20)', 'mfi(14)', 'cmf(20)', 'rollingVwap(20)', 'volumeProfile(50, 24).poc',
  'change(obv(), 20)', 'change(adl(), 20)', 'obv() - sma(obv(), 20)', 'stdev(obv(), 20)', 'choppiness(14)', 'vortex(14).plus', 'ultimate(7, 14, 28)', 'aroon(25).up', 'swing(50).support',
  'ema(20)', 'rsi(14)', 'adx(14).value', 'kama(10, 2, 30)', 'vwap()',
];

/** `engine.drift`: how far running state has gone from the truth after nineteen years of minutes. */
export function driftRow(): BenchRow {
  return {
    id: 'engine.drift', unit: 'relative', must: 1e-9, runs: 1,
    what: `the largest relative difference between ${EXPRESSIONS.length} expressions that ran over ${CANDLES} candles and the same computed anew from the last ${KEPT}`,
    measure: async () => worstDrift(),
  };
}

function worstDrift(): number {
  const frames = new Frames('1m');
  const refs = EXPRESSIONS.map((text) => compileExpression({ text, field: 'expression' }, scopeOf({}, {}, frames, []), frames.own, frames, []).ref);
  const program = new Program(frames.own.dag);
  const state = program.newState();
  const kept: Candle[] = [];
  const next = walk();
  for (let index = 0; index < CANDLES; index++) {
    const candle = next(index);
    program.values.set([candle.open, candle.high, candle.low, candle.close, candle.volume, candle.quoteVolume, candle.trades, candle.takerBuy, candle.openTime]);
    program.run(state, index);
    if (index >= CANDLES - KEPT) kept.push(candle);
  }
  return Math.max(...EXPRESSIONS.map((text, at) => {
    const anew = evaluateExpression(text, kept).values.at(-1) as number;
    const drift = Math.abs(program.values[refs[at]!]! - anew) / Math.max(Math.abs(anew), Number.MIN_VALUE);
    if (Number.isNaN(drift)) throw new Error(`${text} is not ready after ${CANDLES} candles.`);
    return drift;
  }));
}

/** A walk in cents, the same each time; a tenth of its candles do not move. */
function walk(): (index: number) => Candle {
  let seed = 1;
  const random = (): number => (seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0) / 4_294_967_296;
  const cents = (price: number): number => Math.round(price * 100) / 100;
  let price = 50_000;
  return (index) => {
    const open = price;
    const moved = cents(price * (1 + (random() - 0.5) * 0.002));
    price = random() < 0.1 ? open : moved < 10 ? 50_000 : moved;
    const high = cents(Math.max(open, price) + random() * 10);
    const low = Math.max(0.01, cents(Math.min(open, price) - random() * Math.min(10, open / 10)));
    const volume = Math.round(random() * 1e6) / 1e3;
    return { openTime: index * 60_000, open, high, low, close: price, volume, quoteVolume: volume * price, trades: 1, takerBuy: 0 };
  };
}
