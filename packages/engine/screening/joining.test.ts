import { TraderDocument } from '@trademind/core';
import { expect, test } from 'vitest';
import { simulateCandles } from '../testing/simulate.ts';
import { Screener, type RunningTrader } from './screener.ts';

/** Pairs that share a history: one that runs from the beginning, and one that joins with a longer reach. */
const PAIRS: readonly (readonly [runs: string, joins: string])[] = [
  ['linreg(20).slope > 0', 'linreg(150).slope > 0'],
  ['linreg(20).value > close', 'linreg(20).value > close && linreg(90).r2 > 0.5'],
  ['highestBars(close, 20) < 5', 'highestBars(close, 120) < 5'],
  ['lowestBars(low, 7) > 3', 'lowestBars(low, 7) > 3 && lowestBars(low, 80) < 40'],
  ['close > pivotHigh(3, 3)', 'close > pivotHigh(30, 10)'],
  ['close < swing(30).support * 1.001', 'close < swing(200).support * 1.001'],
  ['volumeProfile(20).poc > close', 'volumeProfile(120).high > close'],
  ['bullishDivergence(volume, 3, 2)', 'within(bearishDivergence(volume, 3, 2), 4)'],
  ['within(hammer(), 3)', 'count(close > open, 70) > 35'],
];

const trader = (index: number, c: string): RunningTrader =>
  ({ id: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`, version: 1, document: TraderDocument.parse({ name: `trader ${index}`, side: 'long', interval: '1m', where: { c } }) });

test.each(PAIRS)('%s goes on undisturbed when %s joins, which finds what it would have found', (runs, joins) => {
  const candles = simulateCandles(500, { seed: 11 });
  const [first, second] = [trader(1, runs), trader(2, joins)];
  const screener = (traders: readonly RunningTrader[]): Screener => {
    const made = new Screener({ defaultInterval: '1m', capacity: () => 1_000 });
    for (const one of [first, second]) made.setUniverse(one.id, new Set(['BTCUSDT']));
    made.setTraders(traders);
    return made;
  };
  const always = screener([first, second]);
  const expected = candles.flatMap((candle) => always.onCandle('BTCUSDT', '1m', candle));
  expect(new Set(expected.map(({ traderId }) => traderId)).size).toBe(2);
  for (const at of [30, 101, 250, 333]) {
    const late = screener([first]);
    const found = candles.flatMap((candle, index) => [...(index === at ? late.setTraders([first, second]).matches : []), ...late.onCandle('BTCUSDT', '1m', candle)]);
    for (const { id } of [first, second]) expect(found.filter(({ traderId }) => traderId === id)).toEqual(expected.filter(({ traderId }) => traderId === id));
  }
});

test.each([
  'close < pivotHigh(5, 5)', 'close > pivotLow(10, 3)', 'crossover(close, pivotHigh(2, 2))', 'close < 1.001 * swing(40).support', 'bullishDivergence(rsi(7), 3, 3)', 'within(doji(), 3)',
  'count(close > open, 9) > 5', 'held(close > sma(5), 3)', 'linreg(30).r2 > 0.7', 'volumeProfile(30).poc > close', 'highestBars(high, 30) == 0',
])('%s gives the same signals wherever the candles began, once settled', (c) => {
  const candles = simulateCandles(900, { seed: 4 });
  const from = (start: number) => {
    const screener = new Screener({ defaultInterval: '1m', capacity: () => 1_000 });
    screener.setUniverse(trader(1, c).id, new Set(['BTCUSDT']));
    screener.setTraders([trader(1, c)]);
    return { settle: screener.settleCandles('1m'), matches: candles.slice(start).flatMap((candle) => screener.onCandle('BTCUSDT', '1m', candle)) };
  };
  const whole = from(0).matches;
  for (let start = 1; start < 500; start += 23) {
    const { settle, matches } = from(start);
    const expected = whole.filter(({ openTime }) => openTime >= candles[start + settle]!.openTime);
    expect(expected.length).toBeGreaterThan(0);
    // The numbers behind a signal may still differ in their last digits, as those of an average do.
    expect(matches.map(({ openTime }) => openTime)).toEqual(expected.map(({ openTime }) => openTime));
  }
});
