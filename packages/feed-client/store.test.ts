import type { FeedFrame } from '@trademind/core';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { testSignal, testStatus } from '../../tests/support/feed.ts';
import { applyFrame, emptyView } from './store.ts';

const frame = <T extends FeedFrame['type']>(type: T, data: Extract<FeedFrame, { type: T }>['data']) => ({ v: 1, epoch: 'e', seq: 1, type, data }) as FeedFrame;

test('signals stay unique by id, bounded and newest candle first, in whatever order they arrive', () => {
  const pool = Array.from({ length: 40 }, (_, i) => testSignal({ closeTime: 1_700_000_000_000 + (i % 7) * 60_000 }));
  fc.assert(fc.property(fc.array(fc.integer({ min: 0, max: 39 }), { maxLength: 120 }), (picks) => {
    const view = picks.reduce((seen, pick) => applyFrame(seen, frame('signal', pool[pick]!)), emptyView());
    expect(new Set(view.signals.map(({ id }) => id)).size).toBe(view.signals.length);
    expect(view.signals).toHaveLength(new Set(picks).size);
    expect(view.signals.map(({ closeTime }) => closeTime)).toEqual(view.signals.map(({ closeTime }) => closeTime).toSorted((a, b) => b - a));
  }));
  const many = Array.from({ length: 600 }, (_, i) => testSignal({ closeTime: i })).reduce((seen, data) => applyFrame(seen, frame('signal', data)), emptyView());
  expect(many.signals).toHaveLength(500);
  expect(many.signals[0]?.closeTime).toBe(599);
});

test('a snapshot replaces everything, changed rows replace their own', () => {
  const row = { symbol: 'BTCUSDT', price: 1, change24h: null, quoteVolume24h: null, matches: [], halted: false };
  const other = { ...row, symbol: 'LTCUSDT' };
  let view = applyFrame(emptyView(), frame('signal', testSignal()));
  view = applyFrame(view, frame('snapshot', { status: testStatus(), markets: [row, other], signals: [testSignal({ symbol: 'A' })], analyses: [], log: [] }));
  expect(view.signals.map(({ symbol }) => symbol)).toEqual(['A']);
  const before = view;
  view = applyFrame(view, frame('metrics', { marketTime: 5, markets: [{ ...row, price: 2 }] }));
  expect([view.markets.get('BTCUSDT')?.price, view.markets.get('LTCUSDT')?.price, view.marketTime]).toEqual([2, 1, 5]);
  expect(before.markets.get('BTCUSDT')?.price).toBe(1);
});

test('the log is bounded and keeps the newest', () => {
  const view = Array.from({ length: 250 }, (_, at) => at).reduce((seen, at) => applyFrame(seen, frame('log', { at, level: 'info', code: 'x', message: 'm' })), emptyView());
  expect([view.log.length, view.log[0]?.at, view.log.at(-1)?.at]).toEqual([200, 50, 249]);
});
