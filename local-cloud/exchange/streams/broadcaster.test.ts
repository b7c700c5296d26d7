import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CandleBook } from '../market/aggregate.ts';
import { CandleLies } from '../faults/candle-lies.ts';
import { Faults } from '../faults/faults.ts';
import { Broadcaster, type Subscriber } from './broadcaster.ts';
import { formatUnits } from '../market/candle.ts';
import { MarketClock } from '../market/clock.ts';
import { DAY, MINUTE, openOf, stepOpen, type Interval } from '../market/intervals.ts';
import { RecordedMarket } from '../market/recorded.ts';
import { SimulatedMarket } from '../market/simulated.ts';
import { Tickers } from '../market/ticker.ts';
import { viewsOf } from '../market/views.ts';
import type { MarketSource } from '../market/source.ts';
import type { Frame } from './frame.ts';

const ORIGIN = Date.UTC(2026, 0, 31, 23, 50);

interface Kline { E: number; k: { t: number; T: number; s: string; i: string; o: string; h: string; l: string; c: string; v: string; x: boolean } }

function play(speed: number, source: MarketSource = new SimulatedMarket({ seed: 's', count: 3, origin: ORIGIN })) {
  const wall = { now: 1_000_000 };
  const now = () => wall.now;
  const clock = new MarketClock({ now, speed, origin: ORIGIN, save: () => undefined });
  const book = new CandleBook(source);
  const broadcaster = new Broadcaster(now, { views: viewsOf(book), clock, lies: new CandleLies(new Faults(now)), symbols: source.symbols.map((info) => info.symbol) });
  return { wall, clock, book, broadcaster };
}

class Listener implements Subscriber {
  readonly frames: { stream: string; data: Kline }[] = [];
  send({ stream, payload }: Frame): void {
    this.frames.push({ stream, data: JSON.parse(payload) as Kline });
  }

  closes(stream: string): Kline['k'][] {
    return this.frames.filter((frame) => frame.stream === stream && frame.data.k.x).map((frame) => frame.data.k);
  }
}

