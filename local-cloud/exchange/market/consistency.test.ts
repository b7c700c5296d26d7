import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { recordings } from '../../../tests/support/recordings.ts';
import { CandleBook } from './aggregate.ts';
import { EventfulMarket, type MarketEvent } from './events.ts';
import { DAY, HOUR, INTERVALS, MINUTE, openOf, SECOND, stepOpen, type Interval } from './intervals.ts';
import { CHURN_MS } from './quotes.ts';
import { RecordedMarket } from './recorded.ts';
import { readRecordings } from './recordings.ts';
import { SimulatedMarket } from './simulated.ts';
import { viewsOf, type Views } from './views.ts';
import type { Candle } from './candle.ts';
import type { Change, Level, Snapshot } from './depth.ts';
import type { MarketSource, SymbolInfo } from './source.ts';
import type { NumberedTrade } from './trade-log.ts';

const ORIGIN = Date.UTC(2026, 5, 1, 13);

/** A whole candle added up from single trades, as a client would do it. */
function foldTrades(trades: readonly NumberedTrade[], { tick, step }: SymbolInfo): Omit<Candle, 'openTime'> {
  const [first, last] = [trades[0] as NumberedTrade, trades.at(-1) as NumberedTrade];
  const taken = trades.filter(({ buyerMaker }) => !buyerMaker);
  const sum = (some: readonly NumberedTrade[]) => some.reduce((all, { quantity }) => all + quantity, 0n);
  const worth = (some: readonly NumberedTrade[]) => (some.reduce((all, { price, quantity }) => all + BigInt(price / tick) * (quantity / BigInt(step)), 0n) * BigInt(tick) * BigInt(step)) / 100_000_000n;
  return {
    open: first.price, high: trades.reduce((high, { price }) => Math.max(high, price), 0), low: trades.reduce((low, { price }) => Math.min(low, price), Infinity), close: last.price, trades: trades.length,
    volume: sum(trades), quoteVolume: worth(trades), takerBase: sum(taken), takerQuote: worth(taken),
  };
}

/** A book as a client keeps it: a snapshot, then every change by the exchange's rules. */
class LocalBook {
  readonly bids: Map<number, number>;
  readonly asks: Map<number, number>;
  id: number;

  constructor({ id, bids, asks }: Snapshot) {
    this.id = id;
    this.bids = new Map(bids);
    this.asks = new Map(asks);
  }

  take({ firstId, lastId, bids, asks }: Change): void {
    if (lastId <= this.id) return;
    if (firstId > this.id + 1) throw new Error(`a hole: ${firstId} after ${this.id}`);
    for (const [side, levels] of [[this.bids, bids], [this.asks, asks]] as const) {
      for (const [price, steps] of levels) {
        if (steps === 0) side.delete(price);
        else side.set(price, steps);
      }
    }
    this.id = lastId;
  }

  levels(): { bids: Level[]; asks: Level[] } {
    return { bids: [...this.bids].toSorted((a, b) => b[0] - a[0]), asks: [...this.asks].toSorted((a, b) => a[0] - b[0]) };
  }
}

/** Two of every five hours something happens: halts of one symbol, crashes of another, and of all. */
const EVENTS: MarketEvent[] = Array.from({ length: 16 }, (_, i): MarketEvent[] => {
  const from = ORIGIN - (i + 1) * 5 * HOUR;
  return [
    { kind: 'halt', symbol: 'BTCUSDT', from, to: from + HOUR + 7 * MINUTE },
    { kind: 'crash', symbol: 'ETHUSDT', from, lowest: from + 9 * MINUTE, to: from + HOUR, depth: 0.4 },
    { kind: 'crash', symbol: '*', from: from + 2 * HOUR, lowest: from + 2 * HOUR + 3 * MINUTE, to: from + 3 * HOUR, depth: 0.15 },
  ];
}).flat();

function openMarkets(): [string, MarketSource, number][] {
  const [folder, frames] = [recordings('klines'), recordings('binance')];
  return [
    ['simulated', new SimulatedMarket({ seed: 'c', count: 120, origin: ORIGIN }), ORIGIN],
    ['eventful', new EventfulMarket(new SimulatedMarket({ seed: 'e', count: 4, origin: ORIGIN }), EVENTS), ORIGIN],
    ...(frames === null ? [] : [['recorded frames', new RecordedMarket(readRecordings(frames), {}), 0] as [string, MarketSource, number]]),
    ...(folder === null ? [] : [['recorded', new RecordedMarket(readRecordings(folder), {}), 0] as [string, MarketSource, number]]),
  ];
}

