import { intervalClose, intervalOpen, type Candle, type Interval } from '@trademind/core';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readRecordedCandles, recordings } from '../../../tests/support/recordings.ts';
import { candleAt, simulateCandles } from '../testing/simulate.ts';
import { CandleFold } from './candle-fold.ts';

const fold = (candles: readonly Candle[], base: Interval, interval: Interval): Candle[] => {
  const one = new CandleFold(base, interval);
  return candles.flatMap((candle) => one.push(candle));
};
const MINUTE = 60_000;
const minutes = (from: number, count: number): Candle[] => Array.from({ length: count }, (_, index) => candleAt(from + index * MINUTE, 100 + index));
const at = (text: string): number => Date.parse(`${text}Z`);

/** The same, told apart: groups the candles by bucket, then reads each group as a whole. */
function grouped(candles: readonly Candle[], base: Interval, interval: Interval): Candle[] {
  const groups = Map.groupBy(candles, ({ openTime }) => intervalOpen(interval, openTime));
  return [...groups].filter(([open, rows]) => {
    let expected = open;
    return rows.every(({ openTime }) => openTime === expected && (expected = intervalClose(base, expected)) > 0) && expected === intervalClose(interval, open);
  }).map(([openTime, rows]) => ({
    openTime, open: rows[0]!.open, high: Math.max(...rows.map(({ high }) => high)), low: Math.min(...rows.map(({ low }) => low)), close: rows.at(-1)!.close,
    volume: rows.reduce((sum, { volume }) => sum + volume, 0),
    quoteVolume: rows.reduce((sum, { quoteVolume }) => sum + quoteVolume, 0), trades: rows.reduce((sum, { trades }) => sum + trades, 0), takerBuy: rows.reduce((sum, { takerBuy }) => sum + takerBuy, 0),
  }));
}

describe('longer candles made of shorter ones', () => {
  test('hold first open, extremes, last close and the sums', () => {
    const [one, two] = simulateCandles(10, { openTime: at('2026-01-01T00:00') }).reduce<Candle[][]>((halves, candle, index) => { halves[index < 5 ? 0 : 1]!.push(candle); return halves; }, [[], []]);
    const made = fold([...one!, ...two!], '1m', '5m');
    expect(made.map(({ openTime }) => openTime)).toEqual([at('2026-01-01T00:00'), at('2026-01-01T00:05')]);
    expect(made[0]).toMatchObject({ open: one![0]!.open, close: one![4]!.close, high: Math.max(...one!.map(({ high }) => high)), low: Math.min(...one!.map(({ low }) => low)) });
    expect(made[0]!.volume).toBeCloseTo(one!.reduce((sum, { volume }) => sum + volume, 0), 10);
  });

  test('leave the first partial bucket out, and are unknown where one of theirs is missing', () => {
    const all = minutes(at('2026-01-01T00:03'), 30);
    expect(fold(all, '1m', '5m').map(({ openTime }) => openTime)[0]).toBe(at('2026-01-01T00:05'));
    const made = fold(all.filter((_, index) => index !== 9), '1m', '5m');
    expect(made.map(({ close }) => Number.isNaN(close))).toEqual([false, true, false, false, false]);
    // The last of a bucket is missing: it is known with the next candle.
    expect(fold(all.filter((_, index) => index !== 6), '1m', '5m').map(({ close }) => Number.isNaN(close))).toEqual([true, false, false, false, false]);
    // Two whole buckets are missing.
    expect(fold(all.filter((_, index) => index < 7 || index >= 17), '1m', '5m').map(({ close }) => Number.isNaN(close))).toEqual([false, true, true, false, false]);
  });

  test('open on Monday for a week, on the first for a month, across a year and a 29 February', () => {
    const days = (from: string, count: number): Candle[] => Array.from({ length: count }, (_, index) => candleAt(at(`${from}T00:00`) + index * 86_400_000, index));
    expect(fold(days('2024-02-01', 60), '1d', '1M').map(({ openTime, open, close }) => [new Date(openTime).toISOString().slice(0, 10), open, close])).toEqual([['2024-02-01', 0, 28], ['2024-03-01', 29, 59]]);
    expect(fold(days('2026-12-01', 62), '1d', '1M').map(({ openTime }) => new Date(openTime).toISOString().slice(0, 10))).toEqual(['2026-12-01', '2027-01-01']);
    const weeks = fold(days('2026-12-26', 20), '1d', '1w');
    expect(weeks.map(({ openTime, open, close }) => [new Date(openTime).toISOString().slice(0, 10), open, close])).toEqual([['2026-12-28', 2, 8], ['2027-01-04', 9, 15]]);
    for (const { openTime } of weeks) expect(new Date(openTime).getUTCDay()).toBe(1);
  });

  test('equal a computation that groups and reads whole buckets, whatever is missing', () => {
    fc.assert(fc.property(fc.nat(), fc.constantFrom<[Interval, Interval]>(['1m', '3m'], ['1m', '5m'], ['1m', '1h'], ['5m', '15m'], ['5m', '1h']), fc.array(fc.nat(299), { maxLength: 5 }), (seed, [base, interval], missing) => {
      const step = intervalClose(base, 0);
      const start = 1_700_000_000_000 - (1_700_000_000_000 % step) + (seed % 50) * step;
      const candles = simulateCandles(300, { seed, openTime: 0 }).map((candle, index) => ({ ...candle, openTime: start + index * step })).filter((_, index) => !missing.includes(index));
      const known = fold(candles, base, interval).filter(({ close }) => !Number.isNaN(close));
      const expected = grouped(candles, base, interval);
      expect(known.map(({ openTime }) => openTime)).toEqual(expected.map(({ openTime }) => openTime));
      for (const [index, candle] of known.entries()) {
        expect({ ...candle, volume: 0, quoteVolume: 0, takerBuy: 0 }).toEqual({ ...expected[index], volume: 0, quoteVolume: 0, takerBuy: 0 });
        for (const sum of ['volume', 'quoteVolume', 'takerBuy'] as const) expect(candle[sum]).toBeCloseTo(expected[index]![sum], 6);
      }
    }), { numRuns: 100 });
  });

  const folder = recordings('klines');
  test.skipIf(folder === null)('of the recorded minutes equal an independent computation at 5m, 15m and 1h', () => {
    const recorded = readRecordedCandles(folder!);
    expect([...recorded.keys()].toSorted()).toEqual(['BTCUSDT', 'DASHUSDT', 'LTCUSDT']);
    for (const [symbol, rows] of recorded) {
      // The files have prices and volume only: what they lack follows from these, so that no two candles have the same.
      const candles = rows.map((row, index) => ({ ...row, quoteVolume: row.volume * row.close, trades: 1 + (index * 7) % 1_000, takerBuy: row.volume * ((index % 10) / 10) }));
      for (const interval of ['5m', '15m', '1h'] as const) {
        const made = fold(candles, '1m', interval);
        const expected = grouped(candles, '1m', interval);
        expect(made.length, symbol).toBe(expected.length);
        for (const [index, candle] of made.entries()) {
          expect([candle.openTime, candle.open, candle.high, candle.low, candle.close]).toEqual([expected[index]!.openTime, expected[index]!.open, expected[index]!.high, expected[index]!.low, expected[index]!.close]);
          for (const sum of ['volume', 'quoteVolume', 'trades', 'takerBuy'] as const) expect(Math.abs(candle[sum] - expected[index]![sum]), `${symbol} ${sum}`).toBeLessThanOrEqual(1e-9 * expected[index]![sum]);
        }
      }
    }
  });
});
