import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Candle, Interval } from '@trademind/core';
import { systemWall } from '../time.ts';
import type { KlinesOptions } from './binance-rest.ts';
import { CandleAudit } from './candle-audit.ts';
import { CandleMarks, marksInMemory, type CandleMark } from './candle-marks.ts';

const MINUTE = 60_000;
const candle = (minute: number, close = 1.5): Candle => ({ openTime: minute * MINUTE, open: 1, high: 2, low: 1, close, volume: 1, quoteVolume: 1.5, trades: 1, takerBuy: 1 });
const range = (from: number, to: number, close?: number) => Array.from({ length: to - from }, (_, index) => candle(from + index, close));
const series = { symbol: 'BTCUSDT', interval: '1m' } as const;

let held: Candle[];
/** What the exchange says, answer by answer; the last one stays. */
let answers: Candle[][];
let asked: string[];
let said: string[];
let marks: CandleMarks;
let audit: CandleAudit;
let ending: AbortController;
beforeEach(() => {
  vi.useFakeTimers();
  [held, answers, asked, said] = [range(0, 10), [range(0, 12)], [], []];
  ending = new AbortController();
  marks = new CandleMarks(marksInMemory());
  audit = new CandleAudit({
    rest: {
      klines: (symbol: string, _interval: Interval, from: number, { until = Infinity, priority }: KlinesOptions = {}) => {
        asked.push(`${symbol} ${from / MINUTE}-${until / MINUTE} ${priority}`);
        const rows = answers.length > 1 ? answers.shift() : answers[0];
        return Promise.resolve((rows ?? []).filter(({ openTime }) => openTime >= from && openTime <= until));
      },
    },
    clock: { now: () => 77 }, wall: systemWall, log: (_level, code) => said.push(code), signal: ending.signal, marks, held: (_symbol, _interval, limit) => held.slice(-limit), onChange: () => undefined,
  });
});
afterEach(() => {
  ending.abort();
  vi.useRealTimers();
});
async function compare(): Promise<CandleMark[]> {
  const done = audit.compare(series);
  await vi.advanceTimersByTimeAsync(1_100);
  await done;
  return marks.of('BTCUSDT', '1m');
}

test('what agrees is asked once, at the lowest priority, and nothing is marked', async () => {
  expect(await compare()).toEqual([]);
  expect(asked).toEqual(['BTCUSDT 0-9 audit']);
});

test('a correction is marked once with both figures, counted and said; the candle itself stays', async () => {
  answers = [range(0, 12).with(4, candle(4, 1.25))];
  expect(await compare()).toEqual([{ kind: 'corrected', ...series, openTime: 4 * MINUTE, was: candle(4), now: candle(4, 1.25), at: 77 }]);
  await compare();
  expect([marks.counts.corrected, said]).toEqual([1, ['candle_corrected']]);
  expect(held[4]).toEqual(candle(4));
});

test('a further correction, also back to what it was, takes the place of the one before', async () => {
  answers = [range(0, 12).with(4, candle(4, 1.25))];
  await compare();
  answers = [range(0, 12)];
  expect(await compare()).toMatchObject([{ kind: 'corrected', was: candle(4), now: candle(4) }]);
});

test('what differs in one answer only is not believed', async () => {
  answers = [range(0, 12).with(4, candle(4, 1.25)), range(0, 12)];
  expect(await compare()).toEqual([]);
  answers = [range(0, 12).with(4, candle(4, 1.25)), range(0, 12).with(4, candle(4, 1.75))];
  expect(await compare()).toEqual([]);
});

test('a candle that the exchange has again after all is marked as what it is now', async () => {
  answers = [range(0, 12).toSpliced(4, 1)];
  await compare();
  answers = [range(0, 12)];
  await compare();
  expect(await compare()).toMatchObject([{ kind: 'withdrawn', was: candle(4) }, { kind: 'corrected', was: candle(4), now: candle(4) }]);
  expect(said).toEqual(['candle_withdrawn', 'candle_corrected']);
});

test('a candle that the exchange no longer has is marked, and so is one that it brings late into a hole', async () => {
  marks.add({ kind: 'hole', ...series, openTime: -3 * MINUTE, until: 0, at: 1 });
  answers = [[candle(-2), ...range(0, 12).filter(({ openTime }) => openTime !== 5 * MINUTE)]];
  expect(await compare()).toMatchObject([{ kind: 'hole' }, { kind: 'withdrawn', openTime: 5 * MINUTE, was: candle(5) }, { kind: 'late', openTime: -2 * MINUTE, now: candle(-2) }]);
  await compare();
  expect(marks.counts).toEqual({ hole: 1, corrected: 0, late: 1, withdrawn: 1, 'off-grid': 0 });
});

test('what was doubted is looked at soon, each series once; all others in turn within the hour', async () => {
  audit.soon('BTCUSDT', '1m');
  audit.soon('BTCUSDT', '1m');
  audit.soon('ETHUSDT', '1m');
  await vi.advanceTimersByTimeAsync(2_000);
  expect(asked).toEqual(['BTCUSDT 0-9 audit', 'ETHUSDT 0-9 audit']);
  asked = [];
  const running = audit.run(() => ['A', 'B', 'C'].map((symbol) => ({ symbol, interval: '1m' as const })));
  await vi.advanceTimersByTimeAsync(3_600_000 + 10);
  expect(asked.map((one) => one.split(' ')[0])).toEqual(['A', 'B', 'C']);
  ending.abort();
  await running;
});
