import { expect, test } from 'vitest';
import { evaluateExpression } from '../language/evaluate.ts';
import { candleAt, simulateCandles } from '../testing/simulate.ts';

/** c holds on 1, does not on 0, is not ready on 2. */
const on = (text: string, pattern: readonly (0 | 1 | 2)[]) => evaluateExpression(
  text, pattern.map((one, index) => candleAt(index * 60_000, 10, one === 2 ? { volume: 0, takerBuy: 0 } : { volume: 1, takerBuy: one })), { let: { c: 'takerBuy / volume > 0.5' } },
).values;

test('within, held and count look at the last n candles with the current one, and have no answer while c has none on one of them', () => {
  const pattern = [1, 0, 0, 1, 1, 1, 2, 1, 1, 0, 0] as const;
  expect(on('within(c, 2)', pattern)).toEqual([null, true, false, true, true, true, null, null, true, true, false]);
  expect(on('held(c, 2)', pattern)).toEqual([null, false, false, false, true, true, null, null, true, false, false]);
  expect(on('count(c, 2)', pattern)).toEqual([null, 1, 0, 1, 2, 2, null, null, 2, 1, 0]);
  for (const name of ['within', 'held']) expect(on(`${name}(c, 1)`, pattern)).toEqual(on('c', pattern));
});

test('barsSince counts from the candle on which c last held, and on through candles on which c is not ready', () => {
  expect(on('barsSince(c)', [0, 2, 0, 1, 0, 2, 2, 0, 1, 1, 0])).toEqual([null, null, null, 0, 1, 2, 3, 4, 0, 0, 1]);
  expect(on('barsSince(c) > 1', [0, 1, 2, 0])).toEqual([null, false, false, true]);
  expect(on('barsSince(1 > 2)', [0, 1, 0])).toEqual([null, null, null]);
  expect(on('barsSince(2 > 1)', [0, 1, 0])).toEqual([0, 0, 0]);
});

const CALLS = ['within(close > sma(9), 4)', 'held(close > open, 3)', 'count(close[1] > sma(5), 20)', 'barsSince(crossover(ema(9), ema(21)))', 'within(close > open, 1)'];

test.each(CALLS)('%s is the same in blocks of any length and, once settled, wherever it began', (text) => {
  const candles = simulateCandles(900, { flatness: 0.2 });
  const { values: whole, first, settle } = evaluateExpression(text, candles);
  for (const block of [1, 7, 31]) expect(evaluateExpression(text, candles, { block }).values).toEqual(whole);
  for (const start of [1, 65, 300]) {
    const { values } = evaluateExpression(text, candles.slice(start));
    // What waits for an event has settled with the first one after its condition has.
    const from = text.startsWith('barsSince') ? values.findIndex((value, index) => index >= settle - 1 && value === 0) : settle - 1;
    expect(from).toBeLessThan(400);
    expect(values.slice(from)).toEqual(whole.slice(start + from));
  }
  if (!text.startsWith('barsSince')) expect(whole.findIndex((value) => value !== null)).toBe(first - 1);
});

test('lengths add up to when an answer is there and when it has settled', () => {
  for (const [text, first, settle] of [['within(close > sma(9), 4)', 12, 12], ['held(rsi(14) > 50, 3)', 17, 199], ['count(close > open, 20)', 20, 20], ['barsSince(close > ema(10))', 10, 70]] as const) {
    expect(evaluateExpression(text, []), text).toMatchObject({ first, settle });
  }
});
