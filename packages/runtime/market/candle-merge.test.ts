import fc from 'fast-check';
import { expect, test } from 'vitest';
import { intervalClose, type Candle, type Interval } from '@trademind/core';
import { CandleMerge } from './candle-merge.ts';

const MINUTE = 60_000;
const candle = (openTime: number): Candle => ({ openTime, open: 1, high: 1, low: 1, close: 1, volume: 0, quoteVolume: 0, trades: 0, takerBuy: 0 });

function drain(merge: CandleMerge): string[] {
  const taken: string[] = [];
  for (let next = merge.take(); next; next = merge.take()) {
    taken.push('hole' in next ? `${next.interval} hole ${next.hole.from / MINUTE}-${next.hole.to / MINUTE}` : `${next.interval} ${next.candle.openTime / MINUTE}`);
  }
  return taken;
}

test('whatever order, repeats and batches candles come in, they leave once, by close time, the longer interval first', () => {
  const expected: { interval: Interval; openTime: number; close: number }[] = [];
  for (const interval of ['15m', '5m', '1m'] as const) {
    for (let openTime = 0; openTime < 60 * MINUTE; openTime = intervalClose(interval, openTime)) expected.push({ interval, openTime, close: intervalClose(interval, openTime) });
  }
  const order = ['15m', '5m', '1m'];
  expected.sort((a, b) => a.close - b.close || order.indexOf(a.interval) - order.indexOf(b.interval));
  const wanted = expected.map(({ interval, openTime }) => `${interval} ${openTime / MINUTE}`);
  fc.assert(fc.property(fc.shuffledSubarray(expected, { minLength: expected.length }), fc.array(fc.nat(expected.length - 1), { maxLength: 40 }), (shuffled, repeats) => {
    const merge = new CandleMerge();
    merge.setIntervals(['1m', '15m', '5m']);
    for (const interval of ['1m', '5m', '15m'] as const) merge.startAt(interval, 0);
    const taken: string[] = [];
    for (const [index, { interval, openTime }] of [...shuffled, ...repeats.map((at) => shuffled[at]!)].entries()) {
      merge.offer(interval, candle(openTime));
      if (index % 3 === 0) taken.push(...drain(merge));
    }
    taken.push(...drain(merge));
    expect(taken).toEqual(wanted);
    expect(merge.blocked()).toBeUndefined();
  }), { numRuns: 100 });
});

test('a missing candle holds back what comes after it, and says which one is missing', () => {
  const merge = new CandleMerge();
  merge.setIntervals(['1m']);
  merge.startAt('1m', 0);
  merge.offer('1m', candle(0));
  merge.offer('1m', candle(2 * MINUTE));
  expect(drain(merge)).toEqual(['1m 0']);
  expect(merge.blocked()).toEqual({ interval: '1m', from: MINUTE, hole: true });
  merge.offer('1m', candle(MINUTE));
  expect(drain(merge)).toEqual(['1m 1', '1m 2']);
  expect(merge.offer('1m', candle(MINUTE))).toBe(false);
});

test('a hole that the exchange confirmed is passed in its turn, and ends where the stream has a candle after all', () => {
  const merge = new CandleMerge();
  merge.setIntervals(['5m', '1m']);
  merge.startAt('5m', 0);
  merge.startAt('1m', 0);
  for (const minute of [0, 1, 6, 7, 8, 9]) merge.offer('1m', candle(minute * MINUTE));
  for (const minute of [0, 5]) merge.offer('5m', candle(minute * MINUTE));
  merge.markHole('1m', 2 * MINUTE, 6 * MINUTE);
  merge.offer('1m', candle(4 * MINUTE));
  expect(drain(merge)).toEqual(['1m 0', '1m 1', '1m hole 2-4', '5m 0', '1m 4', '1m hole 5-6', '1m 6', '1m 7', '1m 8', '5m 5', '1m 9']);
});

test('a series that has halted holds no other back', () => {
  const merge = new CandleMerge();
  merge.setIntervals(['1h', '1m']);
  merge.startAt('1h', 0);
  merge.startAt('1m', 59 * MINUTE);
  merge.offer('1m', candle(59 * MINUTE));
  expect(drain(merge)).toEqual([]);
  merge.setHalted('1h', true);
  expect(drain(merge)).toEqual(['1m 59']);
});

test('more than may wait: the oldest stay, so that the series goes on', () => {
  const merge = new CandleMerge();
  merge.setIntervals(['1m']);
  merge.startAt('1m', 0);
  for (let minute = 20_002; minute >= 0; minute--) merge.offer('1m', candle(minute * MINUTE));
  const taken = drain(merge);
  expect([taken.length, taken[0], taken.at(-1)]).toEqual([20_000, '1m 0', '1m 19999']);
});
