import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DAY, MINUTE } from './intervals.ts';
import { SimulatedMarket } from './simulated.ts';
import type { Candle } from './candle.ts';

const ORIGIN = Date.UTC(2026, 5, 1, 13);
const TODAY = Date.UTC(2026, 5, 1);
const open = (seed = 'seed', count = 20) => new SimulatedMarket({ seed, count, origin: ORIGIN });

function days(market: SimulatedMarket, symbol: string, count: number, from = TODAY - count * DAY): Candle[] {
  return Array.from({ length: (count * DAY) / MINUTE }, (_, i) => market.minute(symbol, from + i * MINUTE) as Candle);
}
const returns = (candles: Candle[]) => candles.map(({ open, close }) => Math.log(close / open));
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
function product(a: number[], b: number[]): number {
  const [ma, mb] = [mean(a), mean(b)];
  return mean(a.map((value, i) => (value - ma) * ((b[i] as number) - mb)));
}
const correlation = (a: number[], b: number[]) => product(a, b) / Math.sqrt(product(a, a) * product(b, b));

describe('the simulated market', () => {
  test('gives any minute the same, whatever was asked before and however large the market is', () => {
    const long = open('seed', 40);
    fc.assert(fc.property(fc.constantFrom('BTCUSDT', 'JUPUSDT', 'PEPEUSDT'), fc.integer({ min: -30 * 1440, max: 400 * 1440 }), (symbol, minute) => {
      const at = TODAY + minute * MINUTE;
      const candle = long.minute(symbol, at);
      expect(candle).toBeDefined();
      expect(candle).toEqual(open().minute(symbol, at));
    }), { numRuns: 60 });
    expect(open('another').minute('BTCUSDT', TODAY)).not.toEqual(open().minute('BTCUSDT', TODAY));
  });

  test('makes candles that hold together: prices on ticks, each open the close before, also over midnight', () => {
    const market = open();
    for (const info of market.symbols) {
      const candles = days(market, info.symbol, 2);
      for (const [i, candle] of candles.entries()) {
        const fine = candle.low > 0 && candle.low <= Math.min(candle.open, candle.close) && candle.high >= Math.max(candle.open, candle.close)
          && [candle.open, candle.high, candle.low, candle.close].every((price) => price % info.tick === 0)
          && candle.volume > 0n && candle.volume % BigInt(info.step) === 0n && candle.takerBase >= 0n && candle.takerBase <= candle.volume && candle.trades > 0
          && (i === 0 || candle.open === (candles[i - 1] as Candle).close);
        if (!fine) expect.fail(`${info.symbol} at ${candle.openTime}`);
      }
    }
  });

  test('moves with BTC, in clusters, with more volume when it moves', () => {
    const market = open();
    const btc = returns(days(market, 'BTCUSDT', 6));
    for (const symbol of ['ETHUSDT', 'JUPUSDT']) {
      const candles = days(market, symbol, 6);
      const own = returns(candles);
      expect(correlation(btc, own)).toBeGreaterThan(0.2);
      const size = own.map(Math.abs);
      expect(correlation(size.slice(1), size.slice(0, -1))).toBeGreaterThan(0.08);
      expect(correlation(size, candles.map((candle) => Number(candle.volume)))).toBeGreaterThan(0.25);
    }
  });

  test('has up to 500 symbols with different magnitudes, and at least 30 days behind it', () => {
    const { symbols } = open('seed', 500);
    expect(new Set(symbols.map((info) => info.symbol)).size).toBe(500);
    expect(open().symbols.map((info) => info.symbol)).toContain('JUPUSDT');
    expect(new Set(symbols.map((info) => info.tick)).size).toBeGreaterThan(4);
    expect(symbols.filter((info) => info.permissions.includes('LEVERAGED')).map((info) => info.symbol)).toEqual(['BTCUPUSDT', 'BTCDOWNUSDT']);
    expect(symbols.every((info) => ORIGIN - info.first > 30 * DAY && info.first % DAY === 0)).toBe(true);
    expect(open().minute('BTCUSDT', 0)).toBeUndefined();
  });
});
