import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordings } from '../../../tests/support/recordings.ts';
import { MINUTE } from './intervals.ts';
import { canBeLaid, layTrades } from './lay-trades.ts';
import { inLots, worthInUnits } from './lots.ts';
import { makePlayable } from './playable.ts';
import { RecordedMarket } from './recorded.ts';
import { readRecordings } from './recordings.ts';
import { SimulatedMarket } from './simulated.ts';
import { Tape } from './tape.ts';
import { Tapes } from './tapes.ts';
import type { Candle } from './candle.ts';
import type { MarketSource } from './source.ts';

const ORIGIN = Date.UTC(2026, 5, 1, 13);
const LOTS = { tick: 100, step: 1000 };

/** What must be true of any minute's trades: they fold to its candle, in order, on the grid of ticks and steps. */
function holds(tape: Tape, candle: Candle): void {
  const folded = tape.fold(0, tape.count);
  const same = tape.count === 0 ? folded === undefined : (Object.keys(candle) as (keyof Candle)[]).every((field) => folded?.[field] === candle[field]);
  if (!same || tape.count !== candle.trades) expect(folded).toEqual(candle);
  const { at, price, quantity } = tape.columns;
  for (let i = 0; i < tape.count; i++) {
    const fine = Number.isInteger(price[i]) && (quantity[i] as number) >= 1 && Number.isInteger(quantity[i]) && (at[i] as number) >= (i === 0 ? 0 : at[i - 1] as number) && (at[i] as number) < MINUTE;
    if (!fine) expect.fail(`trade ${i} of ${tape.count} at ${tape.openTime}`);
  }
}

const share = fc.integer({ min: 0, max: 1_000 }).map((thousandths) => thousandths / 1_000);

/** Any candle at all: prices and volumes of every size, worth anything that its prices allow. */
const candles = fc.record({
  prices: fc.tuple(...Array.from({ length: 4 }, () => fc.integer({ min: 2, max: 1_000_000 }))), narrow: fc.boolean(), turned: fc.boolean(), minute: fc.integer({ min: 0, max: 4e7 }),
  steps: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 200, max: 1e9 })), trades: fc.oneof(fc.integer({ min: 0, max: 12 }), fc.integer({ min: 8, max: 400 })),
  taken: share, worth: share, takerWorth: share,
}).map(({ prices, narrow, turned, minute, steps, trades, taken, worth, takerWorth }): Candle => {
  const sorted = prices.map((price) => (narrow ? 5_000 + (price % 4) : price)).toSorted((x, y) => x - y) as [number, number, number, number];
  const [low, a, b, high] = sorted;
  const taker = Math.floor(steps * taken);
  const value = (volume: number, share: number) => BigInt(low) * BigInt(volume) + BigInt(Math.floor(volume * (high - low) * share));
  const takerValue = value(taker, takerWorth);
  return {
    openTime: minute * MINUTE, open: (turned ? b : a) * 100, high: high * 100, low: low * 100, close: (turned ? a : b) * 100,
    volume: BigInt(steps) * 1000n, quoteVolume: worthInUnits(takerValue + value(steps - taker, worth), LOTS), trades, takerBase: BigInt(taker) * 1000n, takerQuote: worthInUnits(takerValue, LOTS),
  };
});

