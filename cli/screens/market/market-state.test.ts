import { expect, test } from 'vitest';
import { testSignal, testStatus } from '../../../tests/support/feed.ts';
import { initialState, marketRows, reduce, windowOf, type Input, type MarketState } from './market-state.ts';

const uuid = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const signal = (n: number): Input => ({ type: 'signal', data: testSignal({ id: uuid(n), closeTime: n * 60_000 }) });
const row = (symbol: string, quoteVolume24h: number, matches: string[] = []) => ({ symbol, price: 1, change24h: 0, quoteVolume24h, matches, halted: false });
const after = (...inputs: Input[]): MarketState => inputs.reduce(reduce, initialState());

test('signals stand newest first, each once', () => {
  expect(after(signal(1), signal(3), signal(2), signal(3)).signals.map(({ closeTime }) => closeTime / 60_000)).toEqual([3, 2, 1]);
});

test('a selected signal stays selected while newer ones come in above it', () => {
  const state = after(signal(1), signal(2), { type: 'select', step: 1 }, signal(3));
  expect(state.signals[state.selected.signals]?.closeTime).toBe(60_000);
});

test('the selection stays inside the list, and panels go round', () => {
  expect(after(signal(1), { type: 'select', step: 50 }).selected.signals).toBe(0);
  expect(after({ type: 'panel', step: -1 }).panel).toBe('log');
  expect(after({ type: 'panel', step: 1 }, { type: 'panel', step: 1 }, { type: 'panel', step: 1 }, { type: 'panel', step: 1 }).panel).toBe('signals');
});

test('a snapshot replaces everything; metrics change rows and the market time', () => {
  const state = after(
    { type: 'snapshot', data: { status: testStatus(), markets: [row('AUSDT', 1), row('BUSDT', 9)], signals: [], analyses: [], log: [] } },
    { type: 'metrics', data: { marketTime: 123, markets: [row('AUSDT', 1, ['Dip'])] } },
  );
  expect(marketRows(state).map(({ symbol }) => symbol)).toEqual(['AUSDT', 'BUSDT']);
  expect(state.status?.market.time).toBe(123);
});

test('the window shows the selected row and never runs over the end', () => {
  expect(windowOf(100, 99, 10)).toEqual({ from: 90, to: 100 });
  expect(windowOf(3, 0, 10)).toEqual({ from: 0, to: 3 });
});
