import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordings } from '../../../tests/support/recordings.ts';
import { CandleBook } from './aggregate.ts';
import { formatUnits, parseUnits, type Candle } from './candle.ts';
import { DAY, INTERVALS, MINUTE, openOf, stepOpen, type Interval } from './intervals.ts';
import { RecordedMarket } from './recorded.ts';
import { readRecordings } from './recordings.ts';
import { SimulatedMarket } from './simulated.ts';
import type { MarketSource, SymbolInfo } from './source.ts';

const NOW = Date.UTC(2026, 2, 2, 12, 34, 56);
const folder = recordings('klines');

/** Three recorded markets, or three simulated ones when the recordings are absent. */
function realMarket(): { source: MarketSource; now: number } {
  if (folder === null) return { source: new SimulatedMarket({ seed: 'a', count: 3, origin: NOW }), now: NOW };
  return { source: new RecordedMarket(readRecordings(folder), {}), now: Date.UTC(2021, 1, 25, 9, 41, 17) };
}

/** Aggregation as one would write it first: every minute, one after the other, in plain arithmetic. */
function naive(source: MarketSource, info: SymbolInfo, interval: Interval, open: number): Omit<Candle, 'takerBase' | 'takerQuote'> | null {
  let row: Omit<Candle, 'takerBase' | 'takerQuote'> | null = null;
  for (let at = open; at < stepOpen(interval, open); at += MINUTE) {
    const m = source.minute(info.symbol, at);
    if (!m) continue;
    if (row === null) row = { openTime: open, open: m.open, high: m.high, low: m.low, close: m.close, volume: 0n, quoteVolume: 0n, trades: 0 };
    if (m.high > row.high) row.high = m.high;
    if (m.low < row.low) row.low = m.low;
    row.close = m.close;
    row.volume += m.volume;
    row.quoteVolume += m.quoteVolume;
    row.trades += m.trades;
  }
  return row;
}

const at = (text: string) => Date.parse(text);

describe('candles of every interval', () => {
  const { source, now } = realMarket();
  const book = new CandleBook(source);

  test.each(['3m', '5m', '15m', '1h', '4h', '1d', '1w'] as const)('%s equal a naive aggregation of the minutes, on every symbol', (interval) => {
    for (const info of source.symbols) {
      const rows = book.klines(info.symbol, interval, now, { limit: 40 });
      const last = openOf(interval, Math.min(now, info.end - MINUTE));
      expect(rows.at(-1)?.openTime).toBe(last);
      for (const row of rows.filter((candle) => stepOpen(interval, candle.openTime) <= now)) expect(row).toMatchObject(naive(source, info, interval, row.openTime) as object);
    }
  });

  test('are the same whatever was asked before', () => {
    const symbol = source.symbols[0]?.symbol as string;
    const intervals = fc.constantFrom(...INTERVALS.filter((name) => name !== '1M'));
    fc.assert(fc.property(fc.array(fc.tuple(intervals, fc.integer({ min: 0, max: 2 * DAY })), { minLength: 1, maxLength: 6 }), (asked) => {
      const used = new CandleBook(source);
      for (const [interval, ago] of asked) {
        const open = openOf(interval, now - ago);
        expect(used.candle(symbol, interval, open, now)).toEqual(new CandleBook(source).candle(symbol, interval, open, now));
      }
    }), { numRuns: 15 });
  });

  test('never show the future: the forming candle ends where the market is', () => {
    const symbol = source.symbols[0]?.symbol as string;
    for (const interval of INTERVALS) {
      const rows = book.klines(symbol, interval, now, { limit: 3 });
      expect(rows.at(-1)?.openTime).toBeLessThanOrEqual(now);
      const minute = book.klines(symbol, '1m', now, { limit: 1 })[0] as Candle;
      expect(rows.at(-1)?.close).toBe(minute.close);
    }
    expect(book.klines(symbol, '1m', now, { start: now + 1, limit: 5 })).toEqual([]);
  });
});

describe('klines by start, end and limit', () => {
  const source = new SimulatedMarket({ seed: 'b', count: 1, origin: NOW });
  const book = new CandleBook(source);
  const opens = (ask: { start?: number; end?: number; limit: number }) => book.klines('BTCUSDT', '5m', NOW, ask).map((row) => row.openTime);
  const open = openOf('5m', NOW);

  test('run forward from a start, and back from an end', () => {
    expect(opens({ limit: 2 })).toEqual([open - 5 * MINUTE, open]);
    expect(opens({ start: open - 10 * MINUTE, limit: 2 })).toEqual([open - 10 * MINUTE, open - 5 * MINUTE]);
    expect(opens({ start: open - 10 * MINUTE + 1, limit: 9 })).toEqual([open - 5 * MINUTE, open]);
    expect(opens({ end: open - 1, limit: 2 })).toEqual([open - 10 * MINUTE, open - 5 * MINUTE]);
    expect(opens({ start: open - 10 * MINUTE, end: open - 5 * MINUTE, limit: 9 })).toEqual([open - 10 * MINUTE, open - 5 * MINUTE]);
    expect(opens({ start: open, end: open - 1, limit: 9 })).toEqual([]);
  });

  test('the first daily candle is the day of listing', () => {
    const first = source.symbols[0]?.first as number;
    expect(book.klines('BTCUSDT', '1d', NOW, { start: 0, limit: 1 })[0]?.openTime).toBe(first);
    expect(NOW - first).toBeGreaterThan(30 * DAY);
  });
});

describe('the calendar', () => {
  test('weeks open on Monday, months on the first, also over year ends and 29 February', () => {
    expect(openOf('1w', at('2026-03-01T23:59:00Z'))).toBe(at('2026-02-23T00:00:00Z'));
    expect(openOf('1w', at('2026-01-01T00:00:00Z'))).toBe(at('2025-12-29T00:00:00Z'));
    expect(openOf('1M', at('2024-02-29T12:00:00Z'))).toBe(at('2024-02-01T00:00:00Z'));
    expect(stepOpen('1M', at('2024-02-01T00:00:00Z')) - at('2024-02-01T00:00:00Z')).toBe(29 * DAY);
    expect(stepOpen('1M', at('2025-12-01T00:00:00Z'))).toBe(at('2026-01-01T00:00:00Z'));
    expect(stepOpen('1M', at('2026-01-01T00:00:00Z'), -1)).toBe(at('2025-12-01T00:00:00Z'));
  });

  test('a candle contains its time and touches the next', () => {
    fc.assert(fc.property(fc.constantFrom(...INTERVALS), fc.integer({ min: 0, max: 4e12 }), (interval, time) => {
      const open = openOf(interval, time);
      expect(open).toBeLessThanOrEqual(time);
      expect(stepOpen(interval, open)).toBeGreaterThan(time);
      expect(openOf(interval, stepOpen(interval, open))).toBe(stepOpen(interval, open));
      expect(stepOpen(interval, stepOpen(interval, open), -1)).toBe(open);
    }));
  });
});

describe('decimals', () => {
  test('are read and written without loss', () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: 10n ** 24n }), (units) => {
      expect(parseUnits(formatUnits(units))).toBe(units);
    }));
    expect(formatUnits(-5n)).toBe('-0.00000005');
    expect(['1e-8', '-1', '', '.5', '0.123456789', 'NaN'].map(parseUnits)).toEqual([null, null, null, null, null, null]);
    expect(parseUnits('0.1234567800')).toBe(12345678n);
  });
});
