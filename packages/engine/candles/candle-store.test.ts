import { intervalClose, INTERVALS, type Candle } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { candleAt, simulateCandles } from '../testing/simulate.ts';
import { CandleStore } from './candle-store.ts';

const MINUTE = 60_000;
const store = (capacity = 100) => new CandleStore({ capacity: () => capacity });
const filled = (candles: readonly Candle[], capacity?: number) => {
  const target = store(capacity);
  for (const candle of candles) target.append('BTCUSDT', '1m', candle);
  return target;
};

describe('the candle store', () => {
  test('gives back what it took in, all nine columns, oldest first', () => {
    const candles = simulateCandles(50);
    const target = filled(candles);
    expect(target.read('BTCUSDT', '1m')).toEqual(candles);
    expect(target.read('BTCUSDT', '1m', 3)).toEqual(candles.slice(-3));
    expect(target.read('BTCUSDT', '1m', 0)).toEqual([]);
    expect(target.last('BTCUSDT', '1m')).toEqual(candles.at(-1));
    expect(target.lastCloseTime('BTCUSDT', '1m')).toBe(candles.at(-1)!.openTime + MINUTE);
  });

  test('keeps the newest candles when its ring is full, whatever the capacity', () => {
    fc.assert(fc.property(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 0, max: 120 }), (capacity, count) => {
      const candles = simulateCandles(count);
      const target = filled(candles, capacity);
      expect(target.read('BTCUSDT', '1m')).toEqual(candles.slice(-capacity));
      expect(target.size('BTCUSDT', '1m')).toBe(Math.min(capacity, count));
    }));
  });

  test('an older or repeated candle changes nothing', () => {
    const candles = simulateCandles(10);
    const target = filled(candles);
    expect(target.append('BTCUSDT', '1m', { ...candles[9]!, close: 1 })).toBe('duplicate');
    expect(target.append('BTCUSDT', '1m', { ...candles[2]!, close: 1 })).toBe('duplicate');
    expect(target.read('BTCUSDT', '1m')).toEqual(candles);
  });

  test('a gap is refused, named with what is missing, and changes nothing', () => {
    const candles = simulateCandles(10);
    const target = filled(candles.slice(0, 8));
    expect(() => target.append('BTCUSDT', '1m', candles[9]!)).toThrow(expect.objectContaining({ code: 'candle_gap', message: expect.stringContaining(new Date(candles[8]!.openTime).toISOString()) }));
    expect(target.read('BTCUSDT', '1m')).toEqual(candles.slice(0, 8));
    expect(target.append('BTCUSDT', '1m', candles[8]!)).toBe('appended');
  });

  test('a candle between two expected open times is a gap, one without a whole open time is refused', () => {
    const target = filled(simulateCandles(3));
    expect(() => target.append('BTCUSDT', '1m', candleAt(target.lastCloseTime('BTCUSDT', '1m')! + 1, 1))).toThrow(expect.objectContaining({ code: 'candle_gap' }));
    expect(() => target.append('BTCUSDT', '1m', candleAt(Number.NaN, 1))).toThrow(expect.objectContaining({ code: 'candle_gap' }));
    expect(() => target.append('NEW', '1m', candleAt(Number.NaN, 1))).toThrow(expect.objectContaining({ code: 'bad_candle' }));
    expect(target.size('NEW', '1m')).toBe(0);
  });

  test.each(INTERVALS)('knows when the next %s candle opens', (interval) => {
    const target = store();
    let openTime = Date.UTC(2024, 0, 1);
    for (let index = 0; index < 14; index++) {
      expect(target.append('BTCUSDT', interval, candleAt(openTime, 1))).toBe('appended');
      openTime = intervalClose(interval, openTime);
    }
    expect(() => target.append('BTCUSDT', interval, candleAt(intervalClose(interval, openTime), 1))).toThrow(expect.objectContaining({ code: 'candle_gap' }));
  });

  test('forgetting a series leaves the others', () => {
    const target = filled(simulateCandles(5));
    target.append('BTCUSDT', '5m', candleAt(0, 1));
    target.forget('BTCUSDT', '1m');
    expect(target.size('BTCUSDT', '1m')).toBe(0);
    expect(target.last('BTCUSDT', '1m')).toBeUndefined();
    expect(target.lastCloseTime('BTCUSDT', '1m')).toBeUndefined();
    expect(target.symbols('5m')).toEqual(['BTCUSDT']);
    expect(target.append('BTCUSDT', '1m', candleAt(0, 1))).toBe('appended');
  });

  test('a capacity that is no whole number above 0 is refused', () => {
    expect(() => store(0).append('BTCUSDT', '1m', candleAt(0, 1))).toThrow(expect.objectContaining({ code: 'bad_capacity' }));
  });
});
