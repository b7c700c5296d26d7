import { expect, test } from 'vitest';
import { costOf, MODEL_PRICES, priceOf } from './model-prices.ts';

test('a million tokens in and out cost what the list says', () => {
  const price = priceOf('gemini-3.5-flash-lite', '2026-10-10')!;
  expect(costOf(price, 1_000_000, 0)).toBe(0.3e9);
  expect(costOf(price, 0, 1_000_000)).toBe(2.5e9);
  expect(costOf(price, 1_234, 567)).toBe(1_234 * 300 + 567 * 2_500);
});

test('the entry in force on the day counts, also under an alias of the model; a price that has run out is none', () => {
  const prices = [{ model: 'm', from: '2026-01-01', input: 1, output: 2 }, { model: 'm', from: '2026-06-01', until: '2026-07-01', input: 3, output: 4 }];
  expect(priceOf('m', '2025-12-31', prices)?.input).toBe(1);
  expect(priceOf('m-latest', '2026-05-31', prices)?.input).toBe(1);
  expect(priceOf('m-001', '2026-06-01', prices)?.input).toBe(3);
  expect(priceOf('m', '2026-07-01', prices)).toBeUndefined();
  expect(priceOf('n', '2026-06-01', prices)).toBeUndefined();
  expect(priceOf('gemini-2.5-pro', '2026-11-30')).toBeDefined();
  expect(priceOf('gemini-2.5-pro', '2026-12-01')).toBeUndefined();
});

test('every price is a whole number of billionths a token', () => {
  for (const { input, output } of MODEL_PRICES) for (const price of [input, output]) expect(Math.abs(price * 1_000 - Math.round(price * 1_000))).toBeLessThan(1e-9);
});
