// What an outage held back, and history, comes one symbol after the other: who ranks symbols must see them side by side all the same.
import { intervalClose, TraderDocument } from '@trademind/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { simulateCandles } from '../testing/simulate.ts';
import type { Match } from './match.ts';
import { Screener } from './screener.ts';

const ID = '00000000-0000-4000-8000-000000000001';
const START = Date.parse('2026-01-05T00:00Z');
const SYMBOLS = ['AUSDT', 'BUSDT', 'CUSDT'];
const COUNT = 120;
const MINUTE = 60_000;
const data = new Map(SYMBOLS.map((symbol, index) => [symbol, simulateCandles(COUNT, { seed: index + 3, openTime: START })]));
const WHERES = ['rank(roc(close, 3)) == 1', 'of("BUSDT", close > open) && close > open', 'percentile(rsi(5)) > 60'];

let now = START;
function screenerOf(where: string): Screener {
  const screener = new Screener({ defaultInterval: '1m', capacity: () => 600, marketNow: () => now });
  screener.setUniverse(ID, new Set(SYMBOLS));
  screener.setTraders([{ id: ID, version: 1, document: TraderDocument.parse({ name: 'Best', side: 'long', interval: '1m', where: { best: where } }) }]);
  return screener;
}
const feed = (screener: Screener, symbol: string, from: number, to: number): Match[] => data.get(symbol)!.slice(from, to).flatMap((candle) => screener.onCandle(symbol, '1m', candle));
/** As the market goes on: each minute a candle of each, a second after its close. */
function live(screener: Screener, from: number, to: number): Match[] {
  const found: Match[] = [];
  for (let minute = from; minute < to; minute += 1) {
    now = intervalClose('1m', data.get('AUSDT')![minute]!.openTime) + 1_000;
    for (const symbol of SYMBOLS) found.push(...feed(screener, symbol, minute, minute + 1));
  }
  return found;
}
const key = ({ symbol, closeTime, missing }: Match): string => `${closeTime} ${symbol}${missing ? ` without ${missing.join()}` : ''}`;
const keys = (matches: readonly Match[]): string[] => matches.map(key).sort();

test.each(WHERES)('history that comes symbol by symbol gives what the market gave minute by minute: %s', (where) => {
  const expected = live(screenerOf(where), 0, COUNT);
  expect(expected.length).toBeGreaterThan(10);
  const screener = screenerOf(where);
  now = START + 10 * COUNT * MINUTE;
  expect(keys(SYMBOLS.flatMap((symbol) => feed(screener, symbol, 0, COUNT)))).toEqual(keys(expected));
});

test.each(WHERES)('so does what an outage held back, wherever it began and in whatever pieces it comes, with live candles among it: %s', (where) => {
  const expected = keys(live(screenerOf(where), 0, COUNT));
  fc.assert(fc.property(fc.integer({ min: 5, max: 60 }), fc.integer({ min: 61, max: 100 }), fc.shuffledSubarray(SYMBOLS, { minLength: 3, maxLength: 3 }), fc.integer({ min: 1, max: 4_000 }), (from, to, order, stepMs) => {
    const screener = screenerOf(where);
    const found = live(screener, 0, from);
    now = START + to * MINUTE + 1_000;
    for (const symbol of order) {
      // Its last candle has only just closed.
      for (let minute = from; minute < to; minute += 1) found.push(...feed(screener, symbol, minute, minute + 1));
      now += stepMs;
      found.push(...screener.advanceTime(now));
    }
    found.push(...live(screener, to, COUNT));
    expect(keys(found)).toEqual(expected);
  }), { numRuns: 40 });
});

test('a symbol that has nothing is not waited for: once nothing of long ago has come for the deadline, the rest is screened and says who was missing', () => {
  const screener = screenerOf(WHERES[0]!);
  now = START + 10 * COUNT * MINUTE;
  const found = ['AUSDT', 'BUSDT'].flatMap((symbol) => feed(screener, symbol, 0, COUNT));
  expect(found).toEqual([]);
  expect(screener.advanceTime(now + 4_999)).toEqual([]);
  const late = screener.advanceTime(now + 5_000);
  expect(late.length).toBeGreaterThan(10);
  expect(late.every(({ missing }) => missing?.join() === 'CUSDT')).toBe(true);
  expect(late.map(({ closeTime }) => closeTime)).toEqual(late.map(({ closeTime }) => closeTime).toSorted((a, b) => a - b));
});

test('candles that are always late do not keep it waiting for ever', () => {
  const screener = screenerOf(WHERES[0]!);
  const found: Match[] = [];
  for (let minute = 0; minute < COUNT; minute += 1) {
    // Half a minute late, each; one symbol never comes.
    for (const [index, symbol] of ['AUSDT', 'BUSDT'].entries()) {
      now = START + (minute + 1) * MINUTE + 30_000 + index * 1_000;
      found.push(...feed(screener, symbol, minute, minute + 1));
    }
    found.push(...screener.advanceTime(now + 6_000));
  }
  expect(found.length).toBeGreaterThan(10);
});
