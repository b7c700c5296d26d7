import { TraderDocument, type TraderInput } from '@trademind/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CandleSeries } from '../candles/candle-series.ts';
import { compileTrader } from '../language/compile-trader.ts';
import { simulateCandles } from '../testing/simulate.ts';
import { Lane } from './lane.ts';
import { ScreeningGraph, type ActiveTrader } from './screening-graph.ts';

const CONDITIONS = [
  'close > open', 'close < sma(5)', 'close >= close[1]', 'rsi(5) > 50', 'crossover(close, ema(4))', 'close == open', '!(volume > sma(volume, 7))', 'close > sma(3) && volume > 0', 'rsi(3) > 20 || close > open',
  'close / (high - low) > 0', 'rising(close, 2)', 'highest(high, 6) > high', '(rsi(5) > 50 ? close > open : volume > 3)', 'min(open, close) > low[2]',
];
const whens: fc.Arbitrary<TraderInput['when']> = fc.constantFrom('all', 'any', { atLeast: 2 }, 'a', 'a && !b', 'a && (b || c) && close_up');
const documents = fc.record({ a: fc.constantFrom(...CONDITIONS), b: fc.constantFrom(...CONDITIONS), c: fc.constantFrom(...CONDITIONS), when: whens, every: fc.boolean() })
  .map(({ a, b, c, when, every }) => TraderDocument.parse({ name: 't', side: 'long', where: { a, b, c, close_up: 'close > open' }, when, repeat: every ? 'every-candle' : 'edge' }));

const candles = simulateCandles(170, { seed: 5, flatness: 0.2 });

/** What a lane of these traders finds, candle by candle or in blocks. */
function found(traders: readonly ActiveTrader[], how: { whole?: boolean; lasting?: boolean }, block: number) {
  const series = new CandleSeries(200);
  const lane = new Lane('BTCUSDT', '1m', new ScreeningGraph(traders, how), { series: () => series }, 0);
  return candles.flatMap((candle, index) => {
    series.push(candle);
    return (index + 1) % block === 0 || index === candles.length - 1 ? lane.advance(series) ?? [] : [];
  });
}

test('what is checked only where it matters gives the matches, with all their numbers, of a graph that computes every node', () => {
  fc.assert(fc.property(fc.array(documents, { minLength: 1, maxLength: 6 }), fc.constantFrom(1, 7, 32, 170), (list, block) => {
    const traders = list.map((document, index): ActiveTrader => ({ id: String(index), version: 1, compiled: compileTrader(document, '1m') }));
    const expected = found(traders, { whole: true }, 1);
    for (const lasting of [false, true]) expect(found(traders, { lasting }, block)).toEqual(expected);
  }), { numRuns: 200 });
});

test('a conjunction and the comparisons that only it reads are left out of the program', () => {
  const of = (where: Record<string, string>): ActiveTrader => ({ id: JSON.stringify(where), version: 1, compiled: compileTrader(TraderDocument.parse({ name: 't', side: 'long', where }), '1m') });
  const idle = (...traders: ActiveTrader[]): number => new ScreeningGraph(traders).verdicts.idle.reduce((sum, one) => sum + one, 0);
  expect(idle(of({ a: 'close > open', b: 'rsi(14) >= 30' }))).toBe(3);
  expect(idle(of({ a: 'close > open', b: 'crossover(close, 1)' }))).toBe(2);
  // Somebody else reads the comparison.
  expect(idle(of({ a: 'close > open', b: 'rsi(14) >= 30' }), of({ c: 'close > open || volume > 1' }))).toBe(2);
});