describe.each(openMarkets())('the played market (%s)', (_, source, origin) => {
  const views: Views = viewsOf(new CandleBook(source));
  const { book, tickers, quotes, depth, tradeLog } = views;
  const symbols = fc.constantFrom(...source.symbols.filter((info, n) => n < 4 || n % 23 === 0));
  /** A symbol and a moment of its past, to the millisecond. */
  const moments = fc.tuple(symbols, fc.integer({ min: 0, max: 3 * DAY })).map(([info, ago]) => {
    const end = Math.min(info.end, origin || info.end);
    // Some history lies before every moment: two days where there is so much.
    const begin = end - info.first > 3 * DAY ? info.first + 2 * DAY : info.first + 2 * MINUTE;
    return { info, now: Math.max(begin, end - 1 - (ago % (end - begin))) };
  }).filter(({ info, now }) => now < info.end);

  test('trades add up to every candle, closed or forming, and their numbers have no hole', () => {
    fc.assert(fc.property(moments, fc.constantFrom(...INTERVALS.filter((name) => ['1s', '1m', '3m', '5m', '15m', '30m'].includes(name))), fc.nat(3), ({ info, now }, interval, back) => {
      const open = stepOpen(interval, openOf(interval, now), -back);
      const candle = book.candle(info.symbol, interval, open, now);
      const until = Math.min(now, stepOpen(interval, open) - 1);
      const trades = [...tradeLog.between(info.symbol, open - 1, until)];
      expect(trades.map(({ id }) => id)).toEqual(trades.map((__, i) => tradeLog.lastId(info.symbol, open - 1) + 1 + i));
      expect(trades.every(({ time }) => time >= open && time <= until)).toBe(true);
      expect(candle?.trades ?? 0).toBe(trades.length);
      if (trades.length === 0) expect([candle?.volume ?? 0n, (candle?.high ?? 0) - (candle?.low ?? 0)]).toEqual([0n, 0]);
      else if (interval === '1m' || interval === '1s') expect(candle).toEqual({ openTime: open, ...foldTrades(trades, info) });
      else {
        // Worth is rounded minute by minute; a minute without a trade counts at the price at which it stands; all else is exact.
        const { quoteVolume: q, takerQuote: t, ...exact } = foldTrades(trades, info);
        const still = book.klines(info.symbol, '1m', now, { start: open, end: until, limit: 1_440 }).filter((minute) => minute.trades === 0).map(({ close }) => close);
        const stillFirst = book.candle(info.symbol, '1m', open, now)?.trades === 0 ? still[0] : undefined;
        const stillLast = book.candle(info.symbol, '1m', openOf('1m', until), now)?.trades === 0 ? still.at(-1) : undefined;
        expect(candle).toMatchObject({
          ...exact, open: stillFirst ?? exact.open, close: stillLast ?? exact.close, high: Math.max(exact.high, ...still), low: Math.min(exact.low, ...still),
        });
        const close = (a: bigint, b: bigint) => a - b <= 1_000n && b - a <= 1_000n;
        expect(close(q, candle?.quoteVolume ?? -1n) && close(t, candle?.takerQuote ?? -1n)).toBe(true);
      }
      if (trades.length > 0) expect(tradeLog.from(info.symbol, (trades[0] as NumberedTrade).id, until, 1_000)).toEqual(trades.slice(0, 1_000));
    }), { numRuns: 150 });
  });

  test('tickers tell what candles and trades tell', () => {
    fc.assert(fc.property(moments, fc.constantFrom(undefined, HOUR, 4 * HOUR), ({ info, now }, size) => {
      const ticker = tickers.at(info.symbol, now, size);
      const minutes = book.klines(info.symbol, '1m', now, { start: ticker?.openTime ?? 0, limit: 1_441 });
      if (minutes.length === 0) expect(ticker?.day).toMatchObject({ volume: 0n, trades: 0, high: ticker?.day.low });
      else expect(ticker?.day).toMatchObject({
        open: minutes[0]?.open, close: minutes.at(-1)?.close, high: Math.max(...minutes.map(({ high }) => high)), low: Math.min(...minutes.map(({ low }) => low)),
        volume: minutes.reduce((sum, { volume }) => sum + volume, 0n), quoteVolume: minutes.reduce((sum, { quoteVolume }) => sum + quoteVolume, 0n),
        trades: minutes.reduce((sum, { trades }) => sum + trades, 0),
      });
      const last = tradeLog.from(info.symbol, tradeLog.lastId(info.symbol, now), now, 1)[0];
      // A window that lies within a halt has no trades, and so no ids.
      const traded = (ticker?.day.trades ?? 0) > 0;
      expect([ticker?.day.close, ticker?.lastId]).toEqual([last?.price, traded ? last?.id : -1]);
      expect((ticker?.lastId ?? 0) - (ticker?.firstId ?? 0) + (traded ? 1 : 0)).toBe(ticker?.day.trades);
      expect(tickers.lastTrade(info.symbol, now)).toMatchObject({ price: last?.price, quantity: last?.quantity, time: last?.time });
    }), { numRuns: 100 });
  });

  test('every trade is at the best price of its side and takes its quantity away there', () => {
    fc.assert(fc.property(moments, fc.integer({ min: 1, max: 2 * MINUTE }), ({ info, now }, length) => {
      const from = now - length;
      const trades = [...tradeLog.between(info.symbol, from, now)];
      let [before, next] = [quotes.at(info.symbol, from), 0];
      for (const touch of quotes.between(info.symbol, from, now)) {
        const trade = trades[next];
        if (!(touch.bid < touch.ask && touch.bidSteps >= 1 && touch.askSteps >= 1 && touch.id > (before?.id ?? 0))) expect.fail(`a touch that cannot be: ${JSON.stringify(touch)}`);
        // Ids count the moves of the book and the trades in turn, beside the beats of the deeper levels.
        const isTrade = (touch.id - 1 - Math.floor((touch.time - info.first) / CHURN_MS)) % 2 === 0;
        if (isTrade && trade && before) {
          const [price, taken] = trade.buyerMaker ? [before.bid, before.bidSteps - touch.bidSteps] : [before.ask, before.askSteps - touch.askSteps];
          const fits = touch.time === trade.time && price * info.tick === trade.price && touch.bid === before.bid && touch.ask === before.ask
            && BigInt(taken) * BigInt(info.step) === trade.quantity;
          if (!fits) expect.fail(`trade ${trade.id} does not fit the book before it`);
          next += 1;
        }
        before = touch;
      }
      expect(next).toBe(trades.length);
      expect(quotes.at(info.symbol, now)).toMatchObject({ bid: before?.bid, ask: before?.ask, bidSteps: before?.bidSteps, askSteps: before?.askSteps });
    }), { numRuns: 150 });
  });

  test('a book kept from any snapshot and the changes after it is the book that the exchange shows', () => {
    const pauses = fc.array(fc.oneof(fc.integer({ min: 1, max: 1_000 }), fc.integer({ min: 1, max: 40 * SECOND })), { minLength: 2, maxLength: 12 });
    fc.assert(fc.property(moments, pauses, fc.double({ min: 0, max: 1, noNaN: true }), ({ info, now }, waits, share) => {
      const begin = now - waits.reduce((sum, wait) => sum + wait, 0);
      // The snapshot comes somewhere within the second event, as an answer to a request does.
      const asked = begin + (waits[0] as number) + Math.floor((waits[1] as number) * share);
      const snapshot = depth.snapshot(info.symbol, asked, 5_000);
      // Only a recording that has hardly begun has no book yet.
      if (!snapshot) {
        expect(asked - info.first).toBeLessThan(MINUTE);
        return;
      }
      const local = new LocalBook(snapshot);
      let told = begin;
      let lastId = quotes.at(info.symbol, begin)?.id ?? 0;
      for (let at = begin, n = 0; n < waits.length; n++) {
        at += waits[n] as number;
        const change = depth.changes(info.symbol, told, at);
        if (!change || change.bids.length + change.asks.length === 0) continue;
        expect(change.firstId).toBe(lastId + 1);
        [told, lastId] = [at, change.lastId];
        local.take(change);
      }
      const shown = depth.snapshot(info.symbol, told, 5_000);
      if (told < asked) return;
      expect(local.levels()).toEqual({ bids: shown?.bids, asks: shown?.asks });
    }), { numRuns: 200 });
  });

  test('a snapshot is in order, does not cross, and begins with the best prices', () => {
    fc.assert(fc.property(moments, fc.constantFrom(5, 100, 5_000), ({ info, now }, limit) => {
      const touch = quotes.at(info.symbol, now);
      const { id, bids, asks } = depth.snapshot(info.symbol, now, limit) as Snapshot;
      expect([id, bids[0], asks[0]]).toEqual([touch?.id, [touch?.bid, touch?.bidSteps], [touch?.ask, touch?.askSteps]]);
      const prices = [...bids.toReversed(), ...asks].map(([price]) => price);
      expect(prices.every((price, i) => price > (prices[i - 1] ?? 0))).toBe(true);
      expect([...bids, ...asks].every(([, steps]) => steps >= 1)).toBe(true);
      expect(Math.max(bids.length, asks.length)).toBeLessThanOrEqual(limit);
      expect(Math.min(bids.length, asks.length)).toBeGreaterThanOrEqual(5);
    }), { numRuns: 100 });
  });

  test('nothing depends on what was asked before', () => {
    fc.assert(fc.property(fc.array(moments, { minLength: 2, maxLength: 4 }), (asked) => {
      for (const { info, now } of asked) {
        const fresh = viewsOf(new CandleBook(source));
        expect(fresh.depth.snapshot(info.symbol, now, 20)).toEqual(depth.snapshot(info.symbol, now, 20));
        expect(fresh.tickers.at(info.symbol, now)).toEqual(tickers.at(info.symbol, now));
        expect(fresh.book.candle(info.symbol, '15m' as Interval, openOf('15m', now), now)).toEqual(book.candle(info.symbol, '15m', openOf('15m', now), now));
      }
    }), { numRuns: 15 });
  });
});
