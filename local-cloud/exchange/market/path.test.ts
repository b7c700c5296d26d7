import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { partial } from './path.ts';
import type { Candle } from './candle.ts';

const STEP = { tick: 100, step: 1000 };
const ticks = fc.integer({ min: 1, max: 1_000_000 });
const candles = fc.record({ a: ticks, b: ticks, c: ticks, d: ticks, lots: fc.bigInt({ min: 0n, max: 10n ** 15n }), trades: fc.nat(100_000), minute: fc.integer({ min: 0, max: 4e7 }) })
  .map(({ a, b, c, d, lots, trades, minute }): Candle => {
    const [low, open, close, high] = [a, b, c, d].toSorted((x, y) => x - y).map((price) => price * STEP.tick) as [number, number, number, number];
    const volume = lots * BigInt(STEP.step);
    const [first, last] = minute % 2 ? [open, close] : [close, open];
    return { openTime: minute * 60_000, open: first, close: last, low, high, volume, quoteVolume: volume / 3n, trades, takerBase: volume / 2n, takerQuote: volume / 7n };
  });

test('every forming candle stays within the finished one, only grows, and ends as it', () => {
  fc.assert(fc.property(candles, fc.integer(), fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 }), (candle, key, shares) => {
    let before = partial(candle, 0, STEP, key);
    expect(before).toMatchObject({ open: candle.open, high: candle.open, low: candle.open, close: candle.open, volume: 0n });
    for (const share of shares.toSorted((a, b) => a - b)) {
      const now = partial(candle, share, STEP, key);
      expect(now.open).toBe(candle.open);
      expect(now.low).toBeLessThanOrEqual(Math.min(now.open, now.close, before.low));
      expect(now.high).toBeGreaterThanOrEqual(Math.max(now.open, now.close, before.high));
      expect(now.low).toBeGreaterThanOrEqual(candle.low);
      expect(now.high).toBeLessThanOrEqual(candle.high);
      for (const field of ['volume', 'quoteVolume', 'takerBase', 'takerQuote', 'trades'] as const) {
        expect(now[field] >= before[field] && now[field] <= candle[field], field).toBe(true);
      }
      expect([now.close % STEP.tick, now.volume % BigInt(STEP.step), now.takerBase <= now.volume]).toEqual([0, 0n, true]);
      before = now;
    }
    expect(partial(candle, 1, STEP, key)).toEqual(candle);
  }), { numRuns: 300 });
});

test('both extremes are reached before the end', () => {
  fc.assert(fc.property(candles, fc.integer(), (candle, key) => {
    const late = partial(candle, 0.999, STEP, key);
    expect([late.high, late.low]).toEqual([candle.high, candle.low]);
  }));
});
