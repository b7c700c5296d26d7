import { TraderDocument } from '@trademind/core';
import { expect, test } from 'vitest';
import { compileTrader } from '../language/compile-trader.ts';
import { simulateCandles } from '../testing/simulate.ts';
import { decodeMatches, encodeMatches } from './match-codec.ts';
import { Screener } from './screener.ts';

test('matches come out as they went in; those of a series that is no more are left out', () => {
  const traders = [
    { name: 'one', where: { low: 'rsi(7) < 40', cross: 'crossover(ema(5), ema(13)) || close > open' } },
    { name: 'two', where: { share: 'takerBuy / volume > 0.5', never: 'close / (close - close) > 1' }, when: 'any' },
  ].map((input, index) => ({ id: `00000000-0000-4000-8000-00000000000${index}`, version: index + 1, document: TraderDocument.parse({ side: 'long', interval: '1m', ...input }) }));
  const screener = new Screener({ defaultInterval: '1m', capacity: () => 500 });
  for (const { id } of traders) screener.setUniverse(id, new Set(['AUSDT', 'BUSDT']));
  screener.setTraders(traders);
  const matches = ['AUSDT', 'BUSDT'].flatMap((symbol, index) => simulateCandles(300, { seed: index, flatness: 0.3 }).flatMap((candle) => screener.onCandle(symbol, '1m', candle)));
  const active = traders.map(({ id, version, document }) => ({ id, version, compiled: compileTrader(document, '1m') }));
  const keyOf = ({ symbol }: { symbol: string }): number => (symbol === 'AUSDT' ? 7 : 9);
  const numbers = encodeMatches(matches, active, keyOf);
  const order = (list: typeof matches): string[] => list.map((match) => JSON.stringify(match)).sort();
  expect(order(decodeMatches(numbers, active, (key) => (key === 7 ? 'AUSDT' : 'BUSDT')))).toEqual(order(matches));
  expect(new Set(decodeMatches(numbers, active, (key) => (key === 7 ? 'AUSDT' : undefined)).map(({ symbol }) => symbol))).toEqual(new Set(['AUSDT']));
  expect(matches.length).toBeGreaterThan(5);
});