describe('kline streams', () => {
  const streams = ['btcusdt@kline_1m', 'btcusdt@kline_5m', 'ethusdt@kline_1m', 'solusdt@kline_15m', 'btcusdt@kline_1h', 'btcusdt@kline_1M'];
  const action = fc.oneof(
    { weight: 6, arbitrary: fc.record({ wait: fc.integer({ min: 0, max: 200 }) }) },
    { weight: 1, arbitrary: fc.record({ wait: fc.integer({ min: 5_000, max: 59_000 }) }) },
    { weight: 3, arbitrary: fc.record({ who: fc.nat(2), toggle: fc.constantFrom(...streams) }) },
  );

  test('send each close exactly once, in order, to each who listens, however late the ticks', () => {
    fc.assert(fc.property(fc.constantFrom(1, 60, 600), fc.array(action, { minLength: 5, maxLength: 60 }), (speed, actions) => {
      const { wall, clock, book, broadcaster } = play(speed);
      const listeners = [new Listener(), new Listener(), new Listener()];
      const since = new Map<string, number>();
      const owed = listeners.map(() => new Map<string, number[]>());
      const settle = (who: number, stream: string) => {
        const [symbol = '', interval = ''] = stream.split('@kline_');
        const from = since.get(`${who} ${stream}`) as number;
        const list = owed[who]?.get(stream) ?? [];
        for (let end = stepOpen(interval as Interval, openOf(interval as Interval, from)); end <= clock.time(); end = stepOpen(interval as Interval, end)) list.push(end - 1);
        owed[who]?.set(stream, list);
        expect(symbol).not.toBe('');
      };
      for (const step of actions) {
        if ('wait' in step) {
          wall.now += step.wait;
          broadcaster.tick();
          continue;
        }
        const listener = listeners[step.who] as Listener;
        const key = `${step.who} ${step.toggle}`;
        broadcaster.tick();
        if (since.has(key)) {
          settle(step.who, step.toggle);
          since.delete(key);
          broadcaster.unsubscribe(step.toggle, listener);
        } else {
          expect(broadcaster.subscribe(step.toggle, listener)).toBe(true);
          since.set(key, clock.time());
        }
      }
      broadcaster.tick();
      for (const key of since.keys()) {
        const [who = '', stream = ''] = key.split(' ');
        settle(Number(who), stream);
      }
      for (const [who, listener] of listeners.entries()) {
        for (const stream of streams) {
          const closes = listener.closes(stream);
          expect(closes.map((k) => k.T), `${stream} at ×${speed}`).toEqual(owed[who]?.get(stream) ?? []);
          for (const k of closes) {
            const candle = book.candle(k.s, k.i as Interval, k.t, clock.time());
            expect([k.o, k.h, k.l, k.c, k.v]).toEqual([candle?.open, candle?.high, candle?.low, candle?.close, candle?.volume].map((value) => formatUnits(value ?? -1)));
          }
        }
        const times = listener.frames.map((frame) => frame.data.E);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }
    }), { numRuns: 60 });
  });

  test('update at most ten times a second of the receiver, every two seconds of the market otherwise, and never against the close', () => {
    for (const [speed, everyMs] of [[1, 2_000], [60, 100], [600, 100]] as const) {
      const { wall, broadcaster } = play(speed);
      const listener = new Listener();
      broadcaster.subscribe('btcusdt@kline_5m', listener);
      const start = wall.now;
      while (wall.now < start + 20_000) {
        wall.now += 20;
        broadcaster.tick();
      }
      const updates = listener.frames.filter((frame) => !frame.data.k.x);
      expect(updates.length).toBeLessThanOrEqual(20_000 / everyMs + 1);
      expect(updates.length).toBeGreaterThan((20_000 / everyMs) * 0.9);
      for (const close of listener.closes('btcusdt@kline_5m')) {
        const forming = updates.filter((frame) => frame.data.k.t === close.t).map((frame) => frame.data.k);
        expect(forming.every((k) => k.o === close.o && Number(k.h) <= Number(close.h) && Number(k.l) >= Number(close.l) && Number(k.v) <= Number(close.v))).toBe(true);
      }
    }
  });

  test('fall silent where a recording ends, after its last close', () => {
    const candles = new SimulatedMarket({ seed: 's', count: 1, origin: ORIGIN });
    const rows = Array.from({ length: 13 }, (_, i) => candles.minute('BTCUSDT', ORIGIN - 10 * MINUTE + i * MINUTE) as NonNullable<ReturnType<typeof candles.minute>>);
    const recorded = new RecordedMarket([{ symbol: 'BTCUSDT', files: ['f'], candles: rows, derived: [], stretch: { from: ORIGIN - 10 * MINUTE, to: ORIGIN + 3 * MINUTE } }], {});
    const { wall, broadcaster, book } = play(60, recorded);
    const listener = new Listener();
    for (const stream of ['btcusdt@kline_1m', 'btcusdt@miniTicker', '!miniTicker@arr']) broadcaster.subscribe(stream, listener);
    for (let i = 0; i < 200; i++) {
      wall.now += 50;
      broadcaster.tick();
    }
    expect(listener.closes('btcusdt@kline_1m').map((k) => k.T)).toEqual([1, 2, 3].map((minute) => ORIGIN + minute * MINUTE - 1));
    expect(Math.max(...listener.frames.map((frame) => frame.data.E ?? 0))).toBeLessThanOrEqual(ORIGIN + 3 * MINUTE + 3_000);
    expect([book.trades('BTCUSDT', ORIGIN + 3 * MINUTE - 1), book.trades('BTCUSDT', ORIGIN + 3 * MINUTE)]).toEqual([true, false]);
    expect(new Tickers(book).at('BTCUSDT', ORIGIN + 3 * DAY)?.day).toMatchObject({ close: rows.at(-1)?.close, volume: 0n });
  });

  test('accept a stream that has no data, and stay silent on it', () => {
    const { wall, broadcaster } = play(60);
    const listener = new Listener();
    for (const stream of ['nopeusdt@kline_1m', 'BTCUSDT@kline_1m', 'btcusdt@kline_7m', 'btcusdt@kline_1m@x', 'btcusdt', '@', '!all']) expect(broadcaster.subscribe(stream, listener)).toBe(false);
    wall.now += 5_000;
    broadcaster.tick();
    expect(listener.frames).toEqual([]);
  });
});