describe('the trades of a minute', () => {
  test('add up to any candle that can be made of them, to the digit', () => {
    let laid = 0;
    fc.assert(fc.property(candles, fc.integer(), (candle, key) => {
      const lots = inLots(candle, LOTS);
      if (!lots || !canBeLaid(lots, candle.trades)) return;
      laid += 1;
      holds(new Tape(candle.openTime, LOTS, layTrades(lots, candle.trades, key)), candle);
    }), { numRuns: 3_000 });
    expect(laid).toBeGreaterThan(300);
  });

  test('are found for every recorded minute: prices and volume stay, and what no trades could add up to is told', () => {
    fc.assert(fc.property(candles, fc.boolean(), (candle, bare) => {
      const { candles: [played], tapes, adjusted } = makePlayable([candle], LOTS, bare ? ['quoteVolume', 'trades', 'takerBase', 'takerQuote'] : [], 7);
      if (!played) throw new Error('no candle');
      expect([played.open, played.high, played.low, played.close, played.volume]).toEqual([candle.open, candle.high, candle.low, candle.close, candle.volume]);
      const lots = inLots(played, LOTS);
      const corners = new Set([candle.open, candle.high, candle.low, candle.close]).size;
      // A minute with fewer steps of volume than it has corners contradicts itself: no trades can show it.
      if (played.volume / 1000n < BigInt(corners + 1)) return;
      const tape = tapes.get(played.openTime) ?? (lots && canBeLaid(lots, played.trades) ? new Tape(played.openTime, LOTS, layTrades(lots, played.trades, 7)) : undefined);
      if (!tape) throw new Error('no trades');
      holds(tape, played);
      if (!bare && played.quoteVolume !== candle.quoteVolume) expect(adjusted).toBeGreaterThan(0);
    }), { numRuns: 3_000 });
  });

  test.each([['the simulated market', () => new SimulatedMarket({ seed: 's', count: 500, origin: ORIGIN })], ['the recorded market', () => {
    const folder = recordings('klines');
    return folder === null ? null : new RecordedMarket(readRecordings(folder), {});
  }]] as [string, () => MarketSource | null][])('of %s add up to its candles, and their ids count on', (_, open) => {
    const market = open();
    if (!market) return;
    const tapes = new Tapes(market);
    let quiet = 0;
    for (const [n, info] of market.symbols.entries()) {
      const from = Math.max(info.first, info.first + ((Math.min(info.end, ORIGIN) - info.first) >> 1)) - (info.first % MINUTE);
      const begin = Math.floor(from / MINUTE) * MINUTE;
      let number = market.tradesBefore(info.symbol, begin);
      for (let minute = begin; minute < begin + (market.symbols.length > 100 ? 12 : 400) * MINUTE; minute += MINUTE) {
        const candle = market.minute(info.symbol, minute);
        if (!candle) continue;
        expect(market.tradesBefore(info.symbol, minute)).toBe(number);
        number += candle.trades;
        if (candle.trades === 0) quiet += 1;
        holds(tapes.at(info.symbol, minute) as Tape, candle);
      }
      if (n === 0) expect(number).toBeGreaterThan(1_000);
    }
    if (market.symbols.length === 500) expect(quiet).toBeGreaterThan(0);
  });

  test('show the minute as it forms: nothing that was shown is taken back', () => {
    const market = new SimulatedMarket({ seed: 's', count: 5, origin: ORIGIN });
    const tapes = new Tapes(market);
    fc.assert(fc.property(fc.constantFrom(...market.symbols), fc.integer({ min: 1, max: 5_000 }), fc.array(fc.integer({ min: 0, max: MINUTE - 1 }), { minLength: 2, maxLength: 20 }), ({ symbol }, ago, moments) => {
      const tape = tapes.at(symbol, ORIGIN - ago * MINUTE) as Tape;
      const whole = tape.fold(0, tape.count) as Candle;
      let before: Candle | undefined;
      for (const elapsed of moments.toSorted((a, b) => a - b)) {
        const now = tape.fold(0, tape.countAt(elapsed));
        if (!now) continue;
        expect(now.open).toBe(whole.open);
        expect(now.high <= whole.high && now.low >= whole.low && now.takerBase <= now.volume && now.takerQuote <= now.quoteVolume).toBe(true);
        if (before) {
          expect(now.high >= before.high && now.low <= before.low && now.volume >= before.volume && now.quoteVolume >= before.quoteVolume && now.trades >= before.trades).toBe(true);
        }
        before = now;
      }
      expect(tape.fold(0, tape.countAt(MINUTE))).toEqual(whole);
    }), { numRuns: 100 });
  });
});
