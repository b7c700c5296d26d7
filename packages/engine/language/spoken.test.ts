import { describe, expect, test } from 'vitest';
import { FUNCTIONS } from './functions.ts';
import { parseExpression } from './parse.ts';
import { sayAbout, sayDistance, sayNumber, sayPair } from './say-number.ts';
import { speak } from './spoken.ts';
import { unitOf } from './units.ts';

const names = { params: { n: 14, limit: 30 }, lets: { line: 'macd(12, 26, 9).line', gap: 'close - sma(n)', calm: 'atr(n) < close * 0.01' } };
const node = (text: string) => parseExpression({ text, field: 'test' });
const said = (text: string): string => speak(node(text), names);

test.each([
  ['rsi(n) < limit', 'RSI(14) below 30'],
  ['close > donchian(20).upper[1]', 'close above Donchian(20) upper band one candle before'],
  ['adx(14).value >= 20 && adx(14).plusDi > adx(14).minusDi', 'ADX(14) at or above 20 and ADX(14) +DI above ADX(14) −DI'],
  ['crossover(ema(9), ema(21))', 'EMA(9) crossing above EMA(21)'],
  ['on("1h", close > sma(50))', '1h close above 1h SMA(50)'],
  ['on("1h", sma(50) > sma(50)[6])', '1h SMA(50) above 1h SMA(50) 6 candles of 1h before'],
  ['of("BTCUSDT", on("4h", rsi(14))) > 50', 'BTCUSDT 4h RSI(14) above 50'],
  ['on("1h", highest(high, 20))[2] < close', 'the highest 1h high of 20 1h candles 2 candles before below close'],
  ['(close - open) / (high - low) > 0.5', '(close − open) / (high − low) above 0.5'],
  ['volume > 2 * limit * sma(volume, 20)', 'volume above 60 × SMA(volume, 20)'],
  ['line > 0', 'MACD(12, 26, 9) line above 0'],
  ['gap[1] > 0 || calm', 'gap one candle before above 0 or calm'],
  ['(rsi(14) < 30 || rsi(14) > 70) && calm', '(RSI(14) below 30 or RSI(14) above 70) and calm'],
  ['held(close > open, 3) && !doji()', 'close above open for 3 candles in a row and not doji'],
  ['within(bullishDivergence(rsi(14), 5, 5), 1)', 'bullish divergence of RSI(14) within 1 candle'],
  ['count(close > open, 10)[1] >= 7', 'count of candles with close above open (of the last 10 candles, one candle before) at or above 7'],
  ['rank(quoteVolume24h) <= 10', 'rank in the market by 24 h quote volume at or below 10'],
  ['-change(close) > -1', '−change(close) above −1'],
  ['(close > open ? high : low) != 1_000_000', 'high if close above open, otherwise low other than 1,000,000'],
])('%s is said as: %s', (text, expected) => {
  expect(said(text)).toBe(expected);
});

test('every function can be said, with each of its outputs', () => {
  for (const { example } of FUNCTIONS.values()) expect(said(example)).not.toMatch(/undefined|\[|=>|^$/);
});

describe('units', () => {
  test('are known for every output of every function that gives a number', () => {
    const inputs: Readonly<Record<string, string>> = { series: 'close', value: 'close', condition: 'close > open', interval: '"1h"', symbol: '"BTCUSDT"', expression: 'close', number: '1', length: '10' };
    for (const { name, arguments: wanted, fields = [''], returns } of FUNCTIONS.values()) {
      if (returns === 'condition') continue;
      for (const field of fields) {
        const call = `${name}(${wanted.map(({ type }) => inputs[type]).join(', ')})${field === '' ? '' : `.${field}`}`;
        expect(unitOf(node(call), names), call).toBeDefined();
      }
    }
  });

  test.each([
    ['close - sma(20)', 'price'], ['rsi(volume, 14)', 'points'], ['ema(volume, 9)', 'volume'], ['sma(20)', 'price'], ['close / close[1]', 'ratio'], ['1.5 * atr(14)', 'price'], ['close * volume', 'money'],
    ['bollinger(20, 2).width', 'ratio'], ['bollinger(20, 2).upper', 'price'], ['bollinger(volume, 20, 2).upper', 'volume'], ['supertrend(10, 3).direction', 'none'], ['on("1h", rsi(14))', 'points'],
    ['gap', 'price'], ['limit', 'none'], ['volume / close', undefined], ['close > open ? high : low', 'price'], ['max(open, close)', 'price'], ['count(close > open, 3)', 'candles'],
  ])('of %s: %s', (text, unit) => {
    expect(unitOf(node(text), names)).toBe(unit);
  });
});

test('numbers have the digits that matter, and as many as tell two of them apart', () => {
  expect([sayNumber(51_487.0612, 'price'), sayNumber(74.923_81, 'price'), sayNumber(0.000_012_345_678, 'price'), sayNumber(34.234, 'points'), sayNumber(-3, 'points'), sayNumber(1_234_567, 'volume'), sayNumber(-1e-20, 'price')])
    .toEqual(['51,487.06', '74.9238', '0.0000123457', '34.2', '−3', '1,235,000', '−0.00000000000000000001']);
  expect(sayPair(30.0001, 30, 'points')).toEqual(['30.0001', '30']);
  expect(sayPair(1, 1, 'price')).toEqual(['1', '1']);
  expect([sayDistance(98, 100, 'price'), sayDistance(99.9999, 100, 'price'), sayDistance(34.2, 30, 'points'), sayDistance(-1, 1, 'price'), sayDistance(3, 2, 'candles')]).toEqual(['2 %', 'less than 0.01 %', '4.2 points', '2', '1 candle']);
  expect([60_000, 25 * 60_000, 42 * 3_600_000, 169 * 3_600_000].map(sayAbout)).toEqual(['about 1 minute', 'about 25 minutes', 'about 42 hours', 'about 7 days']);
});
